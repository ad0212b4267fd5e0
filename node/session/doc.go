// Package session carries streams between two nodes, encrypted from end to end over a route.
//
// # Handshake
//
// The end that asked for the route sends the messages of package secure (Kind "session") as records
// of type Handshake, one message a record. The responder checks that message 3 came from the key the
// route was laid for, and confirms with a PING; nothing is sent on streams before that.
//
// From each direction's transport key two keys are derived by HKDF-SHA256 (RFC 5869, expand only): info
// "data" and "control".
//
// # Records
//
//	Data, Control: seq:u64 │ AEAD(frames)        nonce = seq, no additional data
//
// seq counts from 0 for each type and direction. A Data record that is not the next one, or does not
// open, ends the session.
//
// # Frames, big-endian
//
//	in Data records
//	  OPEN   1  sid:u32 port:u16 credit:u32 len:u16 target     a new stream; the initiator's ids are odd
//	  OPENED 2  sid:u32 credit:u32                              the far app confirmed it
//	  DATA   3  sid:u32 len:u16 bytes
//	  FIN    4  sid:u32                                         the sender has no more
//	in Control records
//	  ACK    16 records:u64 bytes:u64                           Data records and sealed bytes received so far
//	  CREDIT 17 sid:u32 offset:u64                              bytes of the stream that may be sent, counted from its start
//	  PING   18 opaque:u64     PONG 19 opaque:u64
//	  RESET  20 sid:u32 code:u16                                the stream is over, both ways
//
// An unknown frame, a frame that is cut short, or data beyond a stream's credit ends the session. Frames for a stream that is
// gone are ignored, since they may have crossed its RESET.
//
// # Two windows
//
// CREDIT is granted as the app reads, so a lazy stream stops only itself. The session's window bounds the
// bytes in flight, freed when the far session receives, so that relays stay bounded whatever the apps do.
package session
