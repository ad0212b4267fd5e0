package resolver

import (
	"bufio"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCallsAreTheirBytes(t *testing.T) {
	l := Link{Servers: []netip.Addr{netip.MustParseAddr("10.99.0.1"), netip.MustParseAddr("fd99::1")}}
	want := []string{
		"07000000" + "28000000" + "02000000" + "04000000" + "0a630001" + "00000000" + "0a000000" + "10000000" + "fd990000000000000000000000000001",
		"07000000" + "0c000000" + "01000000" + "2e000000" + "01000000",
		"07000000" + "01000000",
	}
	for i, c := range l.calls(7) {
		if got := hex.EncodeToString(c.body); got != want[i] {
			t.Errorf("%s: %s, want %s", c.member, got, want[i])
		}
	}
	got := hex.EncodeToString(method("RevertLink", "i", appendInt(nil, 7)).append(nil, 2))
	head := "6c010001" + "04000000" + "02000000"
	if !strings.HasPrefix(got, head) || !strings.HasSuffix(got, "07000000") || len(got)/2%8 != 4 {
		t.Errorf("RevertLink: %s", got)
	}
}

// patience is for what comes soon, on a machine that is busy.
const patience = time.Minute

// shortDir is a folder for a socket, whose path has a hundred bytes or so at most.
func shortDir(t *testing.T) string {
	t.Helper()
	if dir := t.TempDir(); len(dir) < 90 {
		return dir
	}
	dir, err := os.MkdirTemp("/tmp", "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// fakeBus takes calls and answers them with what reply says; it returns the members that were called.
func fakeBus(t *testing.T, reply func(n int) []byte) (socket string, ended <-chan int) {
	t.Helper()
	socket = filepath.Join(shortDir(t), "bus")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	t.Cleanup(func() { ln.Close() })
	go func() {
		n := 0
		defer func() { done <- n }()
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		line, _ := r.ReadString('\n')
		if !strings.HasPrefix(line, "\x00AUTH EXTERNAL ") {
			return
		}
		_, _ = io.WriteString(c, "OK 1234\r\n")
		if line, _ = r.ReadString('\n'); line != "BEGIN\r\n" {
			return
		}
		for {
			kind, _, err := readMessage(r)
			if err != nil || kind != typeCall {
				return
			}
			n++
			if _, err := c.Write(reply(n)); err != nil {
				return
			}
		}
	}()
	return socket, done
}

// answer is a message without body.
func answer(kind byte, fields ...byte) []byte {
	b := []byte{'l', kind, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0, byte(len(fields)), 0, 0, 0}
	return pad(append(b, fields...), 8)
}

func TestCallsOverABus(t *testing.T) {
	serial := []byte{5, 1, 'u', 0, 1, 0, 0, 0}
	name := string(errUnknownService)
	unknown := append(append(slices.Clone(serial), fieldError, 1, 's', 0), appendString(nil, name)...)
	socket, ended := fakeBus(t, func(n int) []byte {
		if n == 1 {
			return append(answer(typeSignal), answer(typeReturn, serial...)...)
		}
		return answer(typeReturn, serial...)
	})
	l := Link{Dev: "lo", Servers: []netip.Addr{netip.MustParseAddr("10.99.0.1")}, bus: socket, limit: patience}
	if err := l.Do(); err != nil {
		t.Error(err)
	}
	if n := <-ended; n != 4 {
		t.Errorf("%d calls", n)
	}
	l.bus, ended = fakeBus(t, func(n int) []byte {
		if n == 1 {
			return answer(typeReturn, serial...)
		}
		return answer(typeError, unknown...)
	})
	if err := l.call(l.calls(1)); !errors.Is(err, errUnknownService) {
		t.Errorf("nobody has the name: %v", err)
	}
	<-ended
	l.bus = filepath.Join(shortDir(t), "none")
	if err := l.Undo(); err != nil {
		t.Errorf("without a bus: %v", err)
	}
}

// A bus daemon checks every message it passes on against its signature, and hangs up on what is wrong.
func TestBusDaemonTakesTheCalls(t *testing.T) {
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("no dbus-daemon here")
	}
	dir := shortDir(t)
	socket, config := filepath.Join(dir, "bus"), filepath.Join(dir, "conf")
	text := `<busconfig><type>session</type><listen>unix:path=` + socket + `</listen><auth>EXTERNAL</auth><policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--nofork", "--config-file="+config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // the socket is there before anybody listens
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
	}
	l := Link{Dev: "lo", Servers: []netip.Addr{netip.MustParseAddr("10.99.0.1"), netip.MustParseAddr("fd99::1")}, bus: socket, limit: patience}
	for _, c := range append(l.calls(1), method("RevertLink", "i", appendInt(nil, 1))) {
		if err := l.call([]call{c}); !errors.Is(err, errUnknownService) {
			t.Errorf("%s: %v, want that nobody has the name", c.member, err)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(answer(typeReturn, 5, 1, 'u', 0, 1, 0, 0, 0))
	f.Add(answer(typeError, append([]byte{fieldError, 1, 's', 0}, appendString(nil, "a.b")...)...))
	f.Add(method("RevertLink", "i", appendInt(nil, 7)).append(nil, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, fields, err := readMessage(strings.NewReader(string(b)))
		if err == nil && errorName(fields) == "" && len(fields) > maxMessage {
			t.Fatal("too much")
		}
	})
}
