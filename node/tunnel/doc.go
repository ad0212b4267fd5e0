// Package tunnel moves packets between a TUN and the datagrams of sessions. It is what a VPN does once its ends have agreed.
//
//	TUN ── Outbound ──► whose prefix? ──► frames that wait, together ──► Config.Send
//	TUN ◄── Write ── Rules ── source? ── Inbound ◄── Receive(datagram)
//
// A datagram holds frames of package packet. One goroutine reads the TUN and sends: a packet meets no queue and no other goroutine
// here. Packets that wait for the same peer share a datagram, up to a limit; none waits for another to come.
//
// A peer may send from its prefixes only, the same for which packets go to it, and to the destinations that the Rules
// welcome; everything else is dropped and counted. So a peer cannot take another's address, nor use a client as a router.
package tunnel
