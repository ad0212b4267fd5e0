package socks

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/apps/demopage"
)

// thread is a client and an exit joined by a twin mesh.
func thread(t *testing.T, how meshKind) (*Client, *Server) {
	t.Helper()
	m := newTwinMesh(t)
	m.fast = how == fastMesh
	var dial Dialer = m
	accept := m.Accept
	if how == carryingMesh {
		carrying := &carryingTwin{twinMesh: m}
		t.Cleanup(carrying.under.Wait)
		dial, accept = carrying, carrying.Accept
	}
	return startClient(t, dial, nil), startServer(t, m, func(cfg *ServerConfig) {
		cfg.Accept = accept
		cfg.Resolver = &names{answers: map[string][][]netip.Addr{"page.example": {addrs("127.0.0.1")}}}
	})
}

// meshKind says what a mesh can do for SOCKS.
type meshKind int

const (
	plainMesh    meshKind = iota
	fastMesh              // its streams read and write by themselves
	carryingMesh          // it carries streams
)

// eachMesh runs a test over every kind of mesh.
func eachMesh(t *testing.T, test func(t *testing.T, how meshKind)) {
	for name, how := range map[string]meshKind{"plain": plainMesh, "fast": fastMesh, "carrying": carryingMesh} {
		t.Run(name, func(t *testing.T) { test(t, how) })
	}
}

func TestHalfCloseAfterUpload(t *testing.T) {
	eachMesh(t, func(t *testing.T, how meshKind) {
		body := make([]byte, 3<<20)
		rand.NewChaCha8([32]byte{1}).Read(body)
		target := listener(t, "127.0.0.1:0", func(c *net.TCPConn) { // answers only after the upload's end
			h := sha256.New()
			n, err := io.Copy(h, c)
			fmt.Fprintf(c, "%x %d %v", h.Sum(nil), n, err)
		})
		c, s := thread(t, how)
		conn := through(t, c, target, 0)
		send(t, conn, body)
		_ = conn.CloseWrite()
		got, err := io.ReadAll(conn)
		if want := fmt.Sprintf("%x %d <nil>", sha256.Sum256(body), len(body)); err != nil || string(got) != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
		eventually(t, "both sides count the same", func() bool {
			a, b := c.Stats(), s.Stats()
			return a.Active == 0 && b.Active == 0 && a.BytesUp == uint64(len(body)) && b.BytesUp == a.BytesUp && a.BytesDown == uint64(len(got)) && b.BytesDown == a.BytesDown
		})
	})
}

func TestHalfCloseAfterDownload(t *testing.T) {
	eachMesh(t, func(t *testing.T, how meshKind) {
		heard := make(chan string, 1)
		target := listener(t, "127.0.0.1:0", func(c *net.TCPConn) { // ends its half first, then listens
			_, _ = c.Write([]byte("greeting"))
			_ = c.CloseWrite()
			b, err := io.ReadAll(c)
			heard <- fmt.Sprint(string(b), " ", err)
		})
		c, _ := thread(t, how)
		conn := through(t, c, target, 0)
		got, err := io.ReadAll(conn)
		if err != nil || string(got) != "greeting" {
			t.Fatalf("got %q, %v", got, err)
		}
		send(t, conn, []byte("last words"))
		_ = conn.CloseWrite()
		if got := <-heard; got != "last words <nil>" {
			t.Fatal(got)
		}
	})
}

func TestTargetsResetArrives(t *testing.T) {
	eachMesh(t, func(t *testing.T, how meshKind) {
		target := listener(t, "127.0.0.1:0", func(c *net.TCPConn) {
			_, _ = c.Write(make([]byte, 1000))
			_, _ = io.ReadFull(c, make([]byte, 4))
			resetTCP(c)
		})
		c, s := thread(t, how)
		conn := through(t, c, target, 0)
		if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		send(t, conn, []byte("stop"))
		ended(t, conn, true)
		eventually(t, "both gone", func() bool { return c.Stats().Active == 0 && s.Stats().Active == 0 })
	})
}

func TestProgramsResetArrives(t *testing.T) {
	eachMesh(t, func(t *testing.T, how meshKind) {
		broken := make(chan error, 1)
		target := listener(t, "127.0.0.1:0", func(c *net.TCPConn) {
			_, _ = c.Write([]byte("hello"))
			_, err := io.Copy(io.Discard, c)
			broken <- err
		})
		c, s := thread(t, how)
		conn := through(t, c, target, 0)
		expect(t, conn, []byte("hello"))
		resetTCP(conn)
		if err := <-broken; err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the target saw no break: %v", err)
		}
		eventually(t, "both gone", func() bool { return c.Stats().Active == 0 && s.Stats().Active == 0 })
	})
}

// A program that leaves in the middle of a download ends the transfer at its source.
func TestProgramLeaves(t *testing.T) {
	eachMesh(t, func(t *testing.T, how meshKind) {
		sourceEnded := make(chan struct{})
		target := listener(t, "127.0.0.1:0", func(c *net.TCPConn) {
			defer close(sourceEnded)
			for b := make([]byte, 1<<16); ; {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		})
		c, _ := thread(t, how)
		conn := through(t, c, target, 0)
		_, _ = io.ReadFull(conn, make([]byte, 100_000))
		conn.Close()
		select {
		case <-sourceEnded:
		case <-time.After(patience):
			t.Fatal("the source still sends")
		}
	})
}

func TestHundredAtOnce(t *testing.T) {
	eachMesh(t, func(t *testing.T, how meshKind) {
		target := listener(t, "127.0.0.1:0", echo)
		c, s := thread(t, how)
		var wg sync.WaitGroup
		for i := range 100 {
			conn := program(t, c)
			wg.Go(func() {
				body := bytes.Repeat([]byte{byte(i)}, 100_000)
				all := appendRequest(appendGreeting(nil, 0), cmdConnect, target)
				go func() {
					_, _ = conn.Write(append(all, body...))
					_ = conn.CloseWrite()
				}()
				got, err := io.ReadAll(conn)
				if err != nil || len(got) < 12 || !bytes.Equal(got[12:], body) {
					t.Errorf("connection %d: %d bytes, %v", i, len(got), err)
				}
			})
		}
		wg.Wait()
		eventually(t, "all ended", func() bool { return c.Stats().Active == 0 && s.Stats().Active == 0 })
		if c.Stats().Total != 100 || s.Stats().Total != 100 {
			t.Errorf("counted %+v and %+v", c.Stats(), s.Stats())
		}
	})
}

func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl on this machine")
	}
	page, err := demopage.New(demopage.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	runner(t, page.Run)
	m := newTwinMesh(t)
	client := startClient(t, m, func(cfg *ClientConfig) { cfg.Users = []User{{Name: "bob", Password: "secret"}} })
	startServer(t, m, func(cfg *ServerConfig) {
		cfg.Resolver = &names{answers: map[string][][]netip.Addr{"page.example": {addrs("127.0.0.1")}}}
	})
	_, port, _ := net.SplitHostPort(page.Addr().String())
	url := "http://page.example:" + port
	run := func(args ...string) ([]byte, error) {
		proxy := "socks5h://bob:secret@" + client.Addr().String()
		return exec.Command(curl, append([]string{"-q", "-sS", "--max-time", "60", "--noproxy", "", "-x", proxy}, args...)...).CombinedOutput()
	}
	const size = 20_000_000
	sum, err := run(fmt.Sprintf("%s/sha256/%d", url, size))
	if err != nil {
		t.Fatalf("%v: %s", err, sum)
	}
	body, err := run(fmt.Sprintf("%s/bytes/%d", url, size))
	if got := fmt.Sprintf("%x %d\n", sha256.Sum256(body), len(body)); err != nil || got != string(sum) {
		t.Fatalf("download: %s, %v; want %s", got, err, sum)
	}
	file := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, how := range [][]string{{"-T", file}, {"--data-binary", "@" + file}} {
		if got, err := run(append(how, url+"/sha256")...); err != nil || string(got) != string(sum) {
			t.Fatalf("upload %v: %s, %v", how, got, err)
		}
	}
	for target, reply := range map[string]string{"http://10.1.1.1/": "(2)", "http://unknown.example/": "(4)", "http://" + closedPort(t).String(): "(5)"} {
		if got, err := run(target); err == nil || !strings.Contains(string(got), reply) {
			t.Errorf("%s: %v: %s", target, err, got)
		}
	}
}
