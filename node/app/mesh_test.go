package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/nettest"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/simnet"
	"github.com/skycoin/viscript/nodemanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// pairOfNodes is a mesh of two nodes, "left" and "right", on a network in memory.
type pairOfNodes struct {
	left, right *node.Node
	stop        func() // waits for everything to end
}

// startPair starts a manager and two nodes. With sockets, apps reach them over app ports; otherwise from this process only.
func startPair(sockets bool) (*pairOfNodes, error) {
	dir, err := os.MkdirTemp("", "app-mesh")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	p := &pairOfNodes{stop: func() {
		cancel()
		running.Wait()
		os.RemoveAll(dir)
	}}
	if err := p.start(ctx, &running, dir, sockets); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *pairOfNodes) start(ctx context.Context, running *sync.WaitGroup, dir string, sockets bool) error {
	var keys [3]*identity.Key
	for i := range keys {
		var err error
		if keys[i], err = identity.Generate(); err != nil {
			return err
		}
	}
	pins, err := secure.OpenPins(filepath.Join(dir, "pins"))
	if err != nil {
		return err
	}
	world := simnet.New(1)
	home := world.Host("10.0.0.1")
	manager, err := nodemanager.New(nodemanager.Config{Listen: "10.0.0.1:7000", Dir: dir, Net: home, Key: keys[2]})
	if err != nil {
		return err
	}
	running.Go(func() { manager.Run(ctx) })
	for i, n := range []**node.Node{&p.left, &p.right} {
		h := world.Host(fmt.Sprintf("10.0.%d.1", i+1))
		cfg := node.Config{
			Key: keys[i], Name: []string{"left", "right"}[i], Listen: h.String() + ":5000", Carrier: h, Net: h, Pins: pins,
			Manager: secure.Addr{HostPort: manager.Addr().String()}, // which says its key when asked
		}
		if i == 1 {
			cfg.Peers = []secure.Addr{{Key: keys[0].Public(), HostPort: "10.0.1.1:5000"}}
		}
		for try := 0; ; try++ {
			if sockets {
				if cfg.AppPort, err = freePort(); err != nil {
					return err
				}
			}
			if *n, err = node.New(ctx, cfg); err == nil {
				break
			}
			if !errors.Is(err, syscall.EADDRINUSE) || try == 20 { // somebody may have taken the port meanwhile
				return err
			}
		}
		running.Go(func() { (*n).Run(ctx) })
	}
	return p.awaitRoute(ctx)
}

// freePort is a port that was free a moment ago.
func freePort() (app.Port, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return app.Port(ln.Addr().(*net.TCPAddr).Port), nil
}

// awaitRoute waits until the nodes reach each other: then a dial is refused for want of a listener.
func (p *pairOfNodes) awaitRoute(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		_, err := p.left.Apps().Dial(ctx, p.right.Info().Key, 9, app.DialOptions{})
		if errors.Is(err, &app.Refused{Code: app.CodeNoListener}) || ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// apps returns clients of both nodes, as programs beside them have them.
func (p *pairOfNodes) apps(t *testing.T) (left, right *app.Client) {
	t.Helper()
	var clients [2]*app.Client
	for i, n := range []*node.Node{p.left, p.right} {
		clients[i] = n.Apps()
		if addr := n.AppAddr(); addr != "" {
			var err error
			if clients[i], err = app.Connect(addr); err != nil {
				t.Fatal(err)
			}
		}
	}
	return clients[0], clients[1]
}

// TestConnIsANetConn runs x/net's suite on streams between two apps at two nodes.
func TestConnIsANetConn(t *testing.T) {
	for name, sockets := range map[string]bool{"over sockets": true, "in the process": false} {
		t.Run(name, func(t *testing.T) {
			p, err := startPair(sockets)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.stop)
			left, right := p.apps(t)
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				return connected(left, right, p.right.Info().Key)
			})
		})
	}
}

// connected is a stream between two apps.
func connected(left, right *app.Client, to identity.PubKey) (c1, c2 net.Conn, stop func(), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ln, err := right.Listen(ctx, app.ListenOptions{})
	if err != nil {
		return nil, nil, nil, err
	}
	defer ln.Close()
	accepted := make(chan error, 1)
	go func() {
		var err error
		c2, err = ln.Net().Accept()
		accepted <- err
	}()
	if c1, err = left.DialContext(ctx, "tcp", fmt.Sprintf("%s:%d", to, ln.Port())); err != nil {
		return nil, nil, nil, err
	}
	if err := <-accepted; err != nil {
		c1.Close()
		return nil, nil, nil, err
	}
	return c1, c2, func() { c1.Close(); c2.Close() }, nil
}

func TestNamesAndAddresses(t *testing.T) {
	p, err := startPair(false)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	left, right := p.apps(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ln, err := right.Listen(ctx, app.ListenOptions{Port: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if got := ln.Net().Addr().String(); got != ":80" {
		t.Errorf("listening at %s", got)
	}
	go func() {
		if c, err := ln.Net().Accept(); err == nil {
			io.WriteString(c, c.LocalAddr().String()+" "+c.RemoteAddr().String())
			c.Close()
		}
	}()
	c, err := left.DialContext(ctx, "tcp", "right:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	key := p.right.Info().Key
	if got := c.RemoteAddr(); got != (app.Addr{Key: key, Port: 80}) || got.String() != key.String()+":80" || got.Network() != "skymesh" {
		t.Errorf("dialed %v", got)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != ":80 "+p.left.Info().Key.String() {
		t.Errorf("the far end says %q, %v", b, err)
	}
	for _, bad := range []string{"", "right", "right:http", "right:0", "nobody:80", key.String() + ":70000"} {
		if _, err := left.DialContext(ctx, "tcp", bad); err == nil {
			t.Errorf("dialed %q", bad)
		}
	}
	ln.Close()
	if _, err := ln.Net().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepting from a closed listener: %v", err)
	}
}

// TestWriteThatWasLateLosesNothing: what a Write says was taken arrives, in order, whatever deadlines cut it.
func TestWriteThatWasLateLosesNothing(t *testing.T) {
	p, err := startPair(true)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	left, right := p.apps(t)
	c1, c2, stop, err := connected(left, right, p.right.Info().Key)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	sent, late := 0, 0
	size := 32 << 20
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	read, stalled := make(chan []byte), make(chan struct{})
	stall := sync.OnceFunc(func() { close(stalled) })
	go func() {
		<-stalled
		b, err := io.ReadAll(c2)
		if err != nil {
			t.Error("reading:", err)
		}
		read <- b
	}()
	for sent < size {
		c1.SetWriteDeadline(time.Now().Add(2 * time.Millisecond))
		n, err := c1.Write(data[sent:min(sent+1<<20, size)])
		sent += n
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			late++
			stall()
		case err != nil:
			t.Fatal(err)
		}
	}
	stall()
	c1.SetWriteDeadline(time.Time{})
	if err := c1.(*app.Conn).CloseWrite(); err != nil { // Close gives the last frame two seconds
		t.Fatal(err)
	}
	got := <-read
	if late == 0 || len(got) != size {
		t.Fatalf("%d bytes came of %d, after %d late writes", len(got), size, late)
	}
	for i := range got {
		if got[i] != data[i] {
			t.Fatalf("byte %d is wrong, after %d late writes", i, late)
		}
	}
}

// A web server and its visitor, who are apps at two nodes of a mesh. A program of its own gets its Client with
// app.Connect("127.0.0.1:15000"), the app port of the node beside it.
func Example() {
	mesh, err := startPair(false) // the nodes are called "left" and "right"
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.stop()
	left, right := mesh.left.Apps(), mesh.right.Apps()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// At the right node: serve mesh port 80.
	ln, err := right.Listen(ctx, app.ListenOptions{Port: 80})
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	go http.Serve(ln.Net(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello over the mesh, visitor of %s", r.URL.Path)
	}))

	// At the left node: visit it by name. A key in hex does as well.
	transport := &http.Transport{DialContext: left.DialContext}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://right:80/index")
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", body)
	// Output: hello over the mesh, visitor of /index
}

// Streams without a library on top: the far app sees who dials and what for, and says yes or no.
func ExampleClient_Dial() {
	mesh, err := startPair(false)
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.stop()
	left, right := mesh.left.Apps(), mesh.right.Apps()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	ln, err := right.Listen(ctx, app.ListenOptions{Port: 7})
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept(ctx)
			if err != nil {
				return
			}
			if conn.Target() != "echo" {
				conn.Reject(app.CodeDenied)
				continue
			}
			conn.Confirm()
			io.Copy(conn, conn)
			conn.Close()
		}
	}()

	to, err := left.Resolve(ctx, "right")
	if err != nil {
		log.Fatal(err)
	}
	_, err = left.Dial(ctx, to, 7, app.DialOptions{Target: "secrets"})
	fmt.Println(errors.Is(err, &app.Refused{Code: app.CodeDenied}))

	conn, err := left.Dial(ctx, to, 7, app.DialOptions{Target: "echo", First: []byte("is anybody there?")})
	if err != nil {
		log.Fatal(err)
	}
	conn.CloseWrite()
	answer, err := io.ReadAll(conn)
	conn.Close()
	fmt.Println(string(answer), err)
	// Output:
	// true
	// is anybody there? <nil>
}

// Datagrams, here between two apps of one node.
func ExampleClient_ListenPacket() {
	mesh, err := startPair(false)
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := mesh.left.Apps()
	clock, err := client.ListenPacket(ctx, 37)
	if err != nil {
		log.Fatal(err)
	}
	defer clock.Close()
	asker, err := client.ListenPacket(ctx, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer asker.Close()

	asker.WriteTo([]byte("what time is it?"), app.Addr{Key: mesh.left.Info().Key, Port: 37})
	buf := make([]byte, app.MaxDatagram)
	n, from, err := clock.ReadFrom(buf)
	fmt.Println(string(buf[:n]), from.String() == asker.LocalAddr().String(), err)
	// Output: what time is it? true <nil>
}
