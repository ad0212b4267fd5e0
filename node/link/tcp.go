package link

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/skycoin/viscript/node/mark"
)

// Carrier is a kind of connection that links run over: ordered, reliable, bidirectional. Its connections
// have working deadlines, and Close wakes what blocks in them. Addresses in the form IP:PORT let the guard count strangers
// by their network. A connection that is a descriptor (syscall.Conn) is written without going through the queues while it has room.
//
// A carrier may be a [Watcher]. Links ask nothing else of the system or of real time, so a network in
// memory under testing/synctest is a carrier like any other.
type Carrier interface {
	// Name is what people see: "tcp".
	Name() string
	// Dial connects to HOST:PORT.
	Dial(ctx context.Context, hostport string) (net.Conn, error)
	// Listen accepts connections on HOST:PORT.
	Listen(ctx context.Context, hostport string) (net.Listener, error)
}

// Watcher is a Carrier that notices when this host changes its place in the network, or wakes from sleep.
type Watcher interface {
	// Watch calls moved after each such change, one call at a time, until ctx ends. here are this host's addresses
	// now; nil: unknown.
	Watch(ctx context.Context, moved func(here []netip.Addr)) error
}

// TCP is the carrier of choice: the kernel repairs loss on each hop.
type TCP struct{}

// Socket options of a TCP link.
const (
	notSentLowat = 128 << 10 // bytes the kernel may hold unsent: keeps a ping beside bulk under 1 ms
	userTimeout  = 20 * time.Second
)

// noKeepAlive turns TCP's own probes off: links ping.
const noKeepAlive = -1

// Name implements Carrier.
func (TCP) Name() string { return "tcp" }

// Dial implements Carrier.
func (TCP) Dial(ctx context.Context, hostport string) (net.Conn, error) {
	d := mark.Dialer()
	d.Control, d.KeepAlive = control, noKeepAlive // control marks too
	return d.DialContext(ctx, "tcp", hostport)
}

// Listen implements Carrier.
func (TCP) Listen(ctx context.Context, hostport string) (net.Listener, error) {
	lc := net.ListenConfig{Control: control, KeepAlive: noKeepAlive}
	return lc.Listen(ctx, "tcp", hostport)
}
