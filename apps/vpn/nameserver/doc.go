// Package nameserver answers the DNS questions of a VPN's clients by passing them to the resolvers of the exit's host.
// It listens on the exit's addresses in the tunnel alone, over UDP and TCP (RFC 1035, RFC 7766), and knows nothing
// itself: no cache, no zones.
//
//	s, err := nameserver.Listen(ctx, nameserver.Config{Addrs: tunnelAddrs, Dev: "vpn0", From: subnets})
//	err = s.Run(ctx)
//
// It is no open resolver: questions from elsewhere than From are dropped, and the sockets are bound to Dev. A question
// is passed on under a new random ID from a new port; an answer counts if both and the question are the same.
package nameserver

import "time"

// Bounds, and what happens at them.
const (
	maxQuery       = 4096 // bytes of a question over UDP; longer ones are dropped
	maxDatagram    = 4096 // of an answer over UDP; for longer ones the client is sent to TCP
	maxAnswer      = 65535
	maxBusy        = 512 // questions under way, of all clients; further ones are dropped, as a network drops packets
	maxBusyClient  = 64  // of one client
	maxConns       = 128 // TCP connections; further ones are closed at once
	maxConnsClient = 8
	maxUpstreams   = 3

	tryTime  = 2 * time.Second  // for one resolver; then the next one is asked
	idleTime = 10 * time.Second // of a TCP connection
)

// Port is where name servers listen.
const Port = 53
