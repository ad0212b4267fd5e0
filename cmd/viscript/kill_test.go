//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// revive starts a member that died again, by the words that a person would type.
func (d *demo) revive(t *testing.T, name string) {
	t.Helper()
	m := d.member(name)
	d.ok(t, append([]string{"start", m.App}, m.Args...)...)
	eventuallyTrue(t, name+" is ready again", func() error {
		a, err := d.running(name)
		if err == nil && a.State != signal.Ready {
			err = fmt.Errorf("it is %s", a.State)
		}
		return err
	})
}

// kill kills a member, unasked and unwarned.
func (d *demo) kill(t *testing.T, name string) (victim signal.App) {
	t.Helper()
	victim, err := d.running(name)
	if err == nil {
		err = syscall.Kill(victim.Pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	return victim
}

// mourn waits until the console knows that an app was killed, and checks what it says.
func (d *demo) mourn(t *testing.T, victim signal.App) {
	t.Helper()
	eventuallyTrue(t, victim.Command+" is known to be dead", func() error {
		apps, err := d.apps()
		for _, a := range apps {
			if a.ID == victim.ID && a.Ended != nil {
				if a.ExitCode == nil || *a.ExitCode != 128+int(syscall.SIGKILL) || !strings.Contains(a.Reason, "SIGKILL") {
					t.Errorf("la -a says %+v", a)
				}
				return err
			}
		}
		return fmt.Errorf("it still runs (%v)", err)
	})
	if out := d.ok(t, "la", "-a"); !regexp.MustCompile(fmt.Sprintf(`(?m)^ *%d .*\(137\)`, victim.ID)).MatchString(out) {
		t.Errorf("la -a does not tell exit code 137 of %s:\n%s", victim.Command, out)
	}
	if out := d.ok(t, "why", fmt.Sprint(victim.ID)); !strings.Contains(out, "137") {
		t.Errorf("why says of %s: %s", victim.Command, out)
	}
}

// testKill kills every child in turn; the others go on, and started again it works again.
func testKill(t *testing.T, d *demo) {
	for _, name := range members {
		d.mourn(t, d.kill(t, name))
		// An app has two seconds for its word, which a loaded machine may take from it.
		eventuallyTrue(t, "the others go on after the death of "+name, d.others)
		d.revive(t, name)
		began := time.Now()
		eventuallyTrue(t, "the mesh works again after the death of "+name, d.works)
		t.Logf("%s: works again %.1f s after it was ready again", name, time.Since(began).Seconds())
	}
	eventuallyTrue(t, "all are ready", d.allReady)
}

// others is nil when all members but one are ready and answer.
func (d *demo) others() error {
	var rows []struct {
		App        string
		State      signal.State
		Goroutines int // by the app's own word
		Error      string
	}
	out, errs, code := d.exec("--json", "top")
	if code != exitOK {
		return fmt.Errorf("top: exit status %d: %s", code, errs)
	}
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		return err
	}
	for _, r := range rows {
		if r.State != signal.Ready || r.Goroutines == 0 || r.Error != "" {
			return fmt.Errorf("%+v", r)
		}
	}
	if len(rows) != len(members)-1 {
		return fmt.Errorf("%d apps run", len(rows))
	}
	return nil
}

// testKillManager kills the node manager in the middle of a download.
func testKillManager(t *testing.T, d *demo) {
	src := startSource(t)
	h := sha256.New()
	done := make(chan error, 1)
	go func() { done <- d.curl(h, d.proxied("--no-buffer", src.web.URL)...) }()
	src.sends(t, 1<<20)
	d.mourn(t, d.kill(t, "demo-manager"))
	src.sends(t, 1<<20)
	eventuallyTrue(t, "a new connection works without the manager", d.works)
	src.sends(t, 1<<20)
	close(src.enough)
	if err := <-done; err != nil {
		t.Fatal("the download did not outlive the manager: ", err)
	}
	src.web.Close() // the handler has ended
	if want, got := fmt.Sprintf("%x", src.hash.Sum(nil)), fmt.Sprintf("%x", h.Sum(nil)); got != want {
		t.Errorf("%d bytes came with SHA-256 %s, want %s", src.sent.Load(), got, want)
	}
	d.revive(t, "demo-manager")
	eventuallyTrue(t, "all nodes have registered again", func() error {
		var nodes []struct {
			Name      string
			Connected bool
		}
		d.json(t, &nodes, "tell", d.id(t, "demo-manager"), "nodes")
		connected := 0
		for _, n := range nodes {
			if n.Connected {
				connected++
			}
		}
		if connected != 3 {
			return fmt.Errorf("nodes says %+v", nodes)
		}
		return nil
	})
	// Another proxy has another exit to ask for, and no session to fall back on.
	d.mourn(t, d.kill(t, "entry"))
	d.mourn(t, d.kill(t, "node0"))
	d.revive(t, "node0")
	d.revive(t, "entry")
	eventuallyTrue(t, "a new session is possible", d.works)
}

// source is a web server that sends about 6 MB/s for as long as it is wanted.
type source struct {
	web    *httptest.Server
	enough chan struct{} // closed: come to an end
	sent   atomic.Int64
	hash   hash.Hash // of what was sent; the handler's until curl has it all
}

func startSource(t *testing.T) *source {
	s := &source{enough: make(chan struct{}), hash: sha256.New()}
	s.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bytes, chunk := newPageBytes(), make([]byte, 64<<10)
		for {
			_, _ = io.ReadFull(bytes, chunk)
			s.hash.Write(chunk)
			if _, err := w.Write(chunk); err != nil {
				return
			}
			s.sent.Add(int64(len(chunk)))
			select {
			case <-s.enough:
				return
			case <-r.Context().Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}))
	t.Cleanup(s.web.Close)
	return s
}

// sends waits until n more bytes have left the server.
func (s *source) sends(t *testing.T, n int64) {
	t.Helper()
	end := s.sent.Load() + n
	eventuallyTrue(t, "the download goes on", func() error {
		if at := s.sent.Load(); at < end {
			return fmt.Errorf("the server has sent %d bytes, %d are missing", at, end-at)
		}
		return nil
	})
}
