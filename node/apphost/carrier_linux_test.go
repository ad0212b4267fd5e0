package apphost_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/wire"
)

func raw(t *testing.T, c *net.TCPConn) app.Descriptor {
	t.Helper()
	r, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// carriedPair is a stream that is carried at both ends: a program and the target it talks to, and the words about it.
type carriedPair struct {
	program, target *net.TCPConn
	dialed, taken   *app.Carried
}

// carry dials port 7 of the node with hello, and has ln's app carry what comes.
func carry(t *testing.T, c *app.Client, m *mesh, ln *app.Listener, hello string) carriedPair {
	t.Helper()
	ctx := within(t)
	near, program := tcpPair(t)
	out, target := tcpPair(t)
	program.SetDeadline(time.Now().Add(patience))
	target.SetDeadline(time.Now().Add(patience))
	taken := make(chan *app.Carried, 1)
	go func() {
		o, err := ln.Offer(ctx)
		if err != nil {
			t.Error(err)
			close(taken)
			return
		}
		if o.Peer() != m.key || o.Target() != "there" {
			t.Errorf("an offer of %s for %q", o.Peer(), o.Target())
		}
		d, err := o.Carry(raw(t, out))
		if err != nil {
			t.Error(err)
		}
		taken <- d
	}()
	d, err := c.DialCarried(ctx, m.key, 7, app.DialOptions{Target: "there", First: []byte("first ")}, raw(t, near), []byte(hello))
	if err != nil {
		t.Fatal(err)
	}
	p := carriedPair{program, target, d, <-taken}
	near.Close() // the node has it
	out.Close()
	if p.taken == nil {
		t.FailNow()
	}
	return p
}

func startCarrying(t *testing.T) (*app.Client, *mesh, *app.Listener) {
	c, m, _ := start(t)
	t.Cleanup(func() { c.Close() })
	ln, err := c.Listen(within(t), app.ListenOptions{Port: 7, Name: "exit", Type: "exit", Carry: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	if !c.Carries(within(t)) {
		t.Fatal("the node does not carry")
	}
	return c, m, ln
}

func TestCarried(t *testing.T) {
	c, m, ln := startCarrying(t)
	p := carry(t, c, m, ln, "hello ")
	up, down := make([]byte, 2<<20), make([]byte, 1<<20)
	rand.Read(up)
	rand.Read(down)
	go func() {
		p.program.Write(up)
		p.program.CloseWrite()
	}()
	got, err := io.ReadAll(p.target)
	if err != nil || !bytes.Equal(got, append([]byte("first "), up...)) {
		t.Fatalf("%d bytes went up, %v", len(got), err)
	}
	go func() { // the other half lives on
		p.target.Write(down)
		p.target.CloseWrite()
	}()
	got, err = io.ReadAll(p.program)
	if err != nil || !bytes.Equal(got, append([]byte("hello "), down...)) {
		t.Fatalf("%d bytes came down, %v", len(got), err)
	}
	var sums [4]atomic.Uint64
	err = errors.Join(p.dialed.Wait(func(u, d uint64) { sums[0].Store(u); sums[1].Store(d) }),
		p.taken.Wait(func(u, d uint64) { sums[2].Store(u); sums[3].Store(d) }))
	if err != nil || sums[0].Load() != uint64(len(up)) || sums[1].Load() != uint64(len(down)) ||
		sums[2].Load() != uint64(len(down)) || sums[3].Load() != uint64(len(up)+len("first ")) {
		t.Errorf("ended with %v after %d, %d, %d, %d bytes", err, sums[0].Load(), sums[1].Load(), sums[2].Load(), sums[3].Load())
	}
}

// Many streams share the connections, and none gets another's bytes.
func TestCarriedCrowd(t *testing.T) {
	c, m, ln := startCarrying(t)
	ctx := within(t)
	const crowd = 200
	var all sync.WaitGroup
	all.Go(func() {
		for range crowd {
			o, err := ln.Offer(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			out, target := tcpPair(t)
			d, err := o.Carry(raw(t, out))
			out.Close()
			if err != nil {
				t.Error(err)
				return
			}
			all.Go(func() {
				io.WriteString(target, o.Target())
				target.CloseWrite()
				io.Copy(io.Discard, target)
				target.Close() // a descriptor less
				if err := d.Wait(nil); err != nil {
					t.Error(err)
				}
			})
		}
	})
	for i := range crowd {
		near, program := tcpPair(t)
		all.Go(func() {
			name := string(rune('A'+i%26)) + string(rune('a'+i/26))
			d, err := c.DialCarried(ctx, m.key, 7, app.DialOptions{Target: name}, raw(t, near), []byte("to "))
			near.Close()
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := io.ReadAll(program); err != nil || string(got) != "to "+name {
				t.Errorf("%q came for %q, %v", got, name, err)
			}
			program.Close()
			if err := d.Wait(nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestCarriedRefusals(t *testing.T) {
	c, m, ln := startCarrying(t)
	ctx := within(t)
	near, program := tcpPair(t)
	if _, err := c.DialCarried(ctx, m.key, 9, app.DialOptions{}, raw(t, near), []byte("no")); !errors.Is(err, &app.Refused{Code: wire.CodeNoListener}) {
		t.Errorf("a port without an app: %v", err)
	}
	go func() {
		if o, err := ln.Offer(ctx); err == nil {
			o.Reject(wire.CodeDenied)
			o.Reset(wire.CodeBusy) // too late
			if _, err := o.Read(make([]byte, 1)); err == nil {
				t.Error("read of what was rejected")
			}
			o.Close()
		}
	}()
	if _, err := c.DialCarried(ctx, m.key, 7, app.DialOptions{}, raw(t, near), []byte("no")); !errors.Is(err, &app.Refused{Code: wire.CodeDenied}) {
		t.Errorf("a rejected stream: %v", err)
	}
	if _, err := c.DialCarried(ctx, m.key, 7, app.DialOptions{}, raw(t, near), make([]byte, app.MaxHello+1)); !errors.Is(err, &app.Refused{Code: wire.CodeBadRequest}) {
		t.Errorf("a long hello: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := c.DialCarried(short, m.key, 7, app.DialOptions{}, raw(t, near), []byte("no")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody answers: %v", err)
	}
	near.Close() // the socket was ours all the time, and nothing is on it
	if b, err := io.ReadAll(program); err != nil || len(b) > 0 {
		t.Errorf("the program heard %q, %v", b, err)
	}
}

// An offer may be taken as an ordinary stream.
func TestOfferConfirmed(t *testing.T) {
	c, m, ln := startCarrying(t)
	ctx := within(t)
	go func() {
		o, err := ln.Offer(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		defer o.Close()
		if err := o.Confirm(); err != nil {
			t.Error(err)
		}
		if _, err := o.Carry(nil); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("carried what was confirmed: %v", err)
		}
		io.Copy(o, o)
		o.CloseWrite()
	}()
	conn, err := c.Dial(ctx, m.key, 7, app.DialOptions{First: []byte("echo")})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.CloseWrite()
	if b, err := io.ReadAll(conn); err != nil || string(b) != "echo" {
		t.Errorf("%q came back, %v", b, err)
	}
}

// Who breaks a stream breaks both sockets, and the other app hears why.
func TestCarriedBreaks(t *testing.T) {
	for name, breakIt := range map[string]func(carriedPair, *app.Client, *app.Listener){
		"the dialing app": func(p carriedPair, _ *app.Client, _ *app.Listener) { p.dialed.Reset(wire.CodeDenied) },
		"the other app":   func(p carriedPair, _ *app.Client, _ *app.Listener) { p.taken.Reset(wire.CodeDenied) },
		"its connection":  func(_ carriedPair, c *app.Client, _ *app.Listener) { c.Close() },
		"the listener":    func(_ carriedPair, _ *app.Client, ln *app.Listener) { ln.Close() },
		"the program": func(p carriedPair, _ *app.Client, _ *app.Listener) {
			p.program.SetLinger(0)
			p.program.Close()
		},
		"the target": func(p carriedPair, _ *app.Client, _ *app.Listener) {
			p.target.SetLinger(0)
			p.target.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, m, ln := startCarrying(t)
			p := carry(t, c, m, ln, "hi")
			breakIt(p, c, ln)
			for which, d := range map[string]*app.Carried{"dialed": p.dialed, "taken": p.taken} {
				if err := d.Wait(nil); !errors.As(err, new(*app.Refused)) {
					t.Errorf("%s: %v", which, err)
				}
				d.Reset(wire.CodeInternal) // too late, and harmless
			}
			if name != "the program" {
				if _, err := io.ReadAll(p.program); err == nil {
					t.Error("the program saw a clean end")
				}
			}
			if name != "the target" {
				if _, err := io.ReadAll(p.target); err == nil {
					t.Error("the target saw a clean end")
				}
			}
		})
	}
}

// Streams that nobody has answered are refused when the listener ends.
func TestOffersLeft(t *testing.T) {
	c, m, ln := startCarrying(t)
	failed := make(chan error, 1)
	go func() {
		_, err := c.Dial(within(t), m.key, 7, app.DialOptions{})
		failed <- err
	}()
	if _, err := ln.Offer(within(t)); err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := <-failed; !errors.Is(err, &app.Refused{Code: wire.CodeNoListener}) {
		t.Error(err)
	}
	if _, err := ln.Offer(within(t)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// Over loopback TCP, and to a node that knows no carrying, all goes the ordinary way.
func TestWithoutCarrying(t *testing.T) {
	_, m, addr := start(t)
	overTCP := app.NewClient(func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", addr) })
	ctx := within(t)
	near, _ := tcpPair(t)
	if _, err := overTCP.DialCarried(ctx, m.key, 7, app.DialOptions{}, raw(t, near), nil); !errors.Is(err, app.ErrNoRelay) || overTCP.Carries(ctx) {
		t.Errorf("carried over TCP: %v", err)
	}
	ln, err := overTCP.Listen(ctx, app.ListenOptions{Port: 7, Carry: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		o, err := ln.Offer(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		defer o.Close()
		if _, err := o.Carry(nil); !errors.Is(err, app.ErrNoRelay) || o.Target() != "x" || o.Peer() != m.key {
			t.Errorf("an offer over TCP of %s for %q: %v", o.Peer(), o.Target(), err)
		}
		o.Confirm()
		o.Write([]byte("done"))
	}()
	conn, err := overTCP.Dial(ctx, m.key, 7, app.DialOptions{Target: "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if b, err := io.ReadAll(conn); err != nil || string(b) != "done" {
		t.Errorf("%q, %v", b, err)
	}
}

// What breaks the protocol ends that connection and no other.
func TestHostileCarriers(t *testing.T) {
	c, m, ln := startCarrying(t)
	p := carry(t, c, m, ln, "")
	near, _ := tcpPair(t)
	r := raw(t, near)
	dial := func(id uint64) []byte {
		q := app.CarryDialing{ID: id, Dial: app.Request{Kind: app.Dial, Key: m.key, Port: 9}}
		return app.AppendFrame(nil, app.CarryDial, app.AppendCarryDial(nil, q))
	}
	word := func(k app.Kind, w app.CarryWord) []byte {
		return app.AppendFrame(nil, k, app.AppendCarryWord(nil, k, w))
	}
	for name, frames := range map[string]struct {
		plain, with []byte // the second with a descriptor
		ends        bool
	}{
		"number 0":               {with: dial(0), ends: true},
		"no descriptor":          {plain: dial(1)},
		"an unknown number":      {plain: word(app.CarryEnd, app.CarryWord{ID: 99})},
		"a listener's word":      {with: word(app.CarryOn, app.CarryWord{ID: 1}), ends: true},
		"a node's word":          {plain: word(app.Carrying, app.CarryWord{ID: 1}), ends: true},
		"cut short":              {plain: app.AppendFrame(nil, app.CarryEnd, []byte{1}), ends: true},
		"another kind":           {plain: app.AppendFrame(nil, app.Data, nil), ends: true},
		"a descriptor too many":  {with: word(app.CarryEnd, app.CarryWord{ID: 99})},
		"a dial cut short":       {plain: app.AppendFrame(nil, app.CarryDial, make([]byte, 20)), ends: true},
		"a frame that is no end": {plain: []byte{56, 0xff, 0xff, 0xff}, ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := net.Dial("unix", app.SocketName(m.port))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(patience))
			nc.Write(app.AppendFrame(nil, app.Carry, app.Request{Kind: app.Carry}.AppendBody(nil)))
			in := app.NewReader(nc)
			if k, _, err := in.Next(); k != app.OK || err != nil {
				t.Fatal(k, err)
			}
			nc.Write(frames.plain)
			if frames.with != nil {
				r.Control(func(fd uintptr) { // the frame without its header, which Pass writes
					err = app.Pass(nc.(*net.UnixConn), app.Kind(frames.with[0]), frames.with[app.HeaderLen:], int(fd))
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if !frames.ends {
				nc.Write(dial(7)) // without a descriptor: refused, and the connection lives
			}
			for {
				k, body, err := in.Next()
				if frames.ends != (err != nil || k == app.Err) {
					t.Errorf("kind %d, %v; want an end: %t", k, err, frames.ends)
				}
				if w, _ := app.ParseCarryWord(k, body); frames.ends || err != nil || w.ID == 7 {
					return
				}
			}
		})
	}
	p.program.CloseWrite()
	if b, err := io.ReadAll(p.target); err != nil || string(b) != "first " {
		t.Errorf("another app's stream: %q, %v", b, err)
	}
}

// TestCarriedOver: the streams of a client with terms go over routes that meet them, carried ones too; what cannot be is refused.
func TestCarriedOver(t *testing.T) {
	c, m, ln := startCarrying(t)
	two, err := c.Over(route.Terms{MinHops: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { two.Close() })
	carry(t, two, m, ln, "")
	carry(t, c, m, ln, "")
	if asked, dialed := m.heard(); len(dialed) != 1 || len(asked) != 1 || asked[0] != "--min-hops 2" {
		t.Errorf("the mesh was asked for %q and dialed over %q", asked, dialed)
	}
	near, _ := tcpPair(t)
	three := app.DialOptions{Routes: route.Terms{MinHops: 3}}
	if _, err := c.DialCarried(within(t), m.key, 7, three, raw(t, near), nil); !errors.Is(err, app.ErrNoRelay) {
		t.Errorf("of what one stream alone needs: %v", err)
	}
	four, _ := c.Over(route.Terms{MinHops: 4})
	t.Cleanup(func() { four.Close() })
	if _, err := four.DialCarried(within(t), m.key, 7, app.DialOptions{}, raw(t, near), nil); err == nil {
		t.Error("what the node denies is carried")
	}
}
