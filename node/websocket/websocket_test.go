package websocket

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/secure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const longEnough = time.Minute

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), longEnough)
	t.Cleanup(cancel)
	return ctx
}

func listen(t testing.TB, at string) net.Listener {
	t.Helper()
	ln, err := New(Config{}).Listen(within(t), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// connect makes a connection to a listener at /mesh by way of addr.
func connect(t testing.TB, c *Carrier, ln net.Listener, addr string) (near, far *conn) {
	t.Helper()
	nc, err := c.Dial(within(t), Scheme+addr+"/mesh")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close(); got.Close() })
	return nc.(*conn), got.(*conn)
}

func TestBytesArriveAndTheEndIsSeen(t *testing.T) {
	ln := listen(t, "127.0.0.1:0/mesh")
	near, far := connect(t, New(Config{}), ln, ln.Addr().String())
	if len(near.Binding()) != bindingLen || !bytes.Equal(near.Binding(), far.Binding()) {
		t.Errorf("bound to %x and %x", near.Binding(), far.Binding())
	}
	want := make([]byte, 3<<20)
	rand.Read(want)
	for _, way := range [][2]*conn{{near, far}, {far, near}} {
		done := make(chan []byte, 1)
		go func() {
			got := make([]byte, len(want))
			io.ReadFull(way[1], got)
			done <- got
		}()
		for b := want; len(b) > 0; b = b[min(len(b), 100_000):] {
			if _, err := way[0].Write(b[:min(len(b), 100_000)]); err != nil {
				t.Fatal(err)
			}
		}
		if got := <-done; !bytes.Equal(got, want) {
			t.Error("other bytes arrived")
		}
	}
	near.Close()
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
	if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing after Close: %v", err)
	}
}

func TestDeadlineAndCloseWake(t *testing.T) {
	ln := listen(t, "127.0.0.1:0/mesh")
	c := New(Config{})
	near, _ := connect(t, c, ln, ln.Addr().String())
	near.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
	near, _ = connect(t, c, ln, ln.Addr().String())
	woken := make(chan error, 2)
	go func() { _, err := near.Read(make([]byte, 1)); woken <- err }()
	go func() { _, err := near.Write(make([]byte, 64<<20)); woken <- err }()
	time.Sleep(20 * time.Millisecond) // most likely both wait by now; if not, they are told the same
	near.Close()
	for range 2 {
		select {
		case err := <-woken:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("woken with %v", err)
			}
		case <-time.After(longEnough):
			t.Fatal("Close wakes nobody")
		}
	}
}

func TestOtherRequests(t *testing.T) {
	ln := listen(t, "127.0.0.1:0/mesh")
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer tr.CloseIdleConnections()
	for path, want := range map[string]int{"/": 404, "/mesh/x": 404, "/mesh": 426} {
		resp, err := (&http.Client{Transport: tr}).Get("https://" + ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
	if _, err := New(Config{}).Dial(within(t), Scheme+ln.Addr().String()+"/other"); err == nil {
		t.Error("connected at another path")
	}
	if _, err := New(Config{}).Dial(within(t), "127.0.0.1:1"); err == nil {
		t.Error("dialed an address without scheme")
	}
}

func TestStrangerWhoSaysNothing(t *testing.T) {
	ln := listen(t, "127.0.0.1:0")
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ln.Close()
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
}

// proxy is the least CONNECT proxy: it tells what it was asked for.
func proxy(t *testing.T) (at *url.URL, asked func() []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var lines []string
	var wg sync.WaitGroup
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				in := bufio.NewReader(nc)
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				mu.Lock()
				lines = append(lines, req.Method+" "+req.Host)
				mu.Unlock()
				far, err := net.Dial("tcp", req.Host)
				if err != nil {
					return
				}
				defer far.Close()
				fmt.Fprint(nc, "HTTP/1.1 200 Connection established\r\n\r\n")
				wg.Go(func() { io.Copy(nc, far); nc.Close() })
				io.Copy(far, in)
			})
		}
	})
	return &url.URL{Scheme: "http", Host: ln.Addr().String()}, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return lines
	}
}

func TestThroughAProxy(t *testing.T) {
	at, asked := proxy(t)
	ln := listen(t, "127.0.0.1:0/mesh")
	near, far := connect(t, New(Config{Proxy: at}), ln, ln.Addr().String())
	if got := asked(); len(got) != 1 || got[0] != "CONNECT "+ln.Addr().String() {
		t.Errorf("the proxy was asked for %q", got)
	}
	if near.Binding() == nil || !bytes.Equal(near.Binding(), far.Binding()) {
		t.Error("not bound, though the proxy only passes bytes on")
	}
	near.Close()
	far.Close()
}

// TestTLSEndsInTheMiddle: somebody opens TLS and closes it again with a certificate of his own; the two ends connect unbound.
func TestTLSEndsInTheMiddle(t *testing.T) {
	ln := listen(t, "127.0.0.1:0/mesh")
	cert, err := secure.Throwaway()
	if err != nil {
		t.Fatal(err)
	}
	middle, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		nc, err := middle.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		far, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer far.Close()
		wg.Go(func() { io.Copy(nc, far); nc.Close() })
		io.Copy(far, nc)
	})
	near, far := connect(t, New(Config{}), ln, middle.Addr().String())
	if near.Binding() != nil || far.Binding() != nil {
		t.Errorf("bound to %x and %x", near.Binding(), far.Binding())
	}
	near.Close()
	far.Close()
	middle.Close()
	wg.Wait()
}
