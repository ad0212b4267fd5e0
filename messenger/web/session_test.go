package web

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestLinkOpensOnce(t *testing.T) {
	s := open(t)
	if s.Waiting() != "" || s.used.Load() != 1 {
		t.Errorf("the first link was used: %q is waiting, told %d times", s.Waiting(), s.used.Load())
	}
	link := s.Link()
	resp, _ := s.open(link)
	if len(resp.Cookies()) != 1 || resp.Header.Get("Location") != "/" || resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	c := resp.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Domain != "" || c.Path != "/" || len(c.Value) < 43 {
		t.Errorf("the cookie is %v", c)
	}
	if strings.Contains(link, c.Value) || c.Value == s.secret {
		t.Error("the session's secret is known already")
	}
	for range 2 {
		if resp, text := s.open(link); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 || !strings.Contains(text, "tell ID web") || strings.Contains(text, "{") {
			t.Errorf("again: %s %s", resp.Status, text)
		}
	}
	old, fresh := s.Link(), s.Link()
	if resp, _ := s.open(old); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a link that has a successor: %s", resp.Status)
	}
	s.enter(fresh)
}

func TestLinkThatIsNone(t *testing.T) {
	s := open(t)
	s.Link()
	for _, path := range []string{"/start/", "/start/x", "/start/" + strings.Repeat("A", 43), "/start/" + strings.Repeat("A", 8000), "/start"} {
		if resp, _ := s.open("http://" + s.host + path); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 {
			t.Errorf("%.20s: %s", path, resp.Status)
		}
	}
	s.enter(s.Waiting()) // still
	if resp, _ := s.open("http://" + s.host + "/start/"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("an empty token when there is none: %s", resp.Status)
	}
}

func TestLinkRunsOut(t *testing.T) {
	s := open(t)
	link := s.Link()
	s.now.Add(int64(TokenLife / time.Second))
	if resp, _ := s.open(link); resp.StatusCode != http.StatusUnauthorized || s.Waiting() != "" {
		t.Errorf("%s, %q is waiting", resp.Status, s.Waiting())
	}
}

func TestSessionEnds(t *testing.T) {
	s := open(t)
	s.now.Add(int64(SessionIdle/time.Second) - 60)
	if code, text := s.status("GET", "/api/state", ""); code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	s.now.Add(int64(SessionIdle / time.Second))
	if code, _ := s.status("GET", "/api/state", ""); code != http.StatusUnauthorized {
		t.Errorf("a session that nobody used: %d", code)
	}
	s.secret = s.enter(s.Link())
	s.ask("POST", "/api/leave", struct{}{}, nil)
	if code, _ := s.status("GET", "/api/state", ""); code != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", code)
	}
}

// TestSessionsAreBounded: the one that was used the longest ago gives way.
func TestSessionsAreBounded(t *testing.T) {
	s := open(t)
	first := s.secret
	var last string
	for range maxSessions {
		s.now.Add(1)
		last = s.enter(s.Link())
	}
	for secret, want := range map[string]int{first: http.StatusUnauthorized, last: http.StatusOK} {
		if code, _ := s.status("GET", "/api/state", "", header("Cookie", "chat="+secret)); code != want {
			t.Errorf("%d, want %d", code, want)
		}
	}
}

// TestForeignCookies: a cookie of our name that another server has set does not lock us out, and lets nobody in.
func TestForeignCookies(t *testing.T) {
	s := open(t)
	if code, _ := s.status("GET", "/api/state", "", header("Cookie", "chat=evil; chat="+s.secret+"; other=1")); code != http.StatusOK {
		t.Errorf("a tossed cookie: %d", code)
	}
}
