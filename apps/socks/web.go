package socks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

const (
	webIdle    = time.Minute // a kept connection without a request
	maxWebHead = 64 << 10
)

// web answers the requests of HTTP that name a whole URL, as a program sends them to a proxy for http:// (RFC 9112 section 3.2.2). Each
// request gets a stream of its own: connections to servers are never shared.
type web struct {
	c      *Client
	server *http.Server
	conns  chan net.Conn  // to the server
	open   sync.WaitGroup // connections that the server holds
	proxy  *httputil.ReverseProxy
}

func newWeb(c *Client) *web {
	w := &web{c: c, conns: make(chan net.Conn)}
	quiet := slog.NewLogLogger(c.log.Handler(), slog.LevelDebug)
	w.server = &http.Server{
		Handler: http.HandlerFunc(w.handle), ReadHeaderTimeout: c.cfg.Limits.negotiation, IdleTimeout: webIdle, MaxHeaderBytes: maxWebHead, ErrorLog: quiet,
		ConnState: w.count,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, webKey{}, conn)
		},
	}
	w.proxy = &httputil.ReverseProxy{
		Rewrite: rewrite, FlushInterval: -1, ErrorLog: quiet, ErrorHandler: w.failed,
		Transport: &http.Transport{DialContext: w.dial, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxWebHead},
	}
	return w
}

// webKey finds the connection of a request in its context.
type webKey struct{}

// rewrite leaves the request as it is, less what is between program and proxy.
func rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	r.Out.URL.User = nil
	r.Out.Host = "" // the URL's: RFC 9112 section 3.2.2
}

// run serves the connections that serve hands over, until ctx ends.
func (w *web) run(ctx context.Context) {
	w.server.BaseContext = func(net.Listener) context.Context { return ctx }
	stop := context.AfterFunc(ctx, func() { w.server.Close() })
	defer stop()
	_ = w.server.Serve(webListener{ctx, w}) // ends with the listener, which ends with ctx
	w.open.Wait()
}

// count notes which connections the server still holds. The first state comes before Serve returns.
func (w *web) count(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		w.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		w.open.Done()
	}
}

// webListener takes connections from serve.
type webListener struct {
	ctx context.Context
	w   *web
}

// Accept implements net.Listener.
func (l webListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.w.conns:
		return conn, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l webListener) Close() error { return nil }

// Addr implements net.Listener.
func (l webListener) Addr() net.Addr { return l.w.c.ln.Addr() }

// serve hands a connection over and waits for its end.
func (w *web) serve(ctx context.Context, n *negotiation, e *entry) error {
	_ = n.conn.SetDeadline(time.Time{})
	conn := &webConn{TCPConn: n.conn, ctx: ctx, e: e, first: append([]byte(nil), n.buf[n.from:n.to]...), done: make(chan struct{})}
	w.c.giveBack(n)
	stop := context.AfterFunc(ctx, conn.breakOff)
	defer stop()
	e.is(kindHTTP, "")
	w.c.table.establish(e)
	select {
	case w.conns <- conn:
		<-conn.done
	case <-ctx.Done():
		conn.breakOff()
	}
	return context.Cause(ctx)
}

// webConn is a program's connection with what was read of it already; it counts, and is held to its owner's rate.
type webConn struct {
	*net.TCPConn
	ctx   context.Context
	e     *entry
	first []byte // unread; of the reader
	once  sync.Once
	done  chan struct{}
}

// Read implements net.Conn.
func (c *webConn) Read(b []byte) (n int, err error) {
	up, _ := c.e.halves()
	if len(c.first) > 0 {
		n = copy(b, c.first)
		c.first = c.first[n:]
	} else {
		n, err = c.TCPConn.Read(portion(up.limit, b))
	}
	up.count.Add(uint64(n))
	if e := await(c.ctx, up.limit, n); e != nil {
		return 0, e
	}
	return n, err
}

// Write implements net.Conn.
func (c *webConn) Write(b []byte) (n int, err error) {
	_, down := c.e.halves()
	for len(b) > 0 && err == nil {
		part := portion(down.limit, b)
		if err = await(c.ctx, down.limit, len(part)); err != nil {
			break
		}
		var m int
		m, err = c.TCPConn.Write(part)
		down.count.Add(uint64(m))
		n, b = n+m, b[m:]
	}
	return n, err
}

// ReadFrom hides the one of TCPConn, which would not count.
func (c *webConn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, r)
}

// Close implements net.Conn.
func (c *webConn) Close() error {
	err := c.TCPConn.Close()
	c.once.Do(func() { close(c.done) })
	return err
}

// breakOff ends the connection with a reset.
func (c *webConn) breakOff() {
	_ = c.SetLinger(0)
	c.Close()
}

// handle answers one request.
func (w *web) handle(rw http.ResponseWriter, r *http.Request) {
	conn := r.Context().Value(webKey{}).(*webConn)
	if err := w.admit(r, conn.e); err != nil {
		w.failed(rw, r, err)
		return
	}
	text := r.URL.Host
	conn.e.is(kindHTTP, text)
	whole := false
	defer func() {
		if !whole { // an answer that broke off must not end like one that is complete
			_ = conn.SetLinger(0)
		}
	}()
	w.proxy.ServeHTTP(rw, r)
	whole = true
}

// admit checks credentials and what is asked for.
func (w *web) admit(r *http.Request, e *entry) error {
	name := ""
	if w.c.users != nil {
		user, pass, ok := parseBasic(r.Header.Get("Proxy-Authorization"))
		if !ok {
			return because(BadAuth, "no user and password given")
		}
		u := w.c.users.find(user, pass)
		if u == nil {
			sleep(r.Context(), wrongPasswordPause)
			return because(BadAuth, "wrong user or password")
		}
		name = u.Name
	}
	switch s := e.share.Load(); {
	case s != nil && s.owner != name:
		return because(BadAuth, "another user than before")
	case s == nil:
		if _, ok := w.c.table.own(e, name); !ok {
			return because(Busy, "too many connections")
		}
	}
	switch {
	case r.Method == http.MethodConnect:
		return because(BadCommand, "CONNECT behind another request")
	case r.URL.Scheme != "http" || r.URL.Host == "":
		return because(Malformed, "this is a proxy: want http://HOST/PATH or CONNECT")
	}
	return nil
}

// sleep waits, until ctx ends at most.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// dial opens the stream of one request.
func (w *web) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	target, err := ParseTarget(addr)
	if err != nil {
		return nil, err
	}
	return w.c.dialMesh(ctx, target.String(), nil)
}

// failed tells the program why there is no answer.
func (w *web) failed(rw http.ResponseWriter, _ *http.Request, err error) {
	reason := ReasonOf(err)
	if errors.Is(err, context.Canceled) {
		reason = Gone
	}
	w.c.table.refuse(reason)
	w.c.log.Debug("request refused", "err", err)
	h := rw.Header()
	if reason == BadAuth {
		h.Set("Proxy-Authenticate", challenge)
	}
	if reason == Malformed || reason == BadCommand {
		h.Set("Connection", "close")
	}
	http.Error(rw, "socks: "+reason.String()+reason.hint(), reason.status())
}
