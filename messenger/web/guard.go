package web

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// policy of the page: everything from here, nothing inline, no text becomes code.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// sessionKey finds the session of a request in its context.
type sessionKey struct{}

// guard lets through what our page in our browser asks; see the package comment.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.SetReadDeadline(time.Now().Add(s.timeout.body)) // always can
		_ = rc.SetWriteDeadline(time.Now().Add(s.timeout.body))
		if !s.fromHere(r) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		harden(w.Header())
		if token, ok := strings.CutPrefix(r.URL.Path, "/start/"); ok && r.Method == http.MethodGet {
			s.start(w, r, token)
			return
		}
		k, ok := s.doors.session(r)
		if !ok {
			w.Header().Set("Connection", "close")
			turnAway(w, r, "This page opens with a link that works once: ask the program for one with `tell ID web`.")
			return
		}
		if r.ContentLength > MaxPiece {
			w.Header().Set("Connection", "close")
			fail(w, http.StatusRequestEntityTooLarge, "too long")
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, k)))
	})
}

// fromHere: the request was made for us by name, and not by another page.
func (s *Server) fromHere(r *http.Request) bool {
	if r.Host != s.host {
		return false
	}
	origin := r.Header.Values("Origin")
	if len(origin) > 1 || len(origin) == 1 && origin[0] != "http://"+s.host {
		return false
	}
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !reading && len(origin) == 0 {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin":
		return true
	case "none": // typed, or opened by another program
		return reading && !strings.HasPrefix(r.URL.Path, "/api/")
	}
	return false
}

func harden(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
}

// turnAway answers a browser without a session: with words where a person opened an address, as the API answers otherwise.
func turnAway(w http.ResponseWriter, r *http.Request, text string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		fail(w, http.StatusUnauthorized, text)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, text+"\n")
}

// start begins a session, if the token is good. The address with the token does not stay in the browser's bar.
func (s *Server) start(w http.ResponseWriter, r *http.Request, token string) {
	secret, ok := s.doors.enter(token)
	if !ok {
		if _, ok := s.doors.session(r); !ok { // opened twice by the same browser
			turnAway(w, r, "This link has been used or has run out: ask the program for another one with `tell ID web`.")
			return
		}
	} else {
		http.SetCookie(w, cookie(secret))
	}
	w.Header().Set("Location", "/")
	w.WriteHeader(http.StatusSeeOther)
}
