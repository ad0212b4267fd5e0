package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
)

// countsPerFrame is how many peers one TUNNELCOUNTS tells of.
const countsPerFrame = 500

// tunnelPatience bounds an answer of the node, which is on this host.
const tunnelPatience = 10 * time.Second

// Tun is a TUN that the node reads and writes for us: see package tunnel. Safe for concurrent use.
type Tun struct {
	nc   *answered
	addr Addr

	answers chan answer
	done    chan struct{} // closed after err is set
	err     error
	once    sync.Once

	asking sync.Mutex // held by who waits for an answer
	asked  atomic.Bool
	w      *Writer
}

type answer struct {
	kind Kind
	body []byte
}

// OpenTun gives the node a TUN, whose frames carry the header of package packet, for datagrams at a port; 0: the node picks one. The
// node keeps it until the Tun is closed; the descriptor stays the caller's too, but is not to be read. ErrNoRelay: descriptors
// do not pass here, nothing has happened. Errors: *Refused, what ctx says, or that our own node is not there.
func (c *Client) OpenTun(ctx context.Context, port Port, device syscall.Conn, takes packet.Offload) (*Tun, error) {
	nc, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	unix, ok := nc.(*net.UnixConn)
	if !ok || runtime.GOOS == "windows" {
		nc.Close()
		return nil, ErrNoRelay
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	q := Request{Kind: Tunnel, Port: port, Bits: uint8(takes), Routes: c.routes}
	in := NewInbox(nc)
	r := NewReader(in)
	var body []byte
	if err = pass(unix, q.AppendFrames(nil), device); err == nil {
		body, err = readAnswer(r)
		err = tooOld(err, q)
	}
	if !stop() {
		err = ctx.Err()
	}
	self, bad := ParsePacket(body)
	if err == nil && (bad != nil || len(self.Data) > 0) {
		err = ErrFrame
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("app: giving the node a TUN: %w", err)
	}
	t := &Tun{
		nc: &answered{nc, in, r}, addr: Addr{Key: self.Key, Port: self.Port}, answers: make(chan answer),
		done: make(chan struct{}), w: NewWriter(nc),
	}
	go t.read()
	return t, nil
}

// read takes what the node says; it ends with the connection.
func (t *Tun) read() {
	defer t.nc.in.Close()
	for {
		kind, body, err := t.nc.r.Next()
		if err != nil {
			t.end(fmt.Errorf("app: the node is gone: %w", err))
			return
		}
		if !t.asked.Load() {
			if err = ErrFrame; kind == Err {
				err = ParseErr(body)
			}
			t.end(err)
			return
		}
		select {
		case t.answers <- answer{kind, append([]byte(nil), body...)}:
		case <-t.done:
			return
		}
	}
}

func (t *Tun) end(err error) {
	t.once.Do(func() {
		t.err = err
		close(t.done)
		t.nc.Close()
	})
}

// Addr is our node's key and the port for datagrams.
func (t *Tun) Addr() Addr { return t.addr }

// Done is closed when the node moves nothing any more; Err says why.
func (t *Tun) Done() <-chan struct{} { return t.done }

// Err returns why it ended, nil while it has not.
func (t *Tun) Err() error {
	select {
	case <-t.done:
		return t.err
	default:
		return nil
	}
}

// Close takes the TUN back.
func (t *Tun) Close() error {
	t.end(net.ErrClosed)
	return nil
}

// SetRules is tunnel.Tunnel's.
func (t *Tun) SetRules(r packet.Rules) error {
	return t.ask(TunnelRules, AppendRules(nil, r), nil)
}

// SetPeer is tunnel.Tunnel's.
func (t *Tun) SetPeer(p tunnel.Peer) error {
	return t.ask(TunnelPeer, AppendPeer(nil, p), nil)
}

// Counts is tunnel.Tunnel's.
func (t *Tun) Counts() (total tunnel.Total, peers []tunnel.PeerCount, err error) {
	err = t.ask(TunnelAsk, nil, func(body []byte) (more bool, err error) {
		var list []tunnel.PeerCount
		total, list, more, err = ParseCounts(body)
		peers = append(peers, list...)
		if len(peers) > tunnel.MaxPeers {
			err = ErrFrame
		}
		return more, err
	})
	return total, peers, err
}

// ask says something and waits for the answers: TUNNELDONE, or what take takes until it wants no more.
func (t *Tun) ask(k Kind, body []byte, take func([]byte) (more bool, err error)) error {
	if len(body) > MaxBody {
		return tunnel.ErrFull
	}
	t.asking.Lock()
	defer t.asking.Unlock()
	t.asked.Store(true)
	defer t.asked.Store(false)
	if err := t.w.Frame(k, body); err != nil {
		return t.broken(err)
	}
	late := time.NewTimer(tunnelPatience)
	defer late.Stop()
	for {
		select {
		case a := <-t.answers:
			more, err := taken(a, take)
			if !more {
				return err
			}
		case <-t.done:
			return t.err
		case <-late.C:
			return t.broken(errors.New("app: the node does not answer"))
		}
	}
}

// broken ends the connection, whose order of answers is lost.
func (t *Tun) broken(err error) error {
	t.end(err)
	return t.err
}

func taken(a answer, take func([]byte) (bool, error)) (more bool, err error) {
	switch {
	case a.kind == Err:
		return false, ParseErr(a.body)
	case take == nil && a.kind == TunnelDone && len(a.body) == 0:
		return false, nil
	case take != nil && a.kind == TunnelCounts:
		return take(a.body)
	}
	return false, ErrFrame
}
