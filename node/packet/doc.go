// Package packet is what a VPN carries: IP packets, each behind the header by which a Linux TUN says what is left to
// do on it (checksum, segmentation). It normalises what comes from our own TUN and checks what comes from a peer, who may lie.
//
// A frame is
//
//	flags:u8 kind:u8 head:u16 size:u16 start:u16 offset:u16 │ IP packet
//
// The ten bytes are struct virtio_net_hdr (Virtual I/O Device 1.2, section 5.1.6), little-endian as there, so that frames
// go from one TUN to another without being copied. The packet tells its own length; frames follow each other in a datagram
// without anything between them, and nothing follows the last one.
//
// A normalised header says no more than the packet bears out:
//
//	plain     ten zero bytes
//	checksum  flags 1, start where TCP or UDP begins, offset of the checksum there (16 or 6): it is left to the receiver
//	segments  the same and kind 1 (TCP over IPv4), 4 (TCP over IPv6) or 5 (UDP), head the length of all headers, size that of a segment's data
//
// Anything else from a peer is refused, and so is what the receiver's TUN has not offered to take ([Offload]).
package packet
