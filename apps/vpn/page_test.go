package vpn

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/tunnel"
)

// What others say (names, troubles, addresses) is text on the page, never a part of it.
func TestPageText(t *testing.T) {
	const foreign = `<b>"x"&'y'`
	text := pageText(foreign, Status{State: StateWaiting, Exit: foreign, Addrs: []string{"10.0.0.2", foreign}, DNS: []string{foreign},
		RTT: 3 * time.Millisecond, Trouble: foreign, Reconnects: 7}, Stats{Sent: tunnel.Traffic{Bytes: 5}, SentRate: 2.6})
	if strings.Contains(text, "<b>") || strings.Count(text, html.EscapeString(foreign)) != 6 {
		t.Errorf("not escaped: %s", text)
	}
	for _, want := range []string{"<td>3ms\n", "<td>5 bytes, 3 a second\n", "<td>7\n", "addresses<td>10.0.0.2 "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if text = pageText("n", Status{}, Stats{}); strings.Contains(text, "trouble") {
		t.Errorf("trouble, though there is none: %s", text)
	}
}

func TestPage(t *testing.T) {
	s := startServer(t, nil)
	c := startClient(t, s, nil)
	eventually(t, "connected", c.is(StateConnected))
	var uid atomic.Int64
	uid.Store(int64(os.Getuid()))
	p, err := NewPage(PageConfig{Listen: "127.0.0.1:0", Name: "<b>", Client: c.Client, PeerUID: func(net.Conn) (int, error) { return int(uid.Load()), nil }})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, p.Run)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, path string, change func(*http.Request)) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(context.Background(), method, "http://"+p.Addr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(req)
		}
		res, err := client.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	if code, text := ask("GET", "/", nil); code != 200 || !strings.Contains(text, "connected") || strings.Contains(text, "<b>") {
		t.Errorf("page: %d %s", code, text)
	}
	var st Status
	if code, text := ask("GET", "/status", nil); code != 200 || json.Unmarshal([]byte(text), &st) != nil || st.State != StateConnected {
		t.Errorf("status: %d %s", code, text)
	}
	if code, text := ask("GET", "/stats", nil); code != 200 || !strings.Contains(text, `"sent"`) {
		t.Errorf("stats: %d %s", code, text)
	}
	if code, _ := ask("POST", "/reconnect", nil); code != 204 {
		t.Errorf("reconnect: %d", code)
	}
	for name, change := range map[string]func(*http.Request){
		"another host":   func(r *http.Request) { r.Host = "evil.example" },
		"another origin": func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
	} {
		if code, _ := ask("POST", "/reconnect", change); code != http.StatusForbidden {
			t.Errorf("%s: %d", name, code)
		}
	}
	uid.Add(1)
	if code, _ := ask("GET", "/", nil); code != 0 {
		t.Errorf("another user: %d", code)
	}
	stop()
	for _, at := range []string{"0.0.0.0:0", "nonsense", "192.0.2.1:1"} {
		if p, err := NewPage(PageConfig{Listen: at}); err == nil {
			p.Close()
			t.Errorf("it listens at %s", at)
		}
	}
}
