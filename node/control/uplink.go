package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// Times of reconnecting.
const (
	firstPause  = 100 * time.Millisecond
	longPause   = 5 * time.Second
	alarmPause  = 30 * time.Second // when a person must act: a changed key, a taken name
	dialTimeout = 10 * time.Second
	provenAfter = 10 * time.Second // a connection that lasted so long resets the pause
)

// Status says where a client stands with its server.
type Status struct {
	Connected bool            // and registered, where that is needed
	Manager   identity.PubKey // the key at the other end, last seen; zero before the first connection
	Since     time.Time       // of the connection, or of its loss
	LastError string          // why the last attempt or connection ended; "" after success
}

// uplink keeps one connection to a service: it dials, hands the connection to ready, and
// dials again when it ends. Calls wait while there is none.
type uplink struct {
	addr  secure.Addr
	cfg   secure.Config
	pins  *secure.Pins
	log   *slog.Logger
	serve func(manager identity.PubKey) Serve
	// ready makes a new connection useful; calls wait until it returned nil. Then hold runs
	// until the connection or ctx ends.
	ready func(ctx context.Context, p *Peer) error
	hold  func(ctx context.Context, p *Peer) error

	warned bool   // of run: this outage is in the log
	alarm  string // of run: what was last logged at Error

	mu      sync.Mutex    // guards the following
	peer    *Peer         // nil while not connected
	changed chan struct{} // closed and replaced when there is a new peer
	status  Status
}

func (u *uplink) prepare() {
	u.changed = make(chan struct{})
	u.status.Since = time.Now()
}

// run keeps the connection until ctx ends.
func (u *uplink) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := u.once(ctx)
		if ctx.Err() != nil {
			break
		}
		u.lost(err)
		if time.Since(began) > provenAfter {
			pause = firstPause
		}
		wait := pause/2 + rand.N(pause/2+1)
		if needsPerson(err) {
			wait = alarmPause
		}
		u.report(err)
		pause = min(2*pause, longPause)
		sleep(ctx, wait)
	}
	u.lost(nil)
}

// report logs why there is no connection: at Error, once per reason, if a person must act;
// else at Warn, once per outage.
func (u *uplink) report(err error) {
	switch {
	case needsPerson(err) && err.Error() != u.alarm:
		u.alarm = err.Error()
		u.log.Error("refused", "peer", u.addr.HostPort, "err", err)
	case !u.warned:
		u.warned = true
		u.log.Warn("not connected, trying again", "peer", u.addr.HostPort, "err", err)
	default:
		u.log.Debug("not connected", "peer", u.addr.HostPort, "err", err)
	}
}

// reset ends the connection that is up; run dials again.
func (u *uplink) reset() {
	u.mu.Lock()
	p := u.peer
	u.mu.Unlock()
	if p != nil {
		p.Close()
	}
}

// once dials, makes the connection useful, and returns when it ended.
func (u *uplink) once(ctx context.Context) error {
	dctx, cancel := context.WithTimeout(ctx, dialTimeout)
	conn, err := u.pins.DialService(dctx, u.addr, u.cfg)
	cancel()
	if err != nil {
		return err
	}
	p := NewPeer(PeerConfig{Conn: conn, Serve: u.serve(conn.Remote()), Workers: 1, Log: u.log})
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	err = u.use(ctx, p)
	stop()
	if why := <-ended; why != nil && (err == nil || errors.Is(err, ErrClosed)) {
		return why
	}
	return err
}

func (u *uplink) use(ctx context.Context, p *Peer) error {
	if err := u.ready(ctx, p); err != nil {
		return err
	}
	u.connected(p)
	u.warned, u.alarm = false, ""
	u.log.Info("connected", "peer", u.addr.HostPort)
	return u.hold(ctx, p)
}

func (u *uplink) connected(p *Peer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.peer = p
	u.status = Status{Connected: true, Manager: p.Remote(), Since: time.Now()}
	close(u.changed)
	u.changed = make(chan struct{})
}

func (u *uplink) lost(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.peer != nil {
		u.peer = nil
		u.status.Since = time.Now()
	}
	u.status.Connected = false
	if err != nil {
		u.status.LastError = err.Error()
	}
}

func (u *uplink) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.status
}

// call sends a request once there is a connection, and again on the next one when it was
// lost before the answer; every request of this protocol may be repeated.
func (u *uplink) call(ctx context.Context, t Type, body []byte) ([]byte, error) {
	for {
		p, err := u.wait(ctx)
		if err != nil {
			return nil, err
		}
		answer, err := p.Call(ctx, t, body)
		if !errors.Is(err, ErrClosed) {
			return answer, err
		}
	}
}

// wait returns the connection, as soon as there is one that has not ended.
func (u *uplink) wait(ctx context.Context) (*Peer, error) {
	for {
		u.mu.Lock()
		p, changed, last := u.peer, u.changed, u.status.LastError
		u.mu.Unlock()
		if p != nil {
			select {
			case <-p.Done():
			default:
				return p, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			e := Errorf(CodeUnavailable, "not connected to %s", u.addr.HostPort)
			if last != "" {
				e.Text += ": " + last
			}
			return nil, fmt.Errorf("%w (%w)", e, ctx.Err())
		}
	}
}

// needsPerson reports whether trying again soon is of no use.
func needsPerson(err error) bool {
	var pin *secure.PinChanged
	switch CodeOf(err) {
	case CodeNameTaken, CodeBadRequest, CodeBadSignature, CodeStale, CodeNotMember:
		return true
	}
	return errors.As(err, &pin)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
