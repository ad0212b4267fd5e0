package vpn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// Times of the page's server.
const (
	pageTimeout = 5 * time.Second
	pageGrace   = time.Second
	maxPageHead = 8 << 10 // bytes
)

// PageConfig tells a Page what it shows.
type PageConfig struct {
	Listen string // HOST:PORT on loopback
	Name   string
	Client *Client
	// PeerUID tells who is at the other end of a connection; others than our own user get nothing.
	PeerUID func(net.Conn) (int, error)
	Log     *slog.Logger
}

// Page is the status of a client as a web page on loopback:
//
//	GET  /             for people
//	GET  /status       Status as JSON
//	GET  /stats        Stats as JSON
//	POST /reconnect    tries and probes now; 204
//
// It answers to its own address as Host only, so that no name of somebody's leads to it, and to no other page's Origin.
type Page struct {
	cfg PageConfig
	ln  net.Listener
}

// NewPage opens the port; Run serves.
func NewPage(cfg PageConfig) (*Page, error) {
	host, _, err := net.SplitHostPort(cfg.Listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("status page at %q: want a loopback address and a port", cfg.Listen)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("status page: %w", err)
	}
	return &Page{cfg: cfg, ln: ln}, nil
}

// Addr is where it listens.
func (p *Page) Addr() string { return p.ln.Addr().String() }

// Close closes the port of a Page that does not run.
func (p *Page) Close() error { return p.ln.Close() }

// Run serves until ctx ends; nil then.
func (p *Page) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.people)
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, p.cfg.Client.Status(), nil) })
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		stats, err := p.cfg.Client.Stats()
		writeJSON(w, stats, err)
	})
	mux.HandleFunc("POST /reconnect", func(w http.ResponseWriter, _ *http.Request) {
		p.cfg.Client.Kick()
		w.WriteHeader(http.StatusNoContent)
	})
	s := &http.Server{
		Handler: p.guard(mux), ReadTimeout: pageTimeout, WriteTimeout: pageTimeout, MaxHeaderBytes: maxPageHead,
		ErrorLog: slog.NewLogLogger(p.cfg.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), pageGrace)
		defer cancel()
		if s.Shutdown(grace) != nil {
			s.Close()
		}
	})
	err := s.Serve(ours{p.ln, p.cfg.PeerUID})
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("status page: %w", err)
}

// ours are the connections of our own user.
type ours struct {
	net.Listener
	uid func(net.Conn) (int, error)
}

// Accept implements net.Listener.
func (o ours) Accept() (net.Conn, error) {
	for {
		nc, err := o.Listener.Accept()
		if err != nil || o.uid == nil {
			return nc, err
		}
		if uid, err := o.uid(nc); err == nil && uid == os.Getuid() {
			return nc, nil
		}
		nc.Close()
	}
}

// guard keeps other pages of the browser out.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if r.Host != p.Addr() || origin != "" && origin != "http://"+p.Addr() {
			http.Error(w, "not here", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the browser went
}

// pageText is the page for people; it loads itself anew.
const pageText = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>VPN {{.Name}}: {{.Status.State}}</title>
<style>body{font:16px/1.5 sans-serif;margin:2em;max-width:40em}td{padding:0 2em 0 0;vertical-align:top}</style></head><body>
<h1>{{.Name}}: {{.Status.State}}</h1>
<table>
<tr><td>exit<td>{{.Status.Exit}}
{{with .Status.Terms}}<tr><td>routes<td>{{.}}
{{end}}<tr><td>addresses<td>{{range .Status.Addrs}}{{.}} {{end}}
<tr><td>resolvers<td>{{range .Status.DNS}}{{.}} {{end}}
<tr><td>round trip<td>{{.Status.RTT}}
<tr><td>sent<td>{{.Stats.Sent.Bytes}} bytes, {{printf "%.0f" .Stats.SentRate}} a second
<tr><td>received<td>{{.Stats.Received.Bytes}} bytes, {{printf "%.0f" .Stats.RecvRate}} a second
<tr><td>reconnects<td>{{.Status.Reconnects}}
{{with .Status.Trouble}}<tr><td>trouble<td>{{.}}{{end}}
</table>
<form method="post" action="/reconnect"><button>try now</button></form>
</body></html>
`

func (p *Page) people(w http.ResponseWriter, _ *http.Request) {
	t, err := template.New("status").Parse(pageText)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	stats, _ := p.cfg.Client.Stats() // without the node there are none
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = t.Execute(w, struct {
		Name   string
		Status Status
		Stats  Stats
	}{p.cfg.Name, p.cfg.Client.Status(), stats})
}
