package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nowhere is a messenger that has nothing for us and takes nothing.
type nowhere struct{}

var errNowhere = errors.New("nowhere")

func (nowhere) Put(context.Context, mailbox.Address, [][]byte) error { return errNowhere }
func (nowhere) Fetch(ctx context.Context, _ uint32) ([]mailbox.Letter, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
func (nowhere) Ack(context.Context, uint32, []mailbox.ID) error          { return errNowhere }
func (nowhere) Publish(context.Context, mailbox.Bundle) (int, error)     { return 0, errNowhere }
func (nowhere) Cards(context.Context, identity.PubKey) ([][]byte, error) { return nil, errNowhere }
func (nowhere) TakePrekey(context.Context, mailbox.Address) (key []byte, _ error) {
	return nil, errNowhere
}

// site is a server that runs, and a browser that is signed in.
type site struct {
	*Server
	t      *testing.T
	secret string
	dir    string       // for exports
	now    atomic.Int64 // seconds that have passed more than they have
	used   atomic.Int64
	uid    atomic.Int64
}

func newKey(t *testing.T) *identity.Key {
	t.Helper()
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// open starts a site; with may change the server before it runs.
func open(t *testing.T, with ...func(*Server)) *site {
	t.Helper()
	s := &site{t: t}
	s.uid.Store(int64(os.Getuid()))
	notify := atomic.Pointer[Server]{}
	secret := bytes.Repeat([]byte{7}, identity.SecKeyLen)
	key, err := identity.FromSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	e, err := chat.Open(chat.Config{Key: key, Dir: t.TempDir(), Post: nowhere{}, Notify: func(ev chat.Event) {
		if w := notify.Load(); w != nil {
			w.Notify(ev)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.dir = t.TempDir()
	s.Server, err = New(Config{
		Dir: s.dir, Export: func(w io.Writer, passphrase string, key bool) error {
			if key {
				return e.ExportDevice(w, passphrase, secret)
			}
			return e.Export(w, passphrase)
		},
		Listen: "127.0.0.1:0", Name: "ann", Engine: e, LinkUsed: func() { s.used.Add(1) },
		Now:     func() time.Time { return time.Now().Add(time.Duration(s.now.Load()) * time.Second) },
		PeerUID: func(net.Conn) (int, error) { return int(s.uid.Load()), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	notify.Store(s.Server)
	for _, f := range with {
		f(s.Server)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, e.Close()); err != nil {
			t.Error(err)
		}
	})
	s.secret = s.enter(s.Waiting())
	return s
}

// client is a browser without cookies and redirects; its connections end with the request.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: 30 * time.Second}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// request is one of our page; change makes it another one.
func (s *site) request(method, path string, body io.Reader, change ...func(*http.Request)) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(method, "http://"+s.Addr().String()+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host = s.host
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method != http.MethodGet {
		r.Header.Set("Origin", "http://"+s.host)
		r.Header.Set("Content-Type", "application/json")
	}
	r.AddCookie(cookie(s.secret))
	for _, f := range change {
		f(r)
	}
	return r
}

func (s *site) do(r *http.Request) (*http.Response, string) {
	s.t.Helper()
	resp, err := client(s.t).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(b)
}

// status is what a request of our page is answered with.
func (s *site) status(method, path, body string, change ...func(*http.Request)) (int, string) {
	s.t.Helper()
	resp, text := s.do(s.request(method, path, strings.NewReader(body), change...))
	return resp.StatusCode, text
}

// ask is a request that is answered with what it asks for.
func (s *site) ask(method, path string, body, into any) {
	s.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	if body == nil {
		b = nil
	}
	resp, text := s.do(s.request(method, path, bytes.NewReader(b)))
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		s.t.Fatalf("%s %s: %q: %v", method, path, text, err)
	}
}

// enter opens a link and returns the session's secret.
func (s *site) enter(link string) string {
	s.t.Helper()
	resp, text := s.open(link)
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
		s.t.Fatalf("opening %s: %d %s %v", link, resp.StatusCode, text, resp.Cookies())
	}
	return resp.Cookies()[0].Value
}

// open is somebody who types a link.
func (s *site) open(link string) (*http.Response, string) {
	s.t.Helper()
	path, ok := strings.CutPrefix(link, "http://"+s.host)
	if !ok {
		s.t.Fatalf("a link to elsewhere: %q", link)
	}
	return s.do(s.request(http.MethodGet, path, nil, func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "none")
		r.Header.Del("Cookie")
	}))
}

func TestListensOnLoopbackOnly(t *testing.T) {
	for _, at := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "localhost:0", "[::]:0", "127.0.0.1", ""} {
		if s, err := New(Config{Listen: at}); err == nil {
			s.Close()
			t.Errorf("it listens on %q", at)
		}
	}
}

func TestOtherUsersGetNothing(t *testing.T) {
	s := open(t)
	s.uid.Store(int64(os.Getuid()) + 1)
	resp, err := client(t).Do(s.request(http.MethodGet, "/", nil))
	if err == nil {
		resp.Body.Close()
		t.Fatalf("another user is answered: %s", resp.Status)
	}
	s.uid.Store(int64(os.Getuid()))
	if code, text := s.status(http.MethodGet, "/", ""); code != http.StatusOK {
		t.Errorf("we are not: %d %s", code, text)
	}
}

// TestSlow: whoever does not end a request is not waited for.
func TestSlow(t *testing.T) {
	s := open(t, func(s *Server) { s.timeout = timeouts{head: 300 * time.Millisecond, body: 300 * time.Millisecond} })
	for name, text := range map[string]string{
		"nothing":     "",
		"half a head": "GET / HTTP/1.1\r\nHost: " + s.host + "\r\n",
		"half a body": "POST /api/send HTTP/1.1\r\nHost: " + s.host + "\r\nOrigin: http://" + s.host + "\r\nContent-Type: application/json\r\nCookie: chat=" + s.secret + "\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if _, err := nc.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := nc.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(nc)
			if err != nil || strings.Contains(string(b), " 200 ") {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

func TestManyConnections(t *testing.T) {
	s := open(t)
	var held []net.Conn
	defer func() {
		for _, nc := range held {
			nc.Close()
		}
	}()
	for range maxConns + 20 {
		nc, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, nc)
	}
	for _, nc := range held {
		nc.Close()
	}
	if code, text := s.status(http.MethodGet, "/", ""); code != http.StatusOK { // in the end
		t.Errorf("%d %s", code, text)
	}
}
