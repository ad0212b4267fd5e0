//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/secure"
)

// meetingPoint is a messenger in a process of its own.
type meetingPoint struct {
	cmd  *exec.Cmd
	addr secure.Addr
}

func startMessenger(b testing.TB, args ...string) *meetingPoint {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	at := ln.Addr().String()
	ln.Close()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	program, dir := filepath.Join(b.TempDir(), "viscript"), b.TempDir()
	if err := os.Symlink(self, program); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"messenger", at, "--state", dir}, args...)...)
	cmd.Env = cleanEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	m := &meetingPoint{cmd: cmd, addr: secure.Addr{HostPort: at}}
	eventuallyTrue(b, "the messenger", func() error {
		nc, err := net.Dial("tcp", at)
		if err != nil {
			return err
		}
		defer nc.Close()
		m.addr.Key, err = secure.AskWho(b.Context(), nc)
		return err
	})
	return m
}

// cpu is the processor time that a process has used.
func cpu(b testing.TB, pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	w := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(w[11])
	system, _ := strconv.Atoi(w[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memory is what a process holds, in KiB.
func memory(b testing.TB, pid int) (kib int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fmt.Sscan(rest, &kib)
	return kib
}

// meet makes a client at a messenger, which runs until the test ends.
func meet(b testing.TB, m *meetingPoint) (*relay.Client, identity.PubKey) {
	b.Helper()
	key, err := identity.Generate()
	if err != nil {
		b.Fatal(err)
	}
	pins, err := secure.OpenPins(filepath.Join(b.TempDir(), "pins"))
	if err != nil {
		b.Fatal(err)
	}
	c, err := relay.NewClient(relay.Config{Key: key, Pins: pins, Messengers: []secure.Addr{m.addr}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { c.Run(ctx) })
	b.Cleanup(func() { cancel(); wg.Wait() })
	eventuallyTrue(b, "connected", func() error {
		if s := c.Status()[0]; !s.Connected {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	return c, key.Public()
}

// circuit is a circuit over a messenger, both ends of it.
func circuit(b testing.TB, m *meetingPoint) (near, far net.Conn) {
	x, _ := meet(b, m)
	y, key := meet(b, m)
	ln, err := y.Listen(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	if near, err = x.Dial(b.Context(), key.String()); err != nil {
		b.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { near.Close(); far.Close(); ln.Close() })
	return near, far
}

// splice is a plain TCP relay in this process: what a relay without any protocol costs.
func splice(b testing.TB) (near, far net.Conn) {
	listen := func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { ln.Close() })
		return ln
	}
	front, back := listen(), listen()
	go func() {
		in, err := front.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", back.Addr().String())
		if err != nil {
			return
		}
		go io.Copy(in, out)
		io.Copy(out, in)
		out.Close()
		in.Close()
	}()
	near, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	if far, err = back.Accept(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// BenchmarkRelay moves bytes over a messenger in a process of its own; cpu-s/GB is that process alone.
func BenchmarkRelay(b *testing.B) {
	m := startMessenger(b)
	near, far := circuit(b, m)
	before := cpu(b, m.cmd.Process.Pid)
	n := pump(b, near, far)
	b.ReportMetric((cpu(b, m.cmd.Process.Pid)-before).Seconds()/(float64(n)/1e9), "cpu-s/GB")
}

// BenchmarkSplice is the same over a plain TCP splice in this process.
func BenchmarkSplice(b *testing.B) {
	near, far := splice(b)
	pump(b, near, far)
}

func pump(b *testing.B, near, far net.Conn) (sent int64) {
	go io.Copy(io.Discard, far)
	buf := make([]byte, 128<<10)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		n, err := near.Write(buf)
		if err != nil {
			b.Fatal(err)
		}
		sent += int64(n)
	}
	return sent
}

// BenchmarkRelayLatency is the round trip of 64 bytes over a messenger, and over a plain splice.
func BenchmarkRelayLatency(b *testing.B) {
	m := startMessenger(b)
	near, far := circuit(b, m)
	b.Run("relay", func(b *testing.B) { bounce(b, near, far) })
	near, far = splice(b)
	b.Run("splice", func(b *testing.B) { bounce(b, near, far) })
}

func bounce(b *testing.B, near, far net.Conn) {
	go io.Copy(far, far)
	var took []time.Duration
	buf := make([]byte, 64)
	for b.Loop() {
		began := time.Now()
		near.Write(buf)
		if _, err := io.ReadFull(near, buf); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e6, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e6, "p99-ms")
}

// idleClient does nothing but ping. It implements link.Receiver.
type idleClient struct{}

func (idleClient) Record([]byte) {}
func (idleClient) Flush()        {}
func (idleClient) Closed(error)  {}

// BenchmarkIdleClients connects VISCRIPT_CLIENTS (default 1000) keys, which then only ping, and tells what they cost the messenger.
func BenchmarkIdleClients(b *testing.B) {
	n := 1000
	if v, err := strconv.Atoi(os.Getenv("VISCRIPT_CLIENTS")); err == nil {
		n = v
	}
	m := startMessenger(b)
	empty := memory(b, m.cmd.Process.Pid)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	defer wg.Wait()
	defer cancel()
	slots := make(chan struct{}, 8)
	var up sync.WaitGroup
	began := time.Now()
	for range n {
		slots <- struct{}{}
		up.Add(1)
		wg.Go(func() {
			key, err := identity.Generate()
			var nc net.Conn
			if err == nil {
				nc, err = net.Dial("tcp", m.addr.HostPort)
			}
			var r secure.Result
			if err == nil {
				r, err = secure.Dial(ctx, nc, secure.Config{Local: key, Kind: secure.KindMessenger}, m.addr.Key)
			}
			<-slots
			up.Done()
			if err != nil {
				b.Error(err)
				return
			}
			l := link.New(nc, r, link.Options{Dialed: true})
			defer context.AfterFunc(ctx, l.Abort)()
			l.Run(idleClient{})
		})
	}
	up.Wait()
	took := time.Since(began)
	time.Sleep(6 * time.Second) // a round of pings
	before := cpu(b, m.cmd.Process.Pid)
	time.Sleep(10 * time.Second)
	used := cpu(b, m.cmd.Process.Pid) - before
	held := memory(b, m.cmd.Process.Pid)
	b.ReportMetric(float64(held)/1024, "MiB")
	b.ReportMetric(float64(held-empty)/float64(n), "KiB/client")
	b.ReportMetric(used.Seconds()*10, "idle-cpu-%")
	b.ReportMetric(took.Seconds(), "s-to-connect")
	b.ReportMetric(0, "ns/op")
}
