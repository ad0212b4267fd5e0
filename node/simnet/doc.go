// Package simnet is a network in memory, for tests: hosts with addresses, paths between them with latency, jitter,
// bandwidth, loss and reordering, partitions and cuts, and NAT. It gives a net.Conn, net.Listener and net.PacketConn that
// behave as the kernel's do; a Host is a link.Carrier as it stands.
//
//	synctest.Test(t, func(t *testing.T) {
//		n := simnet.New(seed)
//		a, b := n.Host("10.0.1.1"), n.Host("10.0.2.1", "fd00::2")
//		n.SetPath(a, b, simnet.Path{Latency: 20 * time.Millisecond, Bandwidth: 10 << 20, Loss: 0.001})
//		ln, err := b.Listen(ctx, "10.0.2.1:5000")
//		conn, err := a.Dial(ctx, "10.0.2.1:5000")
//		n.Partition(a, b) // silence
//		n.Heal(a, b)
//		n.Cut(a, b) // connections are reset
//	})
//
// It uses channels, conditions and timers only, no system call and no time but package time's, so that it runs
// under the virtual time of testing/synctest as well as in real time. Two warnings for such bubbles: make the Network inside,
// and hold no sync.Mutex while writing to a Conn whose far end may be slow: a goroutine that waits for a mutex keeps the
// bubble's clock from moving on.
//
// # What is modelled
//
// A stream is TCP as its users see it: setup takes a round trip; bytes arrive in order after latency and, on a path
// with a bandwidth, in their turn; a lost segment costs a round trip, and what is behind it waits; at most
// Network.Buffer bytes lie between a writer and the far reader; FIN, RST, refused and unanswered dials. Congestion control
// is not modelled: a loss delays, but does not shrink a window.
//
// A datagram arrives once or never, in order unless Path.Reorder says otherwise.
//
// # Determinism
//
// What happens to the nth packet of a path follows from the seed alone. Which packet is the nth is up to the goroutines that
// send; inside a bubble those that become runnable at the same instant still run in any order.
package simnet
