package socks

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/proxy"
)

// site is a web server whose connections go through the client's proxy.
func site(t *testing.T, c *Client, user *url.Userinfo, handler http.HandlerFunc) (*httptest.Server, *http.Client) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: c.Addr().String(), User: user})}
	t.Cleanup(transport.CloseIdleConnections)
	return server, &http.Client{Transport: transport, Timeout: patience}
}

func TestHTTPConnect(t *testing.T) {
	c, _ := airThread(t, nil)
	target := listener(t, "127.0.0.1:0", echo)
	conn := program(t, c)
	send(t, conn, append(appendConnect(nil, connectHead{target: target}), "early"...))
	expect(t, conn, []byte("HTTP/1.1 200 Connection established\r\n\r\nearly"))
	send(t, conn, []byte("later"))
	expect(t, conn, []byte("later"))
	for target, want := range map[string]int{
		closedPort(t).String(): 502, "127.0.0.2:80": 403, "unknown.example:80": 502, "10.0.0.1:443": 403,
	} {
		conn := program(t, c)
		send(t, conn, []byte("CONNECT "+target+" HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n"))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != want {
			t.Errorf("%s: %v, %v", target, answer, err)
			continue
		}
		answer.Body.Close()
	}
}

func TestHTTPByteByByte(t *testing.T) {
	c, _ := airThread(t, nil)
	target := listener(t, "127.0.0.1:0", echo)
	conn := program(t, c)
	for _, b := range appendConnect(nil, connectHead{target: target}) {
		send(t, conn, []byte{b})
	}
	expect(t, conn, []byte("HTTP/1.1 200 Connection established\r\n\r\n"))
}

// Requests with a whole URL, many on one connection and to several servers.
func TestHTTPProxy(t *testing.T) {
	c, s := airThread(t, nil)
	seen := make(chan http.Header, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Clone()
		body, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Host, " ", r.Method, " ", r.RequestURI, " ", len(body))
	}))
	defer server.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "other") }))
	defer other.Close()
	conn := program(t, c) // not an http.Client: that may connect anew whenever it likes
	in := bufio.NewReader(conn)
	ask := func(method, url, body string) string {
		t.Helper()
		request, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Proxy-Connection", "keep-alive")
		if err := request.WriteProxy(conn); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(in, request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	for i := range 10 {
		body := strings.Repeat("x", 1000*i)
		got := ask("POST", server.URL+"/a%2Fb?q=1;2&c", body)
		if want := fmt.Sprint(strings.TrimPrefix(server.URL, "http://"), " POST /a%2Fb?q=1;2&c ", len(body)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		h := <-seen
		if h.Get("Proxy-Connection") != "" || h.Get("X-Forwarded-For") != "" || h.Get("Via") != "" {
			t.Errorf("the server sees %v", h)
		}
		if got := ask("GET", other.URL, ""); got != "other" {
			t.Errorf("got %q", got)
		}
	}
	if st := c.Stats(); st.Kinds["http"] != 1 || st.Total != 1 {
		t.Errorf("twenty requests took %+v", st)
	}
	if st := s.Stats(); st.Total != 20 {
		t.Errorf("twenty requests made %d streams", st.Total)
	}
}

func TestHTTPProxyRefusals(t *testing.T) {
	c, _ := airThread(t, nil)
	for request, want := range map[string]int{
		"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n":                                                             400,
		"GET https://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n":                                            400,
		"GET ftp://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n":                                              400,
		"GET http://127.0.0.2/ HTTP/1.1\r\nHost: 127.0.0.2\r\n\r\n":                                             403,
		"GET http://" + closedPort(t).String() + "/ HTTP/1.1\r\nHost: x\r\n\r\n":                                502,
		"GET http://unknown.example/ HTTP/1.0\r\n\r\n":                                                          502,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                                                      400,
		"GET http://a b HTTP/1.1\r\n\r\n":                                                                       400,
		"GET http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 502, // net/http ignores the length
	} {
		conn := program(t, c)
		send(t, conn, []byte(request))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != want {
			t.Errorf("%.30q: %v, %v", request, answer, err)
			continue
		}
		said, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if want == 403 && !strings.Contains(string(said), "denied: the rules of the exit") {
			t.Errorf("%.30q: %q", request, said)
		}
	}
}

// An answer that breaks off must not look complete, also to a program of HTTP/1.0, which takes the end of the connection for the
// end of the answer.
func TestHTTPProxyTruncated(t *testing.T) {
	c, _ := airThread(t, nil)
	begun := make(chan struct{}, 1)
	target := listener(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		_, _ = conn.Read(make([]byte, 1000))
		_, _ = conn.Write([]byte("HTTP/1.0 200 OK\r\n\r\nbegin"))
		select {
		case <-begun:
		case <-t.Context().Done(): // the test has failed
		}
		resetTCP(conn)
	})
	conn := program(t, c)
	send(t, conn, []byte("GET http://"+target.String()+"/ HTTP/1.0\r\n\r\n"))
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, answer.Body, []byte("begin"))
	begun <- struct{}{}
	if got, err := io.ReadAll(in); err == nil {
		t.Errorf("ended cleanly after %q", got)
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it does not end")
	}
}

func TestHTTPAuth(t *testing.T) {
	c, _ := airThread(t, func(cc *ClientConfig, _ *ServerConfig) { cc.Users = []User{{Name: "bob", Password: "s:cret"}} })
	server, client := site(t, c, url.UserPassword("bob", "s:cret"), func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the server sees the password")
		}
	})
	for range 2 {
		answer, err := client.Get(server.URL)
		if err != nil || answer.StatusCode != 200 {
			t.Fatal(answer, err)
		}
		answer.Body.Close()
	}
	eventually(t, "one connection of one user", func() bool {
		users := c.Users()
		return len(users) == 1 && users[0].Name == "bob" && users[0].Active == 1
	})
	basic := func(s string) string {
		return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s)) + "\r\n"
	}
	target := listener(t, "127.0.0.1:0", echo).String()
	for _, tt := range []struct {
		header string
		want   int
	}{
		{"", 407}, {basic("bob:s:cret"), 200}, {basic("bob:secret"), 407}, {basic("bob"), 400}, {"Proxy-Authorization: Bearer x\r\n", 400},
		{basic("bob:s:cret") + basic("bob:s:cret"), 400}, {basic(":"), 407},
	} {
		for _, first := range []string{"CONNECT " + target, "GET " + server.URL + "/"} {
			conn := program(t, c)
			send(t, conn, []byte(first+" HTTP/1.1\r\nHost: x\r\n"+tt.header+"\r\n"))
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			want := tt.want
			if first[0] == 'G' && want == 400 {
				want = 407 // net/http's way of reading it is all the same to us
			}
			if strings.Count(tt.header, "Basic") == 2 && first[0] == 'G' {
				want = 200 // the first one counts
			}
			if answer.StatusCode != want || (want == 407) != (answer.Header.Get("Proxy-Authenticate") != "") {
				t.Errorf("%.7s, %q: %s", first, tt.header, answer.Status)
			}
			conn.Close()
		}
	}
	conn := program(t, c) // SOCKS 4 has no passwords
	send(t, conn, []byte{4, 1, 0, 80, 127, 0, 0, 1, 0})
	expect(t, conn, []byte{0, 91})
}

func TestUserLimits(t *testing.T) {
	c, _ := airThread(t, func(cc *ClientConfig, _ *ServerConfig) {
		cc.Users = []User{{"ann", "a", Allowance{Conns: 1}}, {"bob", "b", Allowance{Rate: 256 << 10}}}
	})
	target := listener(t, "127.0.0.1:0", echo)
	login := func(user, password string, answer byte) *net.TCPConn {
		conn := program(t, c)
		send(t, conn, appendAuth(appendGreeting(nil, 2), user, password))
		expect(t, conn, []byte{5, 2, 1, answer})
		return conn
	}
	one := login("ann", "a", 0)
	login("ann", "a", 1)
	eventually(t, "counted", func() bool { return c.Stats().Refused["busy"] == 1 })
	one.Close()
	eventually(t, "room again", func() bool { return c.Stats().Active == 0 })
	login("ann", "a", 0)

	conn := login("bob", "b", 0)
	send(t, conn, appendRequest(nil, cmdConnect, target))
	expect(t, conn, []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	began := time.Now()
	data := make([]byte, 256<<10)
	send(t, conn, data)
	expect(t, conn, data)
	// 64 KiB at once, the other 192 KiB within three quarters of a second, each way
	if took := time.Since(began); took < 600*time.Millisecond {
		t.Errorf("256 KiB there and back in %s", took)
	}
	eventually(t, "users counted", func() bool {
		users := c.Users()
		return len(users) == 2 && users[0].Name == "bob" && users[0].BytesUp == uint64(len(data)) && users[0].Rate == 256<<10 && users[1].Refused == 1
	})
}

// A rate must not hold up the end.
func TestSlowUserEnds(t *testing.T) {
	dial, calls := catch()
	c, err := NewClient(ClientConfig{Listen: "127.0.0.1:0", Dial: dial, Limits: ClientLimits{Each: Allowance{Rate: minRate}, negotiation: patience}})
	if err != nil {
		t.Fatal(err)
	}
	stop := runner(t, c.Run)
	conn := through(t, c, Target{Name: "a.example", Port: 1}, 0)
	far := (<-calls).far
	defer far.Close()
	const size = 1 << 20 // two minutes' worth
	go func() { _, _ = conn.Write(make([]byte, size)) }()
	eventually(t, "it is held", func() bool { return c.Stats().BytesUp >= largeBuffer })
	stop()
	if up := c.Stats().BytesUp; up >= size {
		t.Errorf("the end came after all %d bytes", up)
	}
	ended(t, conn, true)
}

func TestKeyLimits(t *testing.T) {
	m := newTwinMesh(t)
	friend, foe := m.key, testKey(t)
	s := startServer(t, m, func(cfg *ServerConfig) {
		cfg.Limits.Rate = 512 << 10
		cfg.DenyKeys = append(cfg.DenyKeys, foe)
	})
	target := listener(t, "127.0.0.1:0", echo)
	conn := opened(t, m, target.String())
	began := time.Now()
	data := make([]byte, 256<<10)
	go func() { _, _ = conn.Write(data) }()
	expect(t, conn, data)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("256 KiB there and back in %s", took)
	}
	if keys := s.Keys(); len(keys) != 1 || keys[0].Name != friend.String() || keys[0].Rate != 512<<10 {
		t.Errorf("%+v", keys)
	}
	m.key = foe
	if got := refusal(t, m, target.String()); got != Denied {
		t.Errorf("a denied key: %s", got)
	}
}

func TestEarlyReply(t *testing.T) {
	dial, calls := catch()
	release := make(chan struct{})
	slow := DialerFunc(func(ctx context.Context, target string, first []byte) (Stream, error) {
		<-release
		return dial.DialMesh(ctx, target, first)
	})
	c := startClient(t, slow, func(cfg *ClientConfig) { cfg.EarlyReply = true })
	conn := through(t, c, Target{Name: "a.example", Port: 80}, 0) // before there is a stream
	send(t, conn, []byte("hello"))
	close(release)
	got := <-calls
	defer got.far.Close()
	rest := make([]byte, 5-len(got.first))
	if _, err := io.ReadFull(got.far, rest); err != nil || string(got.first)+string(rest) != "hello" {
		t.Errorf("%q and %q arrived, %v", got.first, rest, err)
	}

	failing := startClient(t, noMesh(&Error{Reason: Refused}), func(cfg *ClientConfig) { cfg.EarlyReply = true })
	ended(t, through(t, failing, Target{Name: "a.example", Port: 80}, 0), true)
	eventually(t, "counted", func() bool { return failing.Stats().Refused["refused"] == 1 })
}

// The clients of golang.org/x/net.
func TestXNetProxy(t *testing.T) {
	c, _ := airThread(t, func(cc *ClientConfig, _ *ServerConfig) { cc.Users = []User{{Name: "bob", Password: "secret"}} })
	target := listener(t, "127.0.0.1:0", echo)
	d, err := proxy.SOCKS5("tcp", c.Addr().String(), &proxy.Auth{User: "bob", Password: "secret"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{target.String(), fmt.Sprint("echo.example:", target.Port)} {
		conn, err := d.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		send(t, conn, []byte("hello"))
		expect(t, conn, []byte("hello"))
		conn.Close()
	}
	if conn, err := d.Dial("tcp", "10.0.0.1:80"); err == nil {
		conn.Close()
		t.Error("the policy did not hold")
	}
	wrong, err := proxy.SOCKS5("tcp", c.Addr().String(), &proxy.Auth{User: "bob", Password: "other"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := wrong.Dial("tcp", target.String()); err == nil {
		conn.Close()
		t.Error("the wrong password opens")
	}
}

func TestConnectPrefixes(t *testing.T) {
	b := appendConnect(nil, connectHead{Target{Name: "a.example", Port: 443}, []byte("bob"), []byte("s:c")})
	want := "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Basic Ym9iOnM6Yw==\r\n\r\n"
	if string(b) != want {
		t.Errorf("got %q", b)
	}
	h, n, err := parseConnect(append(b, "rest"...))
	if err != nil || n != len(b) || h.target.String() != "a.example:443" || string(h.user) != "bob" || string(h.pass) != "s:c" {
		t.Errorf("%+v, %d, %v", h, n, err)
	}
	for i := range b {
		if _, _, err := parseConnect(b[:i]); !errors.Is(err, errShort) {
			t.Errorf("prefix of %d bytes: %v", i, err)
		}
	}
}

func FuzzConnect(f *testing.F) {
	f.Add(appendConnect(nil, connectHead{target: Target{Name: "a.example", Port: 443}}))
	f.Add(appendConnect(nil, connectHead{Target{Name: "a.example", Port: 443}, []byte("bob"), []byte("s:c")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := parseConnect(b)
		if n < 0 || n > len(b) || n > maxHead {
			t.Fatalf("length %d of %d", n, len(b))
		}
		if err != nil {
			return
		}
		again, _, err := parseConnect(appendConnect(nil, h))
		if err != nil || again.target != h.target || string(again.user) != string(h.user) || string(again.pass) != string(h.pass) {
			t.Fatalf("%+v became %+v: %v", h, again, err)
		}
	})
}
