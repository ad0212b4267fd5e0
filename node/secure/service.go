package secure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/mark"
)

// dialTime is how long a connection may take to come up.
const dialTime = 5 * time.Second

// DialService connects, over TCP unless cfg.Dial says otherwise, to a manager, a tracker or a messenger. The key it must
// prove is the one in a; else the one pinned for a.HostPort; else the one it answers to
// WHO, which is pinned once the handshake with it succeeded. A service that has another
// key than the pinned one is refused with a *PinChanged. A key in a is used as it is:
// pins are neither asked nor changed.
func (p *Pins) DialService(ctx context.Context, a Addr, cfg Config) (*Conn, error) {
	nc, r, err := p.Greet(ctx, a, cfg)
	if err != nil {
		return nil, err
	}
	return NewConn(nc, r), nil
}

// Greet is DialService for who makes something else than a Conn of it.
func (p *Pins) Greet(ctx context.Context, a Addr, cfg Config) (net.Conn, Result, error) {
	nc, r, err := p.greet(ctx, a, cfg)
	if err != nil {
		return nil, Result{}, fmt.Errorf("connecting to %s: %w", a.HostPort, err)
	}
	return nc, r, nil
}

func (p *Pins) greet(ctx context.Context, a Addr, cfg Config) (net.Conn, Result, error) {
	if !a.Key.IsZero() {
		return dialKey(ctx, a.HostPort, cfg, a.Key)
	}
	pinned, ok, err := p.lookup(a.HostPort)
	if err != nil {
		return nil, Result{}, err
	}
	if ok {
		nc, r, err := dialKey(ctx, a.HostPort, cfg, pinned)
		return nc, r, p.explain(ctx, a.HostPort, cfg, pinned, err)
	}
	offered, err := askWho(ctx, a.HostPort, cfg)
	if err != nil {
		return nil, Result{}, err
	}
	nc, r, err := dialKey(ctx, a.HostPort, cfg, offered)
	if err != nil {
		return nil, Result{}, err
	}
	if err := p.Pin(a.HostPort, offered); err != nil {
		nc.Close()
		return nil, Result{}, err
	}
	return nc, r, nil
}

// explain turns a refusal by a service whose key is pinned into *PinChanged, if the service
// says that it has another key now. What it says decides only what the person reads.
func (p *Pins) explain(ctx context.Context, hostPort string, cfg Config, pinned identity.PubKey, err error) error {
	if !errors.Is(err, ErrHandshake) {
		return err
	}
	offered, whoErr := askWho(ctx, hostPort, cfg)
	if whoErr != nil || offered == pinned {
		return err
	}
	return &PinChanged{Name: hostPort, Pinned: pinned, Offered: offered, File: p.path}
}

func dialKey(ctx context.Context, hostPort string, cfg Config, key identity.PubKey) (net.Conn, Result, error) {
	nc, err := cfg.dial(ctx, hostPort)
	if err != nil {
		return nil, Result{}, err
	}
	r, err := Dial(ctx, nc, cfg, key)
	if err != nil {
		nc.Close()
		return nil, Result{}, err
	}
	return nc, r, nil
}

func askWho(ctx context.Context, hostPort string, cfg Config) (identity.PubKey, error) {
	nc, err := cfg.dial(ctx, hostPort)
	if err != nil {
		return identity.PubKey{}, err
	}
	defer nc.Close()
	return askWithin(ctx, nc, cfg.time())
}

func (c Config) dial(ctx context.Context, hostPort string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if c.Dial != nil {
		return c.Dial(ctx, hostPort)
	}
	d := mark.Dialer() // a VPN over the mesh must not carry it
	return d.DialContext(ctx, "tcp", hostPort)
}
