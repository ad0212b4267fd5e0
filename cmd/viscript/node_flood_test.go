//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Of the flood: how many connections stay half open, and how many goroutines send garbage.
const (
	floodHalfOpen = 10000
	floodGarbage  = 8
)

// flooder is a hostile host: `flooder HOST:PORT` holds many half-open connections to a node and sends it garbage
// until its stdin ends.
func flooder() {
	var limit syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	limit.Cur = limit.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	addr := os.Args[1]
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range floodGarbage {
		wg.Go(func() { sendGarbage(ctx, addr, i) })
	}
	var stands sync.WaitGroup
	for range 100 {
		stands.Add(1)
		wg.Go(func() { holdHalfOpen(ctx, addr, floodHalfOpen/100, stands.Done) })
	}
	stands.Wait()
	fmt.Println(floodStands)
	_, _ = os.Stdin.Read(make([]byte, 1))
	cancel()
	wg.Wait()
}

// floodStands is what a flooder says once every connection was tried.
const floodStands = "the flood stands"

// holdHalfOpen keeps n connections that never say enough, and opens new ones for those that are closed.
func holdHalfOpen(ctx context.Context, addr string, n int, tried func()) {
	conns := make([]net.Conn, n)
	tried = sync.OnceFunc(tried)
	defer tried() // where it ends before
	for round := 0; ctx.Err() == nil; round++ {
		for i, c := range conns {
			if c != nil {
				_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
				if _, err := c.Read(make([]byte, 1)); err != nil && !os.IsTimeout(err) {
					c.Close()
					conns[i] = nil
				}
				continue
			}
			d := net.Dialer{Timeout: time.Second}
			if c, err := d.DialContext(ctx, "tcp", addr); err == nil {
				_, _ = c.Write([]byte{1}[:round%2])
				conns[i] = c
			}
			time.Sleep(time.Millisecond)
		}
		tried()
	}
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
}

// sendGarbage sends messages of the right length and the wrong contents, one a connection.
func sendGarbage(ctx context.Context, addr string, seed int) {
	random := rand.New(rand.NewPCG(uint64(seed), 7))
	for ctx.Err() == nil {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		b := make([]byte, 2+random.IntN(2000))
		_, _ = crand.Read(b)
		b[0], b[1] = byte((len(b)-2)>>8), byte(len(b)-2)
		_, _ = c.Write(b)
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if n, _ := c.Read(make([]byte, 1)); n > 0 {
			fmt.Println("the node answered garbage")
		}
		c.Close()
	}
}

// TestNodeFlood downloads at a steady rate while a hostile host holds 10,000 half-open connections to
// the node and sends it garbage: the rate stays, the node's memory stays bounded, nothing is answered.
func TestNodeFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of flood")
	}
	const rate, took = 10 << 20, 10 * time.Second
	f := newField(t, "a", "b", "e")
	f.manage()
	ab := f.link("a", "b")
	ea := f.link("e", "a")
	f.node("b")
	f.node("a", ab)
	f.serve()
	calm := f.rate(rate, took)
	before := f.memory("node-a")

	prog := filepath.Join(f.dir, "flooder")
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, prog)
	}
	if err != nil {
		t.Fatal(err)
	}
	flooded, after := 0.0, 0.0
	for range 4 { // what else the machine has to do comes and goes: the rates beside each other tell, once
		end, said := f.flood(prog, ea+":5000")
		flooded = f.rate(rate, took)
		after = max(after, f.memory("node-a"))
		end()
		if said.Len() > 0 {
			t.Errorf("the flooder says %.500s", said)
		}
		if flooded >= calm*0.8 {
			break
		}
		if calm = f.rate(rate, took); flooded >= calm*0.8 {
			break
		}
	}
	t.Logf("rate %.1f MB/s calm, %.1f flooded; memory of the node %.0f MB before, %.0f MB in the flood", calm/1e6, flooded/1e6, before/1e6, after/1e6)
	if flooded < calm*0.8 {
		t.Errorf("the flood takes %.0f %% of the rate", 100-100*flooded/calm)
	}
	if after-before > floodMemory {
		t.Errorf("the flood takes %.0f MB of the node's memory", (after-before)/1e6)
	}
	f.carries()
}

// flood starts a flooder on host e and returns when the flood stands, or a while later. What it says of the node is in said
// when end has returned.
func (f *field) flood(prog, addr string) (end func(), said *bytes.Buffer) {
	f.t.Helper()
	cmd := f.command(context.Background(), "e", prog, addr)
	in, err := cmd.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	said = new(bytes.Buffer)
	stands, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == floodStands {
				close(stands)
				continue
			}
			fmt.Fprintln(said, lines.Text())
		}
	}()
	select {
	case <-stands:
	case <-time.After(patience):
	}
	return func() { in.Close(); <-read; _ = cmd.Wait() }, said
}

// rate downloads through the mesh at so many bytes a second at most and returns what came.
func (f *field) rate(most int, took time.Duration) float64 {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*took)
	defer cancel()
	out, _ := f.curl(ctx, "-o", "/dev/null", "--limit-rate", strconv.Itoa(most), "-m", strconv.Itoa(int(took.Seconds())),
		"-w", "%{size_download} %{time_total}", "http://"+fieldPage+"/bytes/4294967296").Output() // it ends by its time limit
	var n, secs float64
	if _, err := fmt.Sscan(string(out), &n, &secs); err != nil {
		f.t.Fatalf("curl says %q: %v", out, err)
	}
	return n / secs
}

// memory is the resident memory of a role, in bytes.
func (f *field) memory(name string) float64 {
	f.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.roles[name].cmd.Process.Pid))
	if err != nil {
		f.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kb float64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		f.t.Fatal(err)
	}
	return kb * 1024
}
