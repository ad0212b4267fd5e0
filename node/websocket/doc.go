// Package websocket carries links through networks that let nothing but web traffic out: a WebSocket (RFC 6455) over TLS, dialed
// through an HTTP proxy (CONNECT) where there is one.
//
//	c := websocket.New(websocket.Config{})
//	nc, err := c.Dial(ctx, "wss://192.0.2.7:443/skymesh")
//	ln, err := c.Listen(ctx, "0.0.0.0:443/skymesh")
//
// Each write is one binary message; reading does not see where messages begin. The certificate is not looked at: the handshake of
// package secure inside settles who is there, so the server's own throw-away certificate does.
//
// # Binding
//
// The handshake inside takes the connection's TLS exporter into its prologue, unless somebody in the middle ends TLS (a reverse proxy,
// a company's inspection), where the two ends have different ones. The server's answer has the header
//
//	Skymesh-Binding: hex(exporter "EXPORTER-skymesh-check"[32])
//
// and the client's first message is one byte: 1 if that is its own value, and both ends bind; 0 if it is not, and neither does.
package websocket
