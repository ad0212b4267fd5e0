package websocket

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	ws "github.com/coder/websocket"

	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/secure"
)

// Scheme begins the addresses of this carrier: wss://HOST:PORT/PATH.
const Scheme = "wss://"

const (
	connectTimeout = 5 * time.Second // of each step: the proxy, TLS, the answer
	maxAnswer      = 8 << 10         // of headers, in bytes
)

// Config is what the carrier is told.
type Config struct {
	Proxy *url.URL      // http, https or socks5; nil: what the environment says (HTTPS_PROXY, NO_PROXY)
	Cert  string        // file in PEM, with Key, for who listens; "": made and thrown away
	Key   string        // file in PEM
	Guard *secure.Guard // of strangers, before TLS; nil: a guard of its own
}

// Carrier implements link.Carrier.
type Carrier struct {
	cfg       Config
	transport *http.Transport
}

// New makes the carrier, and opens nothing.
func New(cfg Config) *Carrier {
	if cfg.Guard == nil {
		cfg.Guard = secure.NewGuard(secure.GuardConfig{})
	}
	proxy := http.ProxyFromEnvironment
	if cfg.Proxy != nil {
		proxy = http.ProxyURL(cfg.Proxy)
	}
	return &Carrier{cfg: cfg, transport: &http.Transport{
		Proxy:       proxy,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return link.TCP{}.Dial(ctx, addr) },
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"},
			InsecureSkipVerify: true, // the handshake inside says who is there
		},
		TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: connectTimeout, MaxResponseHeaderBytes: maxAnswer,
	}}
}

// Name implements link.Carrier.
func (*Carrier) Name() string { return "websocket" }

// place is the address of a dialed connection: the URL, since what TCP is connected to may be a proxy.
type place string

func (place) Network() string  { return "websocket" }
func (p place) String() string { return string(p) }

// Dial implements link.Carrier: addr is wss://HOST:PORT/PATH.
func (c *Carrier) Dial(ctx context.Context, addr string) (net.Conn, error) {
	if !strings.HasPrefix(addr, Scheme) {
		return nil, fmt.Errorf("websocket: address %.100q: want %sHOST:PORT/PATH", addr, Scheme)
	}
	var local net.Addr
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { local = i.Conn.LocalAddr() }})
	w, answer, err := ws.Dial(ctx, addr, &ws.DialOptions{HTTPClient: &http.Client{Transport: c.transport}, CompressionMode: ws.CompressionDisabled})
	c.transport.CloseIdleConnections()
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	binding, check := bindings(answer.TLS)
	first := []byte{bound}
	if check == "" || answer.Header.Get(bindingHeader) != check {
		binding, first[0] = nil, unbound
	}
	if err := w.Write(ctx, ws.MessageBinary, first); err != nil {
		w.CloseNow()
		return nil, fmt.Errorf("websocket: %w", err)
	}
	return newConn(w, local, place(addr), binding), nil
}
