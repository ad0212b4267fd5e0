package relay

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/secure"
)

// Times of reconnecting.
const (
	firstPause  = 100 * time.Millisecond
	longPause   = 2 * time.Second // and up to half of it more: who is back is found within 3 s
	alarmPause  = 30 * time.Second
	dialTime    = 5 * time.Second
	provenAfter = 10 * time.Second
	lookTime    = time.Second // for where a messenger has gone
)

// home keeps the connection to one messenger.
type home struct {
	c    *Client
	addr secure.Addr // as configured
	wake chan struct{}

	mu      sync.Mutex // guards the following
	hop     *hop       // nil while not connected
	key     identity.PubKey
	learned []string // addresses of its own record
	since   time.Time
	err     string
	warned  bool
}

// Home says how a client stands with a messenger.
type Home struct {
	Addr      secure.Addr   // as configured, or where it is now
	Connected bool          `json:"connected"`
	Since     time.Time     // of the connection, or of its loss
	RTT       time.Duration // 0: not measured
	Circuits  int
	Observed  string // where the messenger sees this client
	LastError string
}

func (h *home) status() Home {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Home{Addr: secure.Addr{Key: h.key, HostPort: h.addr.HostPort}, Since: h.since, LastError: h.err}
	if h.hop != nil {
		s.Addr, s.Connected, s.RTT, s.LastError = h.hop.addr, true, h.hop.l.RTT(), ""
		s.Observed = h.hop.welcome.Observed
		h.hop.mu.Lock()
		s.Circuits = len(h.hop.circuits)
		h.hop.mu.Unlock()
	}
	return s
}

func (h *home) up() *hop {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hop
}

// again makes the home dial at once, if it waits.
func (h *home) again() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// run keeps the connection until ctx ends.
func (h *home) run(ctx context.Context) {
	pause := firstPause
	for try := 0; ctx.Err() == nil; try++ {
		began := time.Now()
		err := h.once(ctx, try)
		if ctx.Err() != nil {
			return
		}
		h.failed(err)
		if time.Since(began) > provenAfter {
			pause = firstPause
		}
		wait := pause + rand.N(pause/2+1)
		if errors.As(err, new(*secure.PinChanged)) || errors.Is(err, errTwice) {
			wait = alarmPause
		}
		pause = min(2*pause, longPause)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-h.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// failed notes and logs the end of a connection or an attempt, once per outage.
func (h *home) failed(err error) {
	h.mu.Lock()
	if h.hop != nil {
		h.hop, h.since = nil, time.Now()
	}
	h.err = err.Error()
	first := !h.warned
	h.warned = true
	h.mu.Unlock()
	switch {
	case first && errors.As(err, new(*secure.PinChanged)):
		h.c.cfg.Log.Error("refused", "peer", h.addr.HostPort, "err", err)
	case first:
		h.c.cfg.Log.Warn("messenger not connected, trying again", "peer", h.addr.HostPort, "err", err)
	default:
		h.c.cfg.Log.Debug("messenger not connected", "peer", h.addr.HostPort, "err", err)
	}
}

// once connects and carries the connection until it ends.
func (h *home) once(ctx context.Context, try int) error {
	if h.twice() {
		return errTwice
	}
	hop, err := h.c.connect(ctx, h.where(ctx, try))
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.key = hop.addr.Key
	h.mu.Unlock()
	if h.twice() {
		hop.l.Close(link.ErrClosed)
		return errTwice
	}
	ended := make(chan error, 1)
	if !h.c.background(func(context.Context) {
		hop.l.Run(hop)
		ended <- hop.l.Err()
	}) {
		hop.l.Close(link.ErrClosed)
		return link.ErrClosed
	}
	defer context.AfterFunc(ctx, func() { hop.l.Close(link.ErrClosed) })()
	if err := hop.greeted(ctx); err != nil {
		hop.l.Close(err)
		<-ended
		return err
	}
	h.mu.Lock()
	h.hop, h.since, h.err, h.warned = hop, time.Now(), "", false
	h.mu.Unlock()
	h.c.cfg.Log.Info("messenger connected", "peer", hop.addr.HostPort)
	h.c.arrived(hop)
	err = <-ended
	h.c.Kick() // the others shall not say that we are there
	return err
}

// errTwice: a messenger keeps one connection of a key, so that two to the same one would end each other.
var errTwice = errors.New("relay: another of the messengers given is the same one")

// twice reports whether another home is connected to the same messenger.
func (h *home) twice() bool {
	h.mu.Lock()
	key := h.key
	h.mu.Unlock()
	return slices.ContainsFunc(h.c.homes, func(other *home) bool {
		if other == h {
			return false
		}
		up := other.up()
		return up != nil && up.addr.Key == key
	})
}

// where is the address for the next try: the configured one, and every second time one that the messenger's own record
// names, as another messenger knows it.
func (h *home) where(ctx context.Context, try int) secure.Addr {
	h.mu.Lock()
	key, learned := h.key, h.learned
	h.mu.Unlock()
	if try == 0 || key.IsZero() {
		return h.addr
	}
	if len(learned) == 0 {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		rec, err := h.c.Lookup(ctx, key)
		cancel()
		if err == nil {
			learned = rec.Addrs
		}
	}
	learned = slices.DeleteFunc(slices.Clone(learned), func(a string) bool { return a == h.addr.HostPort })
	if len(learned) == 0 || try%2 == 0 {
		return h.addr
	}
	return secure.Addr{Key: key, HostPort: learned[try/2%len(learned)]}
}

// moved notes where the messenger's record says that it is, and dials if it is not connected.
func (h *home) moved(addrs []string) {
	h.mu.Lock()
	h.learned = slices.Clone(addrs)
	away := h.hop == nil
	h.mu.Unlock()
	if away {
		h.again()
	}
}

// connect dials a messenger and shakes hands.
func (c *Client) connect(ctx context.Context, a secure.Addr) (*hop, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	nc, r, err := c.cfg.Pins.Greet(ctx, a, c.secure)
	if err != nil {
		return nil, err
	}
	l := link.New(nc, r, link.Options{Carrier: "tcp", Dialed: true})
	return c.newHop(secure.Addr{Key: r.Remote, HostPort: a.HostPort}, l), nil
}

// greeted waits for the messenger's first word.
func (h *hop) greeted(ctx context.Context) error {
	timer := time.NewTimer(welcomeTime)
	defer timer.Stop()
	select {
	case <-h.welcomed:
		return nil
	case <-h.l.Done():
		return h.l.Err()
	case <-timer.C:
		return errors.New("relay: the messenger does not welcome us: it is full, or does not want this key")
	case <-ctx.Done():
		return ctx.Err()
	}
}
