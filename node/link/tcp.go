package link

import (
	"context"
	"net"
	"time"
)

// Carrier is a kind of connection that links run over: ordered, reliable, bidirectional.
type Carrier interface {
	// Name is what people see: "tcp".
	Name() string
	// Dial connects to HOST:PORT.
	Dial(ctx context.Context, hostport string) (net.Conn, error)
	// Listen accepts connections on HOST:PORT.
	Listen(ctx context.Context, hostport string) (net.Listener, error)
}

// TCP is the carrier of choice: the kernel repairs loss on each hop.
type TCP struct{}

// Socket options of a TCP link.
const (
	notSentLowat = 128 << 10 // bytes the kernel may hold unsent: keeps a ping beside bulk under 1 ms
	userTimeout  = 20 * time.Second
)

// Name implements Carrier.
func (TCP) Name() string { return "tcp" }

// Dial implements Carrier.
func (TCP) Dial(ctx context.Context, hostport string) (net.Conn, error) {
	d := net.Dialer{Control: control}
	return d.DialContext(ctx, "tcp", hostport)
}

// Listen implements Carrier.
func (TCP) Listen(ctx context.Context, hostport string) (net.Listener, error) {
	lc := net.ListenConfig{Control: control}
	return lc.Listen(ctx, "tcp", hostport)
}
