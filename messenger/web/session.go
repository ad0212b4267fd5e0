package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

// Limits of sessions.
const (
	TokenLife   = 15 * time.Minute   // of a link that nobody uses
	SessionIdle = 7 * 24 * time.Hour // without a request
	maxSessions = 16                 // the one that was used the longest ago gives way
	secretLen   = 32                 // bytes
	cookieName  = "chat"
)

// digest is the SHA-256 of a secret, which is not kept itself.
type digest [sha256.Size]byte

func newSecret() string {
	var b [secretLen]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// doors are the ways in: one token at a time, and the sessions that came of those before.
type doors struct {
	now  func() time.Time
	used func()

	mu       sync.Mutex // guards the following
	token    string     // "" if there is none
	runsOut  time.Time
	timer    *time.Timer          // calls used when the token runs out
	sessions map[digest]time.Time // when each was used last
}

func newDoors(now func() time.Time, used func()) *doors {
	d := &doors{now: now, used: used, sessions: map[digest]time.Time{}}
	d.newToken()
	return d
}

// newToken makes a token; the one before is worth nothing then.
func (d *doors) newToken() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopTimer()
	d.token, d.runsOut = newSecret(), d.now().Add(TokenLife)
	d.timer = time.AfterFunc(TokenLife, d.used)
	return d.token
}

func (d *doors) stopTimer() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

func (d *doors) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopTimer()
	d.token = ""
	clear(d.sessions)
}

// waiting is the token that can be used.
func (d *doors) waiting() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.now().Before(d.runsOut) {
		d.token = ""
	}
	return d.token
}

// enter takes a token and begins a session; ok is false for one that is not good, or not any more.
func (d *doors) enter(token string) (secret string, ok bool) {
	if d.waiting() == "" {
		return "", false
	}
	d.mu.Lock()
	if subtle.ConstantTimeCompare([]byte(token), []byte(d.token)) != 1 {
		d.mu.Unlock()
		return "", false
	}
	d.token = ""
	d.stopTimer()
	d.makeRoom()
	secret = newSecret()
	d.sessions[sha256.Sum256([]byte(secret))] = d.now()
	d.mu.Unlock()
	d.used()
	return secret, true
}

// makeRoom drops sessions that were not used, and one that was if there are too many. The caller holds mu.
func (d *doors) makeRoom() {
	var oldest digest
	for k, t := range d.sessions {
		if d.now().Sub(t) >= SessionIdle {
			delete(d.sessions, k)
		} else if o, ok := d.sessions[oldest]; !ok || t.Before(o) {
			oldest = k
		}
	}
	if len(d.sessions) >= maxSessions {
		delete(d.sessions, oldest)
	}
}

// session finds the session of a request. Other servers on this machine may set cookies of that name: any that is good will do.
func (d *doors) session(r *http.Request) (k digest, ok bool) {
	for _, c := range r.CookiesNamed(cookieName) {
		if k = sha256.Sum256([]byte(c.Value)); d.touch(k) {
			return k, true
		}
	}
	return digest{}, false
}

func (d *doors) touch(k digest) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.sessions[k]
	if !ok || d.now().Sub(t) >= SessionIdle {
		delete(d.sessions, k)
		return false
	}
	d.sessions[k] = d.now()
	return true
}

// valid reports whether the session still is.
func (d *doors) valid(k digest) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.sessions[k]
	return ok
}

func (d *doors) leave(k digest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, k)
}

// cookie is what a browser gets. It is not Secure: some browsers do not send such a cookie to localhost without TLS. It lasts as long as
// the browser.
func cookie(secret string) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

func goneCookie() *http.Cookie {
	c := cookie("")
	c.MaxAge = -1
	return c
}
