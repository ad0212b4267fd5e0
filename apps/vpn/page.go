package vpn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/skycoin/viscript/node/tunnel"
)

// Times of the page's server.
const (
	pageTimeout = 20 * time.Second // of a request, and of its answer: also on a machine that has no time for it
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

func (p *Page) people(w http.ResponseWriter, _ *http.Request) {
	stats, _ := p.cfg.Client.Stats() // without the node there are none
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, pageText(p.cfg.Name, p.cfg.Client.Status(), stats)) // the browser went
}

// pageText is the page for people; it loads itself anew. No template makes it: a program that can run one calls methods by
// name, and the linker then keeps every exported method of every type in it, here 5 MB.
func pageText(name string, st Status, stats Stats) string {
	var b strings.Builder
	row := func(what, text string) {
		b.WriteString("<tr><td>" + what + "<td>" + html.EscapeString(text) + "\n")
	}
	moved := func(t tunnel.Traffic, rate float64) string {
		return fmt.Sprintf("%d bytes, %.0f a second", t.Bytes, rate)
	}
	title := html.EscapeString(name + ": " + string(st.State))
	b.WriteString(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>VPN ` + title + `</title>
<style>body{font:16px/1.5 sans-serif;margin:2em;max-width:40em}td{padding:0 2em 0 0;vertical-align:top}</style></head><body>
<h1>` + title + `</h1>
<table>
`)
	row("exit", st.Exit)
	if st.Terms != "" {
		row("routes", st.Terms)
	}
	row("addresses", strings.Join(st.Addrs, " "))
	row("resolvers", strings.Join(st.DNS, " "))
	row("round trip", st.RTT.String())
	row("sent", moved(stats.Sent, stats.SentRate))
	row("received", moved(stats.Received, stats.RecvRate))
	row("reconnects", strconv.Itoa(st.Reconnects))
	if st.Trouble != "" {
		row("trouble", st.Trouble)
	}
	b.WriteString(`</table>
<form method="post" action="/reconnect"><button>try now</button></form>
</body></html>
`)
	return b.String()
}
