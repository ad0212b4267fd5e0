package socks

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Limits of the head of a CONNECT request, in bytes and lines.
const (
	maxHead      = 8 << 10
	maxHeadLines = 100
	maxMethod    = 16
)

// connectHead is a CONNECT request of HTTP (RFC 9110 section 9.3.6).
type connectHead struct {
	target Target
	user   []byte // of Basic authentication; nil: none given
	pass   []byte
}

// parseConnect reads a CONNECT request's head at the front of b, n being its length with the empty line. Lines must end with
// CR LF. Errors: errShort, Malformed.
func parseConnect(b []byte) (h connectHead, n int, err error) {
	end := bytes.Index(b[:min(len(b), maxHead)], []byte("\r\n\r\n"))
	if end < 0 && len(b) >= maxHead {
		return h, 0, because(Malformed, "a head of more than %d bytes", maxHead)
	}
	if end < 0 {
		return h, 0, errShort
	}
	n = end + 4
	lines := strings.Split(string(b[:end]), "\r\n")
	if len(lines) > maxHeadLines {
		return h, n, because(Malformed, "a head of %d lines, at most %d", len(lines), maxHeadLines)
	}
	words := strings.Split(lines[0], " ")
	if len(words) != 3 || words[0] != http.MethodConnect || words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0" {
		return h, n, because(Malformed, "request line %.64q", lines[0])
	}
	if h.target, err = ParseTarget(words[1]); err != nil {
		return h, n, err
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n\x00") || strings.ContainsAny(value, "\r\n\x00") {
			return h, n, because(Malformed, "header line %.64q", line)
		}
		if !strings.EqualFold(name, "Proxy-Authorization") {
			continue
		}
		if h.user != nil {
			return h, n, because(Malformed, "two credentials")
		}
		if h.user, h.pass, ok = parseBasic(strings.Trim(value, " \t")); !ok {
			return h, n, because(Malformed, "credentials that are not Basic")
		}
	}
	return h, n, nil
}

// parseBasic reads the credentials of RFC 7617; user is not nil when ok.
func parseBasic(s string) (user, pass []byte, ok bool) {
	scheme, token, _ := strings.Cut(s, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil, nil, false
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimLeft(token, " "))
	if err != nil {
		return nil, nil, false
	}
	user, pass, ok = bytes.Cut(text, []byte(":"))
	if !ok || len(user) > 255 || len(pass) > 255 {
		return nil, nil, false
	}
	return append(make([]byte, 0, len(user)), user...), pass, true
}

// appendConnect is the inverse of parseConnect.
func appendConnect(dst []byte, h connectHead) []byte {
	dst = fmt.Appendf(dst, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", h.target, h.target)
	if h.user != nil {
		dst = fmt.Appendf(dst, "Proxy-Authorization: Basic %s\r\n", base64.StdEncoding.EncodeToString(append(append(h.user[:len(h.user):len(h.user)], ':'), h.pass...)))
	}
	return append(dst, "\r\n"...)
}

// status is the status of HTTP that tells a program the reason.
func (r Reason) status() int {
	switch r {
	case Denied, ForeignUser:
		return http.StatusForbidden
	case BadAuth:
		return http.StatusProxyAuthRequired
	case Malformed, BadAddrType:
		return http.StatusBadRequest
	case BadCommand:
		return http.StatusNotImplemented
	case TimedOut:
		return http.StatusGatewayTimeout
	case Busy:
		return http.StatusServiceUnavailable
	case Internal:
		return http.StatusInternalServerError
	default:
		return http.StatusBadGateway
	}
}

// challenge asks for user and password.
const challenge = `Basic realm="viscript", charset="UTF-8"`

// appendRefusal appends an answer of HTTP that refuses, after which the connection ends.
func appendRefusal(dst []byte, r Reason) []byte {
	text := "socks: " + r.String() + "\n"
	dst = fmt.Appendf(dst, "HTTP/1.1 %d %s\r\n", r.status(), http.StatusText(r.status()))
	if r == BadAuth {
		dst = fmt.Appendf(dst, "Proxy-Authenticate: %s\r\n", challenge)
	}
	return fmt.Appendf(dst, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text)
}

// requestHTTP reads a CONNECT request, or finds that what comes is another one, which is left unread.
func (n *negotiation) requestHTTP(ctx context.Context) (request, error) {
	for {
		b := n.buf[n.from:n.to]
		word := b[:min(len(b), maxMethod)]
		space := bytes.IndexByte(word, ' ')
		if space > 0 && string(word[:space]) != http.MethodConnect {
			return request{cmd: cmdWeb}, nil
		}
		if space < 0 && len(word) == maxMethod {
			return request{}, silently(because(Malformed, "neither SOCKS nor HTTP"))
		}
		h, used, err := parseConnect(b)
		if space >= 0 && !errors.Is(err, errShort) {
			n.from += used
			if err == nil {
				err = n.loginHTTP(ctx, h)
			}
			return request{cmdConnect, h.target}, err
		}
		if err := n.more(); err != nil {
			return request{}, err
		}
	}
}

// loginHTTP checks the credentials of a CONNECT.
func (n *negotiation) loginHTTP(ctx context.Context, h connectHead) error {
	switch {
	case n.users == nil && n.own(""):
		return nil
	case n.users == nil:
		return because(Busy, "too many connections")
	case h.user == nil:
		return because(BadAuth, "no user and password given")
	}
	return n.login(ctx, h.user, h.pass)
}
