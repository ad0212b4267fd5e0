//go:build linux

package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// listenNotify is a service manager's socket.
func listenNotify(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func heard(t *testing.T, l *net.UnixConn) string {
	t.Helper()
	_ = l.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	n, err := l.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestNotifier(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l := listenNotify(t, path)
	t.Setenv(envNotify, path)
	t.Setenv(envWatchdog, "400000")
	t.Setenv(envWatchdogPid, "")
	t.Setenv(envListenFDs, "3")
	n := takeNotifier()
	for _, name := range serviceVariables {
		if _, ok := os.LookupEnv(name); ok {
			t.Errorf("children get %s", name)
		}
	}
	env := n.environ([]string{"A=b"})
	if !slices.Contains(env, envNotify+"="+path) || !slices.Contains(env, "A=b") || !slices.Contains(env, envListenFDs+"=3") {
		t.Errorf("for a successor: %q", env)
	}
	if err := n.tell("READY=1", "STATUS=serving"); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, l); got != "READY=1\nSTATUS=serving" {
		t.Errorf("heard %q", got)
	}
	if n.dog != 400*time.Millisecond {
		t.Errorf("the watchdog waits %v", n.dog)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0 // it is ill from the fourth time on, and has ended with the seventh
	n.bark(ctx, func(context.Context) error {
		if asked++; asked == 7 {
			cancel()
		}
		if asked > 3 {
			return errors.New("ill")
		}
		return nil
	})
	for range 3 {
		if got := heard(t, l); got != "WATCHDOG=1" {
			t.Errorf("heard %q", got)
		}
	}
	_ = l.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // what was said is there
	if n, err := l.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a sign of life of one that is ill: %d bytes, %v", n, err)
	}
}

func TestNotifierAbstract(t *testing.T) {
	name := "@viscript-test-" + filepath.Base(t.TempDir()) + strings.ReplaceAll(time.Now().Format(time.StampNano), " ", "")
	l := listenNotify(t, name)
	t.Setenv(envNotify, name)
	n := takeNotifier()
	if err := n.tell("STOPPING=1"); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, l); got != "STOPPING=1" {
		t.Errorf("heard %q", got)
	}
}

func TestNotifierNobody(t *testing.T) {
	for _, socket := range []string{"", "/", "relative", "vsock:2:1"} {
		t.Setenv(envNotify, socket)
		t.Setenv(envWatchdog, "1000000")
		n := takeNotifier()
		if n.socket != "" || n.dog != 0 {
			t.Errorf("%q: %+v", socket, n)
		}
		if err := n.tell("READY=1"); err != nil {
			t.Error(err)
		}
		n.bark(t.Context(), nil)
	}
	var none *notifier
	if err := none.tell("READY=1"); err != nil || len(none.environ(nil)) != 0 {
		t.Error("nil tells somebody")
	}
	none.bark(t.Context(), nil)
	t.Setenv(envNotify, filepath.Join(t.TempDir(), "gone"))
	t.Setenv(envWatchdogPid, "1") // not us
	n := takeNotifier()
	if err := n.tell("READY=1"); err == nil {
		t.Error("a manager that is gone was told")
	}
	if n.dog != 0 {
		t.Error("another process's watchdog is fed")
	}
}
