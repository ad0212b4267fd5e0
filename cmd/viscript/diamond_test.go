//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The shape of TestDiamond; VISCRIPT_DIAMOND=BYTES:CUTS:RATE makes it larger, such as 4294967296:20:40000000.
const diamondShape = "201326592:6:6000000"

// Times of one cut, and what a transfer may stand still: two seconds of detection and switching, with
// slack for a loaded machine, on which any of the processes may stand still for seconds.
const (
	cutFor   = 2500 * time.Millisecond
	healFor  = 2500 * time.Millisecond // at least, and until all links are there again
	maxStall = 30 * time.Second
)

// TestDiamond downloads and uploads by curl between two nodes with two relays between them, which
// are killed or silently cut off one after the other while it runs. Nothing breaks, nothing is lost.
//
//	  ┌ x ┐
//	a ┤   ├ b
//	  └ y ┘
func TestDiamond(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of transfers")
	}
	size, cuts, rate := shapeOf(t)
	f := newField(t, "a", "x", "y", "b")
	f.mesh()
	down, up := make(chan transfer, 1), make(chan transfer, 1)
	var downloaded, uploaded atomic.Int64
	go func() { down <- f.download(size, rate, &downloaded) }()
	go func() { up <- f.upload(size, rate, &uploaded) }()
	eventuallyTrue(t, "both transfers are under way", func() error {
		if d, u := downloaded.Load(), uploaded.Load(); min(d, u) < min(size, 1<<20) {
			return fmt.Errorf("%d bytes have come, %d were sent", d, u)
		}
		return nil
	})
	for i := range cuts {
		relay := []string{"x", "y"}[i%2]
		began := time.Now()
		what := f.harm(relay, i)
		time.Sleep(cutFor)
		f.mend(relay, i)
		t.Logf("cut %2d: %s, for %s", i+1, what, time.Since(began).Round(time.Millisecond))
		time.Sleep(healFor)
		for _, host := range []string{"a", "b"} { // or the next cut would take the only way
			eventuallyTrue(t, host+" has both its links", func() error {
				if n := f.linksOf(host); n != 2 {
					return fmt.Errorf("it has %d", n)
				}
				return nil
			})
		}
	}
	for name, c := range map[string]chan transfer{"download": down, "upload": up} {
		select {
		case got := <-c:
			t.Logf("%s: %d bytes in %.1f s, longest stalls %v", name, size, got.took.Seconds(), got.stalls)
			if got.err != nil || got.sum != pageSum(size) {
				t.Errorf("%s: %v, SHA-256 %s", name, got.err, got.sum)
			}
			if len(got.stalls) > 0 && got.stalls[0] > maxStall {
				t.Errorf("%s stood still for %s", name, got.stalls[0])
			}
		case <-time.After(10 * time.Minute):
			t.Fatalf("the %s does not end", name)
		}
	}
}

func shapeOf(t *testing.T) (size int64, cuts int, rate float64) {
	shape := os.Getenv("VISCRIPT_DIAMOND")
	if shape == "" {
		shape = diamondShape
	}
	w := strings.Split(shape, ":")
	if len(w) != 3 {
		t.Fatalf("VISCRIPT_DIAMOND=%s, want BYTES:CUTS:RATE", shape)
	}
	size, err := strconv.ParseInt(w[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if cuts, err = strconv.Atoi(w[1]); err != nil {
		t.Fatal(err)
	}
	if rate, err = strconv.ParseFloat(w[2], 64); err != nil {
		t.Fatal(err)
	}
	return size, cuts, rate
}

const (
	fieldManager = "10.76.0.1:5999"
	fieldApp     = "127.0.0.1:15000"
	fieldPage    = "127.0.0.1:21080"
	fieldProxy   = "127.0.0.1:1080"
)

// mesh starts everything: manager and tracker on m, a node on each host, the exit and a page on b, the entry on a.
func (f *field) mesh() {
	f.t.Helper()
	f.manage()
	ax, ay := f.link("a", "x"), f.link("a", "y")
	bx, by := f.link("b", "x"), f.link("b", "y")
	f.node("x")
	f.node("y")
	f.node("a", ax, ay)
	f.node("b", bx, by)
	f.serve()
}

// manage starts the manager and the tracker.
func (f *field) manage() {
	f.t.Helper()
	f.start("m", "tracker", "apptracker", "10.76.0.1:20000")
	f.listens("m", ":20000")
	f.start("m", "manager", "nodemanager", "test.mesh", fieldManager, "10.76.0.1:20000")
	f.listens("m", ":5999")
}

// serve starts a page and the exit on b, the entry on a, and waits until they work.
func (f *field) serve() {
	f.t.Helper()
	f.start("b", "page", "demo-page", fieldPage)
	f.start("b", "exit", "socks-server", "exit", fieldApp, "0", "--allow-target", fieldPage)
	f.start("a", "entry", "socks-client", "entry", fieldApp, "1080", "--server", "exit")
	f.listens("a", ":1080")
	f.carries()
}

// carries waits until the mesh does.
func (f *field) carries() {
	f.t.Helper()
	eventuallyTrue(f.t, "the mesh carries something", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		out, err := f.curl(ctx, "http://"+fieldPage+"/sha256/1").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// node starts a host's node with links to its neighbours.
func (f *field) node(host string, peers ...string) {
	args := []string{"node", "0.0.0.0:5000", fieldManager, "false", "15000", host}
	for _, p := range peers {
		args = append(args, "--peer", p+":5000")
	}
	f.start(host, "node-"+host, args...)
	f.listens(host, ":15000")
}

// curl is curl on a, through the mesh.
func (f *field) curl(ctx context.Context, args ...string) *exec.Cmd {
	return f.command(ctx, "a", append([]string{"curl", "-q", "-sS", "--fail", "-x", "socks5h://" + fieldProxy}, args...)...)
}

// harm takes a relay out of the network, in one of three ways.
func (f *field) harm(relay string, i int) string {
	switch i % 3 {
	case 0:
		f.kill("node-" + relay)
		return "relay " + relay + " killed"
	case 1:
		f.cut(relay, "a")
		return "link a - " + relay + " drops everything"
	default:
		f.cut(relay, "b")
		return "link " + relay + " - b drops everything"
	}
}

func (f *field) mend(relay string, i int) {
	switch i % 3 {
	case 0:
		f.node(relay)
	case 1:
		f.heal(relay, "a")
	default:
		f.heal(relay, "b")
	}
}

// linkLine is what a node logs of its links.
var linkLine = regexp.MustCompile(`msg="link (up|down)".* peer=(\S+)`)

// linksOf counts the links of a host's node, by its log.
func (f *field) linksOf(host string) (n int) {
	f.t.Helper()
	text, err := os.ReadFile(f.roles["node-"+host].out)
	if err != nil {
		f.t.Fatal(err)
	}
	state := map[string]string{}
	for _, m := range linkLine.FindAllStringSubmatch(string(text), -1) {
		state[m[2]] = m[1]
	}
	for _, s := range state {
		if s == "up" {
			n++
		}
	}
	return n
}

// transfer is how a transfer went.
type transfer struct {
	err    error
	sum    string
	took   time.Duration
	stalls []time.Duration // the longest ones first, at most five
}

// stall enters a pause between two pieces of a transfer.
func (r *transfer) stall(d time.Duration) {
	d = d.Round(time.Millisecond)
	at := len(r.stalls)
	for at > 0 && r.stalls[at-1] < d {
		at--
	}
	r.stalls = append(r.stalls[:at], append([]time.Duration{d}, r.stalls[at:]...)...)
	r.stalls = r.stalls[:min(len(r.stalls), 5)]
}

// download counts what has come in moved, too.
func (f *field) download(size int64, rate float64, moved ...*atomic.Int64) (r transfer) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	cmd := f.curl(ctx, "-N", fmt.Sprintf("http://%s/bytes/%d", fieldPage, size))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return transfer{err: err}
	}
	h, began := sha256.New(), time.Now()
	got := int64(0)
	for buf := make([]byte, 64<<10); ; {
		before := time.Now()
		n, err := out.Read(buf)
		r.stall(time.Since(before))
		h.Write(buf[:n])
		if err != nil {
			break
		}
		got += int64(n)
		for _, m := range moved {
			m.Store(got)
		}
		pace(began, got, rate)
	}
	if err := cmd.Wait(); err != nil {
		r.err = fmt.Errorf("curl: %w: %s", err, errs.String())
	}
	r.sum, r.took = fmt.Sprintf("%x", h.Sum(nil)), time.Since(began)
	return r
}

// pace waits until n bytes since the beginning are no more than rate bytes a second.
func pace(began time.Time, n int64, rate float64) {
	time.Sleep(time.Until(began.Add(time.Duration(float64(n) / rate * float64(time.Second)))))
}

// upload feeds curl and sees how long it does not take more.
func (f *field) upload(size int64, rate float64, moved *atomic.Int64) (r transfer) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	cmd := f.curl(ctx, "-T", "-", "http://"+fieldPage+"/sha256")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return transfer{err: err}
	}
	began := time.Now()
	page, buf, sent := io.LimitReader(newPageBytes(), size), make([]byte, 64<<10), int64(0)
	for {
		n, err := page.Read(buf)
		if err != nil {
			break
		}
		before := time.Now()
		if _, err := in.Write(buf[:n]); err != nil {
			break // curl says why
		}
		r.stall(time.Since(before))
		sent += int64(n)
		moved.Store(sent)
		pace(began, sent, rate)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		r.err = fmt.Errorf("curl: %w: %s", err, errs.String())
	}
	r.took = time.Since(began)
	var n int64
	if _, err := fmt.Sscanf(out.String(), "%s %d", &r.sum, &n); err != nil || n != size {
		r.err = fmt.Errorf("the page answered %q: %w", out.String(), r.err)
	}
	return r
}
