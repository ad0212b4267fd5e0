package secure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Limits of a Config, in bytes.
const (
	maxKind    = 32
	maxNetwork = 255
	maxBinding = 1 << 10
)

// Kind says what the two ends will speak; ends of different kinds refuse each other.
type Kind string

// The kinds. Append-only.
const (
	KindLink      Kind = "link"      // neighbours
	KindSession   Kind = "session"   // end to end, over a route
	KindControl   Kind = "control"   // node and node manager
	KindTracker   Kind = "tracker"   // app tracker
	KindMessenger Kind = "messenger" // relay and discovery
	KindMailbox   Kind = "mailbox"   // mailboxes of people
)

// Config is what both ends of a handshake must agree on, and who we are.
type Config struct {
	Local   *identity.Key // required
	Kind    Kind          // required, at most 32 bytes
	Network string        // of the mesh; empty unless the user names one, at most 255 bytes
	Binding []byte        // of the carrier (a TLS exporter value), at most 1 KiB; nil: the connection's own, if it is Bound
	// Dial is how DialService connects to HOST:PORT; nil: TCP. It is no part of the handshake.
	Dial func(ctx context.Context, hostport string) (net.Conn, error)

	limit time.Duration // of a handshake; 0: handshakeTime
}

// time is how long a whole handshake may take, all messages together.
func (c Config) time() time.Duration {
	if c.limit > 0 {
		return c.limit
	}
	return handshakeTime
}

// Bound is a connection inside another secure one: a value that only its two ends know goes into the prologue.
type Bound interface {
	Binding() []byte
}

// boundTo takes the binding of nc.
func (c Config) boundTo(nc net.Conn) Config {
	if b, ok := nc.(Bound); ok && c.Binding == nil {
		c.Binding = b.Binding()
	}
	return c
}

func (c Config) check() error {
	switch {
	case c.Local == nil:
		return errors.New("secure: config without a local key")
	case c.Kind == "" || len(c.Kind) > maxKind:
		return fmt.Errorf("secure: kind %q: want 1 to %d bytes", c.Kind, maxKind)
	case len(c.Network) > maxNetwork:
		return fmt.Errorf("secure: network id of %d bytes: want at most %d", len(c.Network), maxNetwork)
	case len(c.Binding) > maxBinding:
		return fmt.Errorf("secure: binding of %d bytes: want at most %d", len(c.Binding), maxBinding)
	}
	return nil
}

// prologue is what both ends mix in before message 1.
func (c Config) prologue() []byte {
	b := wire.AppendString(nil, "skymesh/1")
	b = wire.AppendString(b, string(c.Kind))
	b = wire.AppendString(b, c.Network)
	return wire.AppendBytes(b, c.Binding)
}
