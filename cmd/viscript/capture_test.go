//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// capture is a tcpdump of loopback.
type capture struct {
	cmd  *exec.Cmd
	out  lockedBuffer // pcap
	errs lockedBuffer
}

// lockedBuffer is a buffer that is read while a program writes.
type lockedBuffer struct {
	mu sync.Mutex // guards the following
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Len()
}

// startCapture captures whole packets from and to TCP ports.
func startCapture(t *testing.T, ports ...string) *capture {
	t.Helper()
	c := &capture{}
	c.cmd = exec.Command("tcpdump", "-i", "lo", "-n", "-U", "-s", "0", "-B", "32768", "-w", "-",
		"tcp port "+strings.Join(ports, " or tcp port "))
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.errs
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	eventuallyTrue(t, "tcpdump listens", func() error {
		said := c.errs.String()
		if strings.Contains(said, "permi") {
			t.Skip("this root may not capture: ", said)
		}
		if !strings.Contains(said, "listening on") {
			return fmt.Errorf("it says %q", said)
		}
		return nil
	})
	return c
}

// stop returns what was captured, once that is enough: packets are in the kernel's buffer first, where tcpdump leaves them when it is
// interrupted.
func (c *capture) stop(t *testing.T, enough func() error) string {
	t.Helper()
	eventuallyTrue(t, "tcpdump has told what was captured", enough)
	time.Sleep(300 * time.Millisecond) // for what came last
	_ = c.cmd.Process.Signal(os.Interrupt)
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("tcpdump: %v: %s", err, c.errs.String())
	}
	return c.out.String()
}

// testCapture looks for the text of a transfer on the wires of the mesh, and finds it on the web server's.
func testCapture(t *testing.T, d *demo) {
	if os.Geteuid() != 0 {
		t.Skip("capturing needs root")
	}
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Fatal("this test needs tcpdump (.ci/tools installs it): ", err)
	}
	const line = "A line that anybody would recognise, number %06d.\n"
	var text bytes.Buffer
	for i := range 40_000 {
		fmt.Fprintf(&text, line, i)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(text.Bytes()) }))
	defer web.Close()
	url := web.URL + "/a-recognisable-path"
	_, webPort, _ := strings.Cut(strings.TrimPrefix(web.URL, "http://"), ":")

	mesh := startCapture(t, d.ports[linkPort0], d.ports[linkPort1], d.ports[linkPort2], d.ports[managerPort], d.ports[trackerPort])
	plain := startCapture(t, webPort)
	h := sha256.New()
	if err := d.curl(h, d.proxied("-A", "a-recognisable-browser", url)...); err != nil {
		t.Fatal(err)
	}
	if [sha256.Size]byte(h.Sum(nil)) != sha256.Sum256(text.Bytes()) {
		t.Error("the text did not arrive as it was")
	}
	secrets := []string{
		"A line that anybody", "would recognise", "number 0", "a-recognisable-path", "a-recognisable-browser",
		"HTTP/1.1", "127.0.0.1:" + webPort,
	}
	seen := mesh.stop(t, func() error {
		if n := mesh.out.Len(); n < text.Len()*3/2 { // more than one link alone; tcpdump may miss some
			return fmt.Errorf("only %d bytes were captured of two links that carried %d each", n, text.Len())
		}
		return nil
	})
	for _, secret := range secrets {
		if strings.Contains(seen, secret) {
			t.Errorf("%q can be read on the links", secret)
		}
	}
	plain.stop(t, func() error {
		told := plain.out.String()
		for _, secret := range secrets {
			if !strings.Contains(told, secret) {
				return fmt.Errorf("%q was not found where it certainly was: this check sees nothing", secret)
			}
		}
		return nil
	})
}
