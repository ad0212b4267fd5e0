//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/secure"
)

// port is something of the demo that strangers can reach.
type port struct {
	what, network, addr string
	silent              bool // answers nothing at all to who does not speak its protocol
}

func (d *demo) listeners() (all []port) {
	what := map[string]string{trackerPort: "tracker", managerPort: "manager", linkPort0: "node0", linkPort1: "node1", linkPort2: "node2"}
	for shipped, ours := range d.ports {
		name, mesh := what[shipped]
		if !mesh {
			name = shipped
		}
		all = append(all, port{name, "tcp", "127.0.0.1:" + ours, mesh})
		if strings.HasPrefix(shipped, "2102") {
			n, _ := net.LookupPort("tcp", ours)
			all = append(all, port{"app socket " + shipped, "unix", app.SocketName(app.Port(n)), false})
		}
	}
	return append(all, port{"signal socket", "unix", socketPath(d.state), false})
}

// attacks are what is sent; what follows is silence.
func attacks(seed uint64) map[string][]byte {
	noise := make([]byte, 64<<10)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	full := make([]byte, 256<<10)
	for i := range full {
		full[i] = 0xff
	}
	return map[string][]byte{
		"nothing":            nil,
		"one byte":           {5},
		"noise":              noise,
		"oversized":          full, // a length of all ones, and much of what it promises
		"half a frame (u16)": append([]byte{0x02, 0x00}, noise[:100]...),
		"half a frame (u32)": append([]byte{0, 0, 2, 0}, noise[:100]...),
		"half a request":     {5, 1, 0, 5, 1, 0, 3, 200, 'x'},
		"zeros":              make([]byte, 64<<10),
		"web":                []byte("GET / HTTP/1.1\r\nHost: localhost\r\n"),
		"json":               []byte("\x00\x00\x00\x02[]\x00\x00\x00\x40" + strings.Repeat("[", 64)),
	}
}

// testHostile sends nonsense to every port, keeps many connections open in silence, and uses the demo meanwhile.
func testHostile(t *testing.T, d *demo) {
	before, seed := d.openFiles(t), rand.Uint64()
	t.Logf("noise of seed %d", seed)
	var wg sync.WaitGroup
	defer wg.Wait()
	var open atomic.Int64
	slots := make(chan struct{}, 1024)
	for _, p := range d.listeners() {
		for name, bytes := range attacks(seed) {
			for _, half := range []bool{false, true} {
				slots <- struct{}{}
				wg.Go(func() {
					defer func() { <-slots }()
					answer, err := knock(p, bytes, half, &open)
					if err != nil {
						t.Errorf("%s, %s (half closed: %t): %v", p.what, name, half, err)
					}
					if p.silent && len(answer) > 0 {
						t.Errorf("%s answers %q to %s", p.what, answer, name)
					}
				})
			}
		}
		for range 30 {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				if _, err := knock(p, nil, false, &open); err != nil {
					t.Errorf("%s, one of a crowd: %v", p.what, err)
				}
			})
		}
		if p.network == "tcp" && p.what == "node1" {
			for range 3 { // while they are at it
				if err := d.works(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	t.Logf("%d connections are open", open.Load())
	if err := d.works(); err != nil {
		t.Error("under attack: ", err)
	}
	eventuallyTrue(t, "all are ready under attack", d.allReady)
	wg.Wait() // all of them were closed by the other side
	if err := d.works(); err != nil {
		t.Error("after it: ", err)
	}
	eventuallyTrue(t, "the connections are given up", func() error {
		if after := d.openFiles(t); after > before+40 {
			return fmt.Errorf("%d files are open, %d were before", after, before)
		}
		return nil
	})
	testWho(t, d)
}

// openFiles counts those of all apps.
func (d *demo) openFiles(t *testing.T) (n int) {
	t.Helper()
	var rows []struct {
		OpenFiles int `json:"open_files"`
	}
	d.json(t, &rows, "top")
	for _, r := range rows {
		n += r.OpenFiles
	}
	return n
}

// knock connects, sends bytes, and waits until the other side has had enough.
func knock(p port, bytes []byte, half bool, open *atomic.Int64) (answer []byte, err error) {
	nc, err := net.DialTimeout(p.network, p.addr, patience)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	open.Add(1)
	defer open.Add(-1)
	nc.SetDeadline(time.Now().Add(2 * patience))
	_, _ = nc.Write(bytes) // it may hang up before all is said
	if half {
		_ = nc.(interface{ CloseWrite() error }).CloseWrite()
	}
	answer, err = io.ReadAll(io.LimitReader(nc, 1<<20))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return answer, fmt.Errorf("still open after %v", 2*patience)
	}
	return answer, nil // closed or reset
}

// testStalled opens downloads that nobody reads; the others go on, and memory stays bounded. Then it breaks them off.
func testStalled(t *testing.T, d *demo) {
	const n = 64
	var conns []net.Conn
	for range n {
		conn := d.connect(t, "127.0.0.1", d.ports[pagePort])
		defer conn.Close()
		fmt.Fprintf(conn, "GET /bytes/%d HTTP/1.1\r\nHost: page\r\n\r\n", 1<<30)
		conns = append(conns, conn)
	}
	for range 5 {
		if err := d.works(); err != nil {
			t.Error("beside stalled downloads: ", err)
		}
	}
	var rows []struct {
		App string
		RSS int64 `json:"rss_bytes"`
	}
	d.json(t, &rows, "top")
	for _, r := range rows {
		t.Logf("%s: %d MB", r.App, r.RSS>>20)
		if r.RSS > 1<<30 {
			t.Errorf("%s uses %d bytes of memory for %d stalled downloads", r.App, r.RSS, n)
		}
	}
	for i, conn := range conns {
		if i%2 == 0 {
			_ = conn.(*net.TCPConn).SetLinger(0) // RST
		}
		conn.Close()
	}
	for _, name := range []string{"entry", "exit"} {
		eventuallyTrue(t, name+" has given them up", func() error {
			var open []json.RawMessage
			if d.json(t, &open, "tell", d.id(t, name), "connections"); len(open) > 0 {
				return fmt.Errorf("%d connections are open", len(open))
			}
			return nil
		})
	}
	if err := d.works(); err != nil {
		t.Error("after stalled downloads: ", err)
	}
}

// testWho asks everybody for a key: services answer, nodes do not.
func testWho(t *testing.T, d *demo) {
	for _, p := range d.listeners() {
		if !p.silent {
			continue
		}
		if n, err := p.who(t); strings.HasPrefix(p.what, "node") {
			if err == nil || n != 0 {
				t.Errorf("%s answers WHO with %d bytes", p.what, n)
			}
			continue
		}
		eventuallyTrue(t, p.what+" answers WHO", func() error { // one that waited long on a loaded machine is not answered
			_, err := p.who(t)
			return err
		})
	}
}

// who asks for the key there, and counts the bytes that came.
func (p port) who(t *testing.T) (n int, err error) {
	t.Helper()
	nc, err := net.Dial(p.network, p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	counted := &countingConn{Conn: nc}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = secure.AskWho(ctx, counted)
	return counted.n, err
}

// countingConn counts what it reads.
type countingConn struct {
	net.Conn
	n int
}

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n += n
	return n, err
}
