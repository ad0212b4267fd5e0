// Package demopage is a small web server on loopback for trying a mesh on a machine without
// internet: something to fetch through a SOCKS exit, and a way to check what arrived.
//
//	GET      /            a page
//	GET HEAD /bytes/N     N bytes, the same ones every time; ranges are served
//	GET      /sha256/N    "HEX N\n": the SHA-256 of those bytes
//	PUT POST /sha256      "HEX N\n": the SHA-256 and length of what was sent
//
// It holds nothing secret and listens on loopback only.
package demopage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/netutil"
)

// Limits.
const (
	// MaxBytes is the longest download and upload, in bytes.
	MaxBytes = 64 << 30

	maxConns      = 1024             // beyond it connections wait in the kernel's backlog
	maxHashing    = 2                // requests that hash for /sha256/N at once; the others wait
	maxHeader     = 16 << 10         // bytes
	headerTimeout = 10 * time.Second // from accept to the end of the header
	stallTimeout  = 60 * time.Second // without a byte moving, either way; also between requests
	stopTimeout   = 2 * time.Second  // for requests in progress at the end
)

// Config says where the page is served.
type Config struct {
	Listen string       // HOST:PORT on loopback; port 0 picks one
	Log    *slog.Logger // nil: none
}

// Page is the server. Run is called once.
type Page struct {
	ln      net.Listener
	http    *http.Server
	hashing chan struct{} // a token per request that hashes
}

// New takes the listening address; connections wait in the kernel until Run. Who does not
// call Run calls Close.
func New(cfg Config) (*Page, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("demopage: listening on %s: %w", cfg.Listen, err)
	}
	if !ln.Addr().(*net.TCPAddr).IP.IsLoopback() {
		ln.Close()
		return nil, fmt.Errorf("demopage: listening on %s: the demo page is for loopback only, use 127.0.0.1 or [::1]", cfg.Listen)
	}
	p := &Page{ln: netutil.LimitListener(ln, maxConns), hashing: make(chan struct{}, maxHashing)}
	p.http = &http.Server{
		Handler:           p.routes(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       stallTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slogPrinter(cfg.Log.With("part", "demopage")),
	}
	return p, nil
}

// slogPrinter passes what net/http has to say on, as debug: peers can trigger it.
func slogPrinter(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }

// Addr returns the address we listen on.
func (p *Page) Addr() net.Addr { return p.ln.Addr() }

// Close gives the listening address back and ends all requests.
func (p *Page) Close() error { return errors.Join(p.http.Close(), ignoreClosed(p.ln.Close())) }

// Run serves until ctx ends (nil) or the listener breaks. Requests in progress then get two
// seconds.
func (p *Page) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- p.http.Serve(p.ln) }()
	select {
	case err := <-done:
		return fmt.Errorf("demopage: serving: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if p.http.Shutdown(grace) != nil {
		p.http.Close()
	}
	<-done
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Page) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.index)
	mux.HandleFunc("GET /bytes/{n}", p.bytes)
	mux.HandleFunc("GET /sha256/{n}", p.sum)
	mux.HandleFunc("PUT /sha256", p.check)
	mux.HandleFunc("POST /sha256", p.check)
	return mux
}

const indexHTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Viscript demo page</title>
<style>
body { font: 1.1em/1.5 sans-serif; max-width: 40em; margin: 3em auto; padding: 0 1em; color: #222; background: #fafafa }
code { background: #eee; padding: 0 .3em }
</style>
<h1>This page came over the mesh</h1>
<p>It was served on the loopback address of the exit and carried, encrypted end to end, through the nodes in between.</p>
<ul>
<li><code>GET /bytes/N</code>: N bytes, the same ones every time
<li><code>GET /sha256/N</code>: the SHA-256 of those bytes
<li><code>PUT /sha256</code>: the SHA-256 and length of what you send
</ul>
</html>
`

func (p *Page) index(w http.ResponseWriter, _ *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(stallTimeout))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = io.WriteString(w, indexHTML)
}

// length reads the N of a path; on a wrong one it answers and returns false.
func length(w http.ResponseWriter, r *http.Request) (int64, bool) {
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 63)
	if err != nil || n > MaxBytes {
		http.Error(w, fmt.Sprintf("the length must be a number from 0 to %d", int64(MaxBytes)), http.StatusBadRequest)
		return 0, false
	}
	return int64(n), true
}

// bytes sends the first N bytes of the sequence, or the ranges asked for.
func (p *Page) bytes(w http.ResponseWriter, r *http.Request) {
	n, ok := length(w, r)
	if !ok {
		return
	}
	control := http.NewResponseController(w)
	body := newSequence(n)
	body.before = func() { _ = control.SetWriteDeadline(time.Now().Add(stallTimeout)) }
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", fmt.Sprintf(`"sequence-%d"`, n))
	http.ServeContent(w, r, "", time.Time{}, body)
}

// sum answers with the SHA-256 of the first N bytes of the sequence.
func (p *Page) sum(w http.ResponseWriter, r *http.Request) {
	n, ok := length(w, r)
	if !ok {
		return
	}
	select {
	case p.hashing <- struct{}{}:
		defer func() { <-p.hashing }()
	case <-r.Context().Done():
		return
	}
	body, h := newSequence(n), sha256.New()
	body.ended = r.Context().Err
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{body}, make([]byte, 64<<10)); err != nil {
		return // whoever asked is gone
	}
	answer(w, h.Sum(nil), n)
}

// check answers with the SHA-256 and the length of the body.
func (p *Page) check(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	body := http.MaxBytesReader(w, r.Body, MaxBytes)
	h, b, n := sha256.New(), make([]byte, 64<<10), int64(0)
	for {
		_ = control.SetReadDeadline(time.Now().Add(stallTimeout))
		got, err := body.Read(b)
		h.Write(b[:got])
		n += int64(got)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			http.Error(w, "the body broke off or is too long", http.StatusBadRequest)
			return
		}
	}
	answer(w, h.Sum(nil), n)
}

func answer(w http.ResponseWriter, sum []byte, n int64) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(stallTimeout))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%x %d\n", sum, n)
}
