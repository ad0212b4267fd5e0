package web

import (
	"net/http"
	"strings"
	"testing"
)

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func without(name string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Del(name) }
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// TestFromElsewhere: what is not from our page, by our name, gets nothing at all, with our cookie too.
func TestFromElsewhere(t *testing.T) {
	s := open(t)
	port := s.host[strings.LastIndexByte(s.host, ':'):]
	for _, tt := range []struct {
		name, method, path string
		change             func(*http.Request)
	}{
		{"rebinding", "GET", "/api/state", host("evil.example" + port)},
		{"rebinding of the page", "GET", "/", host("evil.example" + port)},
		{"by address", "GET", "/api/state", host("127.0.0.1" + port)},
		{"localhost", "GET", "/api/state", host("localhost" + port)},
		{"another name below localhost", "GET", "/", host("x.localhost" + port)},
		{"a name below ours", "GET", "/", host("x." + s.host)},
		{"ours with a dot", "GET", "/", host(strings.Replace(s.host, ":", ".:", 1))},
		{"ours without a port", "GET", "/", host(strings.TrimSuffix(s.host, port))},
		{"no host", "GET", "/", host(" ")},
		{"another page", "POST", "/api/send", header("Origin", "https://evil.example")},
		{"another port of our name", "POST", "/api/send", header("Origin", "http://"+strings.TrimSuffix(s.host, port)+":1")},
		{"TLS of our name", "POST", "/api/send", header("Origin", "https://"+s.host)},
		{"a sandbox", "POST", "/api/send", header("Origin", "null")},
		{"no origin", "POST", "/api/send", without("Origin")},
		{"two origins", "POST", "/api/send", func(r *http.Request) { r.Header.Add("Origin", "http://evil.example") }},
		{"reading by another page", "GET", "/api/state", header("Origin", "http://evil.example")},
		{"a picture in another page", "GET", "/api/file/x/y", header("Sec-Fetch-Site", "cross-site")},
		{"a site beside", "GET", "/api/state", header("Sec-Fetch-Site", "same-site")},
		{"data that is typed", "GET", "/api/state", header("Sec-Fetch-Site", "none")},
		{"a link in another page", "GET", "/", header("Sec-Fetch-Site", "cross-site")},
		{"a token by another page", "GET", "/start/x", header("Sec-Fetch-Site", "cross-site")},
		{"a preflight", "OPTIONS", "/api/send", header("Origin", "https://evil.example")},
		{"something new", "DELETE", "/api/upload/x", header("Sec-Fetch-Site", "future")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, text := s.do(s.request(tt.method, tt.path, nil, tt.change))
			if code := resp.StatusCode; code != http.StatusForbidden && code != http.StatusBadRequest || strings.Contains(text, "{") {
				t.Errorf("%d %q", code, text)
			}
			for name := range resp.Header {
				if name = strings.ToLower(name); name == "set-cookie" || strings.HasPrefix(name, "access-control") {
					t.Errorf("it is answered with %s", name)
				}
			}
		})
	}
	if code, text := s.status("GET", "/api/state", ""); code != http.StatusOK {
		t.Errorf("our page: %d %s", code, text)
	}
}

// TestNeedsASession: without a session nothing is answered, the page neither.
func TestNeedsASession(t *testing.T) {
	s := open(t)
	for _, path := range []string{"/", "/index.html", "/api/state", "/api/events", "/api/history?talk=x", "/api/file/a/b", "/nothing"} {
		for name, change := range map[string]func(*http.Request){
			"no cookie": without("Cookie"), "a guess": header("Cookie", "chat=AAAA"), "an empty one": header("Cookie", "chat="), "the token": header("Cookie", "chat="+s.Link()),
		} {
			code, text := s.status("GET", path, "", change)
			if code != http.StatusUnauthorized || strings.Contains(text, "<") {
				t.Errorf("%s with %s: %d %s", path, name, code, text)
			}
		}
	}
	if code, _ := s.status("POST", "/api/send", "{}", without("Cookie")); code != http.StatusUnauthorized {
		t.Errorf("sending: %d", code)
	}
}

func TestHeaders(t *testing.T) {
	s := open(t)
	for _, path := range []string{"/", "/api/state", "/api/nothing"} {
		resp, _ := s.do(s.request("GET", path, nil))
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := resp.Header.Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if p := resp.Header.Get("Content-Security-Policy"); strings.Contains(p, "unsafe") || !strings.Contains(p, "frame-ancestors 'none'") {
			t.Errorf("%s: the policy is %s", path, p)
		}
	}
}

// TestPage: the page that is in the program is whole, and holds nothing inline.
func TestPage(t *testing.T) {
	s := open(t)
	resp, text := s.do(s.request("GET", "/", nil))
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	parts := 0
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == '"' }) {
		if path, ok := strings.CutPrefix(word, "./"); ok {
			parts++
			if resp, _ := s.do(s.request("GET", "/"+path, nil)); resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d", path, resp.StatusCode)
			}
		}
	}
	if parts != 3 || strings.Contains(text, "<style") || strings.Contains(text, "://") || strings.Contains(text, "<script>") {
		t.Errorf("%d parts in %s", parts, text)
	}
	for _, path := range []string{"/../server.go", "/assets", "/assets/", "/dist/index.html", "/index.html/", "//index.html", "/%2e%2e/dist.go"} {
		if code, _ := s.status("GET", path, ""); code == http.StatusOK {
			t.Errorf("%s is answered", path)
		}
	}
}
