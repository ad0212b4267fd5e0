package demopage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; a loaded machine may need much of it.
const patience = time.Minute

// start serves a page until the test's end and returns its URL and a client.
func start(t *testing.T) (string, *http.Client) {
	t.Helper()
	p, err := New(Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run did not return")
		}
	})
	return "http://" + p.Addr().String(), &http.Client{Transport: transport, Timeout: patience}
}

func do(t *testing.T, c *http.Client, method, url string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func TestPage(t *testing.T) {
	url, c := start(t)
	if res, body := do(t, c, "GET", url+"/", nil); res.StatusCode != 200 || !strings.Contains(body, "This page came over the mesh") {
		t.Fatalf("%s: %s", res.Status, body)
	}
	for _, n := range []int{0, 1, 15, 16, 17, 100_000} {
		res, body := do(t, c, "GET", fmt.Sprintf("%s/bytes/%d", url, n), nil)
		if res.StatusCode != 200 || res.ContentLength != int64(n) || len(body) != n {
			t.Fatalf("%d bytes: %s, %d, %d", n, res.Status, res.ContentLength, len(body))
		}
		want := fmt.Sprintf("%x %d\n", sha256.Sum256([]byte(body)), n)
		if _, sum := do(t, c, "GET", fmt.Sprintf("%s/sha256/%d", url, n), nil); sum != want {
			t.Errorf("sum of %d: %q, want %q", n, sum, want)
		}
		for _, method := range []string{"PUT", "POST"} {
			if _, sum := do(t, c, method, url+"/sha256", strings.NewReader(body)); sum != want {
				t.Errorf("%s of %d: %q, want %q", method, n, sum, want)
			}
		}
	}
	if res, _ := do(t, c, "HEAD", url+"/bytes/12345678901", nil); res.ContentLength != 12345678901 {
		t.Errorf("HEAD: %d", res.ContentLength)
	}
	_, all := do(t, c, "GET", url+"/bytes/1000", nil)
	if res, part := do(t, c, "GET", url+"/bytes/1000", nil, "Range", "bytes=333-776"); res.StatusCode != 206 || part != all[333:777] {
		t.Errorf("range: %s, %d bytes", res.Status, len(part))
	}
}

func TestPageRefuses(t *testing.T) {
	url, c := start(t)
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/bytes/", 404}, {"GET", "/bytes/x", 400}, {"GET", "/bytes/-1", 400}, {"GET", "/bytes/1e3", 400},
		{"GET", "/bytes/99999999999999999999", 400}, {"GET", fmt.Sprint("/bytes/", int64(MaxBytes)+1), 400}, {"GET", "/sha256/x", 400},
		{"GET", "/elsewhere", 404}, {"DELETE", "/sha256", 405}, {"PUT", "/bytes/1", 405}, {"GET", "/../etc/passwd", 404},
	} {
		if res, _ := do(t, c, tt.method, url+tt.path, nil); res.StatusCode != tt.want {
			t.Errorf("%s %s: %s, want %d", tt.method, tt.path, res.Status, tt.want)
		}
	}
}

func TestGarbage(t *testing.T) {
	url, c := start(t)
	for _, garbage := range []string{"\x05\x01\x00", "GET\r\n\r\n", strings.Repeat("\xff", 100_000), "PUT /sha256 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, garbage)
		_ = conn.(*net.TCPConn).CloseWrite()
		got, _ := io.ReadAll(conn)
		if strings.Contains(string(got), "200 OK") {
			t.Errorf("%.20q was answered with %q", garbage, got)
		}
		conn.Close()
	}
	do(t, c, "GET", url+"/", nil)
}

func TestNewRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, listen := range []string{"0.0.0.0:0", "[::]:0", "nonsense", taken.Addr().String()} {
		if p, err := New(Config{Listen: listen}); err == nil {
			p.Close()
			t.Errorf("%s: accepted", listen)
		}
	}
	p, err := New(Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestSequence(t *testing.T) {
	// openssl enc -aes-128-ctr of zeros, key and counter zero: the first block is AES(0).
	const golden = "66e94bd4ef8a2c3b884cfa59ca342b2e58e2fccefa7e3061367f1d57a4e7455a"
	all, err := io.ReadAll(newSequence(10_000))
	if err != nil || hex.EncodeToString(all[:32]) != golden {
		t.Fatalf("%x, %v", all[:32], err)
	}
	if err := iotest.TestReader(newSequence(10_000), all); err != nil {
		t.Fatal(err)
	}
	far := newSequence(MaxBytes)
	if _, err := far.Seek(-5, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	last, err := io.ReadAll(far)
	if err != nil || len(last) != 5 || bytes.Equal(last, make([]byte, 5)) {
		t.Fatalf("the end: %x, %v", last, err)
	}
}
