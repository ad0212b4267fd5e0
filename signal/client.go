package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

const (
	firstPause   = 100 * time.Millisecond // before the first new attempt
	longestPause = 5 * time.Second
	steadyTime   = 5 * time.Second // a connection that lasted this long begins again at firstPause
	dialTime     = 5 * time.Second
	greetTime    = 10 * time.Second       // for hello, and for register
	farewellTime = 500 * time.Millisecond // for what is queued at the end
	library      = "go/1"
)

var (
	errForeign  = errors.New("signal: the server is another user's")
	errImpostor = errors.New("signal: whoever listens there does not know this start's token")
)

// run keeps the connection until ctx has ended and Wait was called, or the server refused.
func (c *Client) run(ctx context.Context) {
	defer close(c.ended)
	defer c.wg.Wait()
	live, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	c.wg.Go(func() { c.outlive(ctx, live, cancel) })
	pause := firstPause
	for {
		began := time.Now()
		err := c.session(ctx, live)
		if ctx.Err() != nil {
			return
		}
		if c.refused(err) {
			c.giveUp(err)
			return
		}
		if time.Since(began) > steadyTime {
			pause = firstPause
		}
		c.log.Debug("no signal connection", "err", err, "pause", pause)
		if !sleep(ctx, jitter(pause)) {
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// outlive ends live once ctx has ended and the program had its time to say more.
func (c *Client) outlive(ctx, live context.Context, cancel context.CancelFunc) {
	defer cancel()
	select {
	case <-ctx.Done():
	case <-live.Done():
		return
	}
	late := time.NewTimer(c.linger)
	defer late.Stop()
	select {
	case <-c.leave:
	case <-late.C:
	case <-live.Done():
	}
}

// session connects, registers and serves until the connection is lost or live ends. ctx
// bounds the way there.
func (c *Client) session(ctx, live context.Context) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	trusted := make(chan struct{})
	peer := NewPeer(NewFrames(conn), PeerOptions{
		Requests: maxRunning + 16, // so that commands under way leave room for ping and shutdown
		Handle: func(ctx context.Context, method string, params json.RawMessage) (any, error) {
			select {
			case <-trusted:
				return c.serve(ctx, method, params)
			default:
				return nil, NoMethod(method)
			}
		},
	})
	var wg sync.WaitGroup
	var lost error
	wg.Go(func() { lost = peer.Run(context.WithoutCancel(live)) })
	err = c.greet(ctx, peer, trusted)
	if err != nil && ctx.Err() != nil && isClosed(trusted) {
		err = nil // asked to end while the answer to register was on its way: there may be last words
	}
	if err == nil {
		c.send(live, peer)
	}
	peer.Close()
	wg.Wait()
	switch {
	case err != nil:
		return err
	case lost != nil:
		return fmt.Errorf("%w: %w", ErrClosed, lost)
	}
	return ErrClosed
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	err := error(ErrAlone)
	if c.place.socket != "" {
		var conn *net.UnixConn
		if conn, err = DialSocket(ctx, c.place.socket); err == nil {
			return conn, nil
		}
	}
	if c.place.address == "" || errors.Is(err, errForeign) {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", c.place.address)
}

// greet makes sure of the server, opens trusted, and registers. The server's requests may
// come as soon as it has our proof, so trusted is closed before.
func (c *Client) greet(ctx context.Context, peer *Peer, trusted chan<- struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, greetTime)
	defer cancel()
	hello := HelloParams{Protocol: Protocol, ID: c.place.id, Nonce: NewNonce()}
	var theirs HelloResult
	if err := peer.Call(ctx, MethodHello, hello, &theirs); err != nil {
		return err
	}
	if !CheckProof(theirs.Proof, c.place.token, RoleServer, hello.Nonce, theirs.Nonce) {
		return errImpostor
	}
	close(trusted)
	ours := c.registration(Proof(c.place.token, RoleClient, hello.Nonce, theirs.Nonce))
	var as RegisterResult
	err := peer.Call(ctx, MethodRegister, ours, &as)
	c.mu.Lock()
	c.managed = c.managed || CodeOf(err) == 0 // also when only the answer was lost
	c.outbox.registered(ours.Ready)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	c.log.Info("registered", "app", cut(as.App, MaxName), "id", c.place.id)
	return nil
}

// registration leaves the commands out where they would not fit; the server can ask.
func (c *Client) registration(proof []byte) RegisterParams {
	c.mu.Lock()
	ready := c.outbox.ready
	c.mu.Unlock()
	r := RegisterParams{
		Proof: proof, Name: c.options.Name, Pid: os.Getpid(),
		Commands: c.options.Commands, Ready: ready, Private: c.options.Private, Library: library,
	}
	if frame, err := request(1, MethodRegister, r); err != nil || len(frame) > MaxGreeting {
		r.Commands = nil
	}
	return r
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// send sends what is in the outbox until the connection or live ends.
func (c *Client) send(live context.Context, peer *Peer) {
	for {
		if c.sendAll(live, peer) != nil && live.Err() == nil {
			return
		}
		select {
		case <-c.wake:
		case <-peer.Done():
			return
		case <-live.Done():
			c.partFrom(live, peer)
			return
		}
	}
}

// partFrom empties the outbox after the end.
func (c *Client) partFrom(live context.Context, peer *Peer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(live), c.farewell)
	defer cancel()
	if c.sendAll(ctx, peer) == nil {
		peer.Flush(ctx)
	}
}

func (c *Client) sendAll(ctx context.Context, peer *Peer) error {
	for {
		c.mu.Lock()
		n, ok := c.outbox.next()
		c.mu.Unlock()
		if !ok {
			return nil
		}
		if err := peer.Notify(ctx, n.method, n.params); err != nil {
			c.mu.Lock()
			c.outbox.putBack(n)
			c.mu.Unlock()
			return err
		}
	}
}

// refused tells a refusal, after which there is no use in trying again, from a loss. An id
// that is taken is ours when we had it before: the server has not seen the old connection end.
func (c *Client) refused(err error) bool {
	if errors.Is(err, errForeign) || errors.Is(err, errImpostor) {
		return true
	}
	switch CodeOf(err) {
	case CodeProtocol, CodeRefused, CodeNoApp, CodeNoMethod, CodeParams:
		return !errors.Is(err, ErrClosed)
	case CodeTaken:
		c.mu.Lock()
		defer c.mu.Unlock()
		return !c.managed
	}
	return false
}

func (c *Client) giveUp(err error) {
	c.log.Warn("refused by the signal server, running on without it", "id", c.place.id, "err", err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	c.outbox = outbox{}
}

func jitter(d time.Duration) time.Duration {
	return d*4/5 + rand.N(d*2/5)
}

// sleep reports whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
