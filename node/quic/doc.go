// Package quic carries links over UDP: a QUIC connection with one stream is one ordered, reliable pipe of bytes.
//
//	s := quic.New(quic.Config{})
//	ln, err := s.Listen(ctx, "0.0.0.0:5000")   // opens the UDP port; everything below goes over it
//	nc, err := s.Dial(ctx, "quic:192.0.2.7:5000")
//	seen, err := s.Observed(ctx, "192.0.2.1:5998")
//	nc, err = s.Punch(ctx, nonce, addrs, true)
//
// The certificate is thrown away with the socket and proves nothing: who is there is settled by the handshake of package
// secure inside, which takes the connection's TLS exporter into its prologue (Binding), so that nobody in the middle can join two
// connections. QUIC answers everybody; before it does anything for a stranger, he has proved his address (RFC 9000 section
// 8.1.2) and passed a secure.Guard.
//
// # Beside QUIC
//
// On the same port there are datagrams whose first byte begins with two zero bits, so that they are none of QUIC's (RFC 9443):
//
//	ask     "\x01skyseen" ‖ nonce[16] ‖ zero[40]                         64 bytes
//	answer  "\x02skyseen" ‖ nonce[16] ‖ masked address[16] ‖ port:u16    42 bytes
//	punch   "\x03skypunc" ‖ nonce[16]                                    24 bytes
//	hit     "\x04skypunc" ‖ nonce[16]                                    24 bytes
//
// An answer tells from which address and port a question came, IPv4 as ::ffff:a.b.c.d, masked by exclusive or with the nonce, since
// some routers rewrite addresses that they find in packets (RFC 8489 section 14.2). It is shorter than the question, and rate-limited.
// A punch opens a way through a NAT to those to whom it is sent; who knows its nonce answers with a hit. Other datagrams are dropped.
package quic
