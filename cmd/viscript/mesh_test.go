//go:build linux

package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMesh runs the shipped demo as a user would: the daemon, eight children of it, curl.
func TestMesh(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole demo takes a minute")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("these tests need curl (.ci/tools installs it): ", err)
	}
	d := startDemo(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *demo)
	}{
		{"Up", testUp},
		{"Console", testConsole},
		{"Transfer", testTransfer},
		{"Crowd", testCrowd},
		{"Path", testPath},
		{"Capture", testCapture},
		{"Proxy", testProxy},
		{"Socks", testSocks},
		{"Failover", testFailover},
		{"Names", testMeshNames},
		{"Reach", testReach},
		{"Terms", testTerms},
		{"Meeting", testMeeting},
		{"NoWay", testNoWay},
		{"Password", testPassword},
		{"ForeignUser", testForeignUser},
		{"Refused", testRefusedByMesh},
		{"Stalled", testStalled},
		{"Hostile", testHostile},
		{"Article", testArticle},
		{"SideBySide", testSideBySide},
		{"Kill", testKill},
		{"KillManager", testKillManager},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(t, d) }) {
			return // what comes after would only repeat it
		}
	}
}

// curl runs curl without the proxies of the environment.
func (d *demo) curl(stdout io.Writer, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience) // of 256 MB, where others have most of the processors
	defer cancel()
	cmd := exec.CommandContext(ctx, "curl", append([]string{"-q", "-sS", "--fail"}, args...)...)
	cmd.Env = cleanEnv()
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = stdout, &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%q: %w: %s", cmd.Args, err, errs.String())
	}
	return nil
}

// proxied are the arguments that send curl through the mesh.
func (d *demo) proxied(args ...string) []string {
	return append([]string{"-x", "socks5h://" + d.addr(proxyPort)}, args...)
}

func (d *demo) page(path string) string { return "http://" + d.addr(pagePort) + path }

// works fetches a little through the mesh.
func (d *demo) works() error {
	const n = 100_000
	h := sha256.New()
	if err := d.curl(h, d.proxied("--max-time", "60", d.page(fmt.Sprint("/bytes/", n)))...); err != nil {
		return err
	}
	return sameSum(h, n)
}

// sameSum compares with the first n bytes of what the demo page serves.
func sameSum(h hash.Hash, n int64) error {
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != pageSum(n) {
		return fmt.Errorf("%d bytes came with SHA-256 %s", n, got)
	}
	return nil
}

// pageSum is the SHA-256 of the first n bytes of the demo page's sequence: AES-128 in counter mode over zeros.
func pageSum(n int64) string {
	h := sha256.New()
	_, _ = io.Copy(h, io.LimitReader(newPageBytes(), n))
	return fmt.Sprintf("%x", h.Sum(nil))
}

func newPageBytes() io.Reader {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		panic(err)
	}
	return cipher.StreamReader{S: cipher.NewCTR(block, make([]byte, 16)), R: zeros{}}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func testUp(t *testing.T, d *demo) {
	for _, name := range members {
		eventuallyTrue(t, "the daemon says that "+name+" is ready", func() error { // a moment after it knows
			if !regexp.MustCompile(`(?m)^` + name + ` +ID \d+ +ready +after `).MatchString(d.said(t)) {
				return fmt.Errorf("it says:\n%s", d.said(t))
			}
			return nil
		})
	}
	line := ""
	eventuallyTrue(t, "the daemon names a line to try", func() error {
		found := regexp.MustCompile(`(?m)^page \(ID \d+\): try: (curl .*)$`).FindStringSubmatch(d.said(t))
		if found == nil {
			return fmt.Errorf("it says:\n%s", d.said(t))
		}
		line = found[1]
		return nil
	})
	cmd := exec.Command("sh", "-c", line)
	cmd.Env = cleanEnv()
	out, errs, code := try(cmd)
	if code != 0 || !strings.Contains(out, "<h1>This page came over the mesh</h1>") {
		t.Errorf("%s: exit status %d: %s%s", line, code, out, errs)
	}
}

// testConsole checks the answers that scripts rely on.
func testConsole(t *testing.T, d *demo) {
	var rows []map[string]json.RawMessage
	d.json(t, &rows, "la")
	if len(rows) != len(members) {
		t.Errorf("la lists %d apps, want %d", len(rows), len(members))
	}
	for _, r := range rows {
		wantFields(t, "la", r, "id", "app", "pid", "state", "command", "started")
	}

	port := freePorts(t, 1)[0]
	out := d.ok(t, "s", "apptracker", "127.0.0.1:"+port)
	found := regexp.MustCompile(`^Added external app \(ID: (\d+), Command: .*/meshnet-run-apptracker 127\.0\.0\.1:` + port + `\)\n$`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("start answers %q", out)
	}
	id := found[1]
	eventuallyTrue(t, "the second tracker is ready", func() error {
		if out := d.ok(t, "la"); !regexp.MustCompile(`(?m)^ *` + id + ` +apptracker +ready`).MatchString(out) {
			return fmt.Errorf("la says\n%s", out)
		}
		return nil
	})
	if out := d.ok(t, "la", "-f"); !strings.Contains(out, "/meshnet-run-apptracker 127.0.0.1:"+port) {
		t.Errorf("la -f says\n%s", out)
	}
	var row map[string]json.RawMessage
	eventuallyTrue(t, "it answers ping and ru", func() error { // each within two seconds, in which it may not have been given a processor
		out, errs, code := d.exec("--json", "ping", id)
		if code != exitOK {
			return fmt.Errorf("ping: %s", errs)
		}
		if err := json.Unmarshal([]byte(out), &row); err != nil {
			return err
		}
		wantFields(t, "ping", row, "id", "rtt_ms")
		clear(row)
		if d.json(t, &row, "ru", id); string(row["goroutines"]) == "0" {
			return fmt.Errorf("ru: %s", row)
		}
		return nil
	})
	wantFields(t, "ru", row, "id", "rss_bytes", "cpu_percent", "goroutines")
	var stopped struct {
		ID   json.Number `json:"id"`
		Rung string      `json:"rung"`
		Code *int        `json:"exit_code"`
	}
	d.json(t, &stopped, "sd", id)
	if stopped.ID.String() != id || stopped.Rung != "shutdown" || stopped.Code == nil || *stopped.Code != 0 {
		t.Errorf("sd answers %+v", stopped)
	}
	if out := d.ok(t, "logs", id); !strings.Contains(out, "app tracker") {
		t.Errorf("logs says\n%s", out)
	}
	clear(row)
	d.json(t, &row, "start", "apptracker", "127.0.0.1:"+port)
	wantFields(t, "start", row, "id", "pid", "command")
	d.ok(t, "sd", string(row["id"]))
}

// wantFields checks that an object has the fields, none of them null, and the numbers not zero.
func wantFields(t *testing.T, what string, got map[string]json.RawMessage, names ...string) {
	t.Helper()
	for _, name := range names {
		v := string(got[name])
		if v == "" || v == "null" || v == `""` || v == "0" && name != "cpu_percent" {
			t.Errorf("%s: %q is %q", what, name, v)
		}
	}
}

// routeOf is an element of a node's `routes`.
type routeOf struct {
	Route         json.RawMessage
	Role          string `json:"role"`
	Prev, Next    string
	ForwardBytes  int64 `json:"forward_bytes"`
	BackwardBytes int64 `json:"back_bytes"`
}

// transits are the routes over a node.
func (d *demo) transits(t *testing.T, node string) map[string]routeOf {
	t.Helper()
	var routes []routeOf
	d.json(t, &routes, "tell", d.id(t, node), "routes")
	over := make(map[string]routeOf)
	for _, r := range routes {
		if r.Role == "transit" {
			over[string(r.Route)] = r
		}
	}
	return over
}

// carried is how much a node says that it has forwarded while something was done: downloads come back along the routes. A route that
// ends meanwhile, because a link stood still on a loaded machine, takes its count along: then it is done once more.
func (d *demo) carried(t *testing.T, node string, do func()) (forward, back int64) {
	t.Helper()
	for range 5 {
		before := d.transits(t, node)
		do()
		after := d.transits(t, node)
		forward, back = 0, 0
		for id, r := range after {
			forward, back = forward+r.ForwardBytes-before[id].ForwardBytes, back+r.BackwardBytes-before[id].BackwardBytes
			delete(before, id)
		}
		if len(before) == 0 {
			return forward, back
		}
		t.Logf("%d routes over %s have ended meanwhile", len(before), node)
	}
	t.Fatalf("routes over %s end all the time", node)
	return 0, 0
}

func testTransfer(t *testing.T, d *demo) {
	const down, up = 256 << 20, 64 << 20
	forward, back := d.carried(t, "node1", func() {
		h := sha256.New()
		began := time.Now()
		if err := d.curl(h, d.proxied(d.page(fmt.Sprint("/bytes/", down)))...); err != nil {
			t.Fatal(err)
		}
		t.Logf("download: %.0f MB/s", down/1e6/time.Since(began).Seconds())
		if err := sameSum(h, down); err != nil {
			t.Error(err)
		}
	})
	if back < down || back > down*11/10 {
		t.Errorf("node1 says that it carried %d bytes of a download of %d", back, down)
	}
	if forward > down/10 {
		t.Errorf("node1 says that it carried %d bytes towards the exit during a download", forward)
	}

	path := filepath.Join(t.TempDir(), "upload")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.CopyN(f, newPageBytes(), up)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	forward, _ = d.carried(t, "node1", func() {
		var answer strings.Builder
		began := time.Now()
		if err := d.curl(&answer, d.proxied("-T", path, d.page("/sha256"))...); err != nil {
			t.Fatal(err)
		}
		t.Logf("upload: %.0f MB/s", up/1e6/time.Since(began).Seconds())
		if want := fmt.Sprintf("%s %d\n", pageSum(up), up); answer.String() != want {
			t.Errorf("the page received %q, want %q", answer.String(), want)
		}
	})
	if forward < up || forward > up*11/10 {
		t.Errorf("node1 says that it carried %d bytes of an upload of %d", forward, up)
	}
}

// testCrowd downloads 100 files at once.
func testCrowd(t *testing.T, d *demo) {
	const n, size = 100, 1 << 20
	dir := t.TempDir()
	began := time.Now()
	err := d.curl(io.Discard, d.proxied("--parallel", "--parallel-immediate", "--parallel-max", fmt.Sprint(n),
		"-o", filepath.Join(dir, "#1"), d.page(fmt.Sprintf("/bytes/%d?[1-%d]", size, n)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d at once: %.0f MB/s", n, n*size/1e6/time.Since(began).Seconds())
	want := pageSum(size)
	for i := range n {
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i+1)))
		if err != nil {
			t.Error(err)
		} else if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != want {
			t.Errorf("file %d: %d bytes with SHA-256 %s", i+1, len(text), got)
		}
	}
}

// testPath checks that traffic has no other way than over node1.
func testPath(t *testing.T, d *demo) {
	key := map[string]string{}
	for _, name := range []string{"node0", "node1", "node2"} {
		var info struct{ Key string }
		d.json(t, &info, "tell", d.id(t, name), "info")
		key[name] = info.Key
	}
	for name, want := range map[string][]string{"node0": {"node1"}, "node1": {"node0", "node2"}, "node2": {"node1"}} {
		eventuallyTrue(t, "links of "+name, func() error { return d.hasLinks(t, name, key, want) })
	}
	eventuallyTrue(t, "the manager knows two links", func() error {
		var both []struct{ A, B string }
		d.json(t, &both, "tell", d.id(t, "demo-manager"), "links")
		for _, l := range both {
			if l.A != "node1" && l.B != "node1" {
				t.Errorf("the manager knows a link from %s to %s", l.A, l.B)
			}
		}
		if len(both) != 2 {
			return fmt.Errorf("%+v", both)
		}
		return nil
	})
	eventuallyTrue(t, "a route leads over node1", func() error {
		if err := d.works(); err != nil { // so that there is one
			return err
		}
		var routes []routeOf
		d.json(t, &routes, "tell", d.id(t, "node1"), "routes")
		for _, r := range routes {
			if r.Role != "transit" || r.Prev == "" || r.Next == "" {
				t.Errorf("node1 has the route %+v", r)
			}
		}
		if len(routes) == 0 {
			return errors.New("none does")
		}
		return nil
	})
}

// hasLinks says whether a node's links are other than those to the nodes that are wanted. One to another node is an error at once.
func (d *demo) hasLinks(t *testing.T, name string, key map[string]string, want []string) error {
	t.Helper()
	var links []struct{ Key string }
	d.json(t, &links, "tell", d.id(t, name), "links")
	got := map[string]bool{}
	for _, l := range links {
		got[l.Key] = true
		if !slices.ContainsFunc(want, func(w string) bool { return key[w] == l.Key }) {
			t.Errorf("%s has the link %+v, one to each of %q is wanted", name, l, want)
		}
	}
	if len(links) != len(want) || len(got) != len(want) {
		return fmt.Errorf("%s has %d links, want %d", name, len(links), len(want))
	}
	return nil
}

// testSideBySide runs a second demo with another state folder, signal port and configuration.
func testSideBySide(t *testing.T, d *demo) {
	t.Run("second", func(t *testing.T) {
		second := startDemo(t)
		for _, x := range []*demo{d, second} {
			if err := x.works(); err != nil {
				t.Error(err)
			}
		}
		a, err := d.apps()
		b, err2 := second.apps()
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		for _, x := range b {
			for _, y := range a {
				if x.Pid == y.Pid && x.Pid != 0 {
					t.Errorf("pid %d is an app of both daemons", x.Pid)
				}
			}
		}
	})
	if err := d.works(); err != nil {
		t.Errorf("after the end of the second daemon: %v", err)
	}
	if err := d.allReady(); err != nil {
		t.Error(err)
	}
}
