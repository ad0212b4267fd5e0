//go:build linux

package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// These tests are the holes of the signal protocol of 2017, one by one.

func TestHole01ListensOnAllInterfacesWithoutAuthentication(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:7999", "127.0.0.1", "127.0.0.1:99999"} {
		s, err := New(Config{Dir: t.TempDir(), TCPAddr: addr})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "loopback") && !strings.Contains(err.Error(), "port") {
			t.Errorf("%s: error %v, want one that asks for a loopback address", addr, err)
		}
	}
	s := serve(t, nil)
	if info, err := os.Stat(s.Socket()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v, want mode 0600", info, err)
	}
	if host, _, err := net.SplitHostPort(s.TCPAddr()); err != nil || host != "127.0.0.1" {
		t.Errorf("address %s, %v", s.TCPAddr(), err)
	}
}

func TestHole02LastWriterOfAnIDWins(t *testing.T) {
	s := serve(t, nil)
	v := ready(t, s, helper("client"))
	token, err := sig.ReadToken(filepath.Join(s.cfg.Dir, "run", "1.token"))
	if err != nil {
		t.Fatal(err)
	}
	// With the token, but from outside the tree, on both transports.
	proof, err := register(dialPeer(t, s), "1", token)
	wantCode(t, "over the socket", err, sig.CodeRefused)
	conn, dialErr := net.Dial("tcp", s.TCPAddr())
	if dialErr != nil {
		t.Fatal(dialErr)
	}
	proof2, err := register(peerOn(t, conn), "1", token)
	wantCode(t, "over TCP", err, sig.CodeRefused)
	if proof != nil || proof2 != nil {
		t.Error("a stranger was given a proof")
	}
	// From inside the tree, while the first connection lives.
	second := ready(t, s, helper("second"))
	awaitLog(t, second, fmt.Sprintf("second %d", sig.CodeTaken))
	for _, id := range []sig.ID{v.ID, second.ID} {
		if _, err := s.Ping(t.Context(), id); err != nil {
			t.Errorf("the first registration of %d was harmed: %v", id, err)
		}
		eventually(t, "an event tells of it", func() bool { return contains(kinds(t, s, id), "refused") })
	}
	_, err = register(dialPeer(t, s), "99", token)
	wantCode(t, "unknown id", err, sig.CodeNoApp)
}

func TestHole03ServerIsNotAuthenticated(t *testing.T) {
	// The server proves itself to the app's own process (which checks it, or does not
	// register), and without the token that process is refused.
	s := serve(t, nil)
	ready(t, s, helper("client"))
	v := launch(t, s, helper("badproof"))
	awaitLog(t, v, fmt.Sprintf("registered %d", sig.CodeRefused))
	if row(t, s, v.ID).Signal {
		t.Error("registered without the token")
	}
	eventually(t, "an event tells of it", func() bool { return contains(kinds(t, s, v.ID), "refused") })
}

func TestHole04AnswersWithoutRequestIDs(t *testing.T) {
	s := serve(t, nil)
	v := ready(t, s, helper("client"))
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if _, err := s.Ping(t.Context(), v.ID); err != nil {
				t.Error(err)
			}
			got, err := s.Tell(t.Context(), v.ID, []string{"echo", fmt.Sprint(i)})
			if err != nil || string(got) != fmt.Sprintf(`["%d"]`, i) {
				t.Errorf("answer %s, %v, want that of %d", got, err, i)
			}
		})
	}
	all.Wait()
	odd := ready(t, s, helper("unsolicited"))
	awaitLog(t, odd, "done")
	if _, err := s.Ping(t.Context(), odd.ID); err != nil {
		t.Error("answers nobody asked for were in the way:", err)
	}
	if rep, err := s.Stop(t.Context(), odd.ID); err != nil || rep.Rung != sig.RungShutdown {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestHole05SilentClientBlocksTheConsole(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Limits.Ping, c.Limits.Top = 100*time.Millisecond, 100*time.Millisecond
		c.Ladder.Ask = 100 * time.Millisecond
	})
	silent, halted := ready(t, s, helper("silent")), ready(t, s, helper("client"))
	if err := syscall.Kill(halted.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for _, id := range []sig.ID{silent.ID, halted.ID} {
		_, err := s.Ping(t.Context(), id)
		wantCode(t, "ping", err, sig.CodeTimeout)
		if u, err := s.Usage(t.Context(), id); err != nil || u.RSSBytes == 0 {
			t.Errorf("kernel's numbers: %+v, %v", u, err)
		}
		_, err = s.Commands(t.Context(), id)
		wantCode(t, "commands", err, sig.CodeTimeout)
	}
	if list, err := s.List(t.Context()); err != nil || len(list) != 2 {
		t.Error(list, err)
	}
	if rep, err := s.Stop(t.Context(), halted.ID); err != nil || rep.Rung != sig.RungTerm {
		t.Errorf("stop of a halted app: %+v, %v, want term", rep, err)
	}
}

func TestHole06DisconnectDuringPingPanics(t *testing.T) {
	s := serve(t, nil)
	v := ready(t, s, helper("vanish"))
	_, err := s.Ping(t.Context(), v.ID)
	wantCode(t, "ping", err, sig.CodeNoSignal)
	awaitState(t, s, v.ID, sig.Unreachable)
	// And one that dies in the middle.
	silent := ready(t, s, helper("silent"))
	told := make(chan error, 1)
	go func() {
		_, err := s.Tell(t.Context(), silent.ID, []string{"wait"})
		told <- err
	}()
	awaitLog(t, silent, "asked "+sig.MethodCommand)
	syscall.Kill(silent.Pid, syscall.SIGKILL)
	wantCode(t, "tell", <-told, sig.CodeNoSignal)
	got := awaitState(t, s, silent.ID, sig.Failed)
	if got.ExitCode == nil || *got.ExitCode != 137 || !strings.Contains(got.Reason, "SIGKILL") || got.Pid != 0 {
		t.Errorf("%+v", got)
	}
}

func TestHole07LargeAnswerPanics(t *testing.T) {
	s := serve(t, nil)
	v := ready(t, s, helper("oversize"))
	if u, err := s.Usage(t.Context(), v.ID); err != nil || u.Processes == 0 {
		t.Errorf("the kernel's numbers are there all the same: %+v, %v", u, err)
	}
	awaitLog(t, v, "connection over")
	wrong := ready(t, s, helper("wrong"))
	if u, err := s.Usage(t.Context(), wrong.ID); err != nil || u.Goroutines != 0 {
		t.Errorf("%+v, %v", u, err)
	}
	good := ready(t, s, helper("client"))
	if got, err := s.Tell(t.Context(), good.ID, []string{"large"}); err != nil || len(got) != 900_002 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if u, err := s.Usage(t.Context(), good.ID); err != nil || u.Goroutines == 0 || u.HeapBytes == 0 {
		t.Errorf("an app's own numbers are missing: %+v, %v", u, err)
	}
}

func TestHole08IDsCorruptedByReuse(t *testing.T) {
	s := serve(t, nil)
	var apps []sig.App
	for range 6 {
		apps = append(apps, launch(t, s, helper("client")))
	}
	for _, v := range apps {
		if err := s.WaitReady(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range apps[:3] {
		if _, err := s.Stop(t.Context(), v.ID); err != nil {
			t.Error(err)
		}
	}
	for i, v := range apps {
		rep, err := s.Ping(t.Context(), v.ID)
		if i < 3 {
			wantCode(t, "ping of a stopped app", err, sig.CodeNotRunning)
		} else if err != nil || rep.ID != v.ID || row(t, s, v.ID).Pid != v.Pid {
			t.Errorf("%+v, %v", rep, err)
		}
	}
}

func TestHole09OperationOutOfRange(t *testing.T) {
	s := serve(t, nil)
	for _, method := range []string{"", "\x00", "nonsense", "app.", "rpc.serverInfo", sig.MethodPing, sig.MethodReady, strings.Repeat("x", 1000)} {
		err := dialPeer(t, s).Call(t.Context(), method, nil, nil)
		if code := sig.CodeOf(err); code != sig.CodeNoMethod && code != sig.CodeRequest && err == nil {
			t.Errorf("%q: %v", method, err)
		}
	}
	p := dialPeer(t, s)
	wantCode(t, "type", p.Call(t.Context(), sig.MethodAppPing, map[string]string{"id": "x"}, nil), sig.CodeParams)
	wantCode(t, "negative", p.Call(t.Context(), sig.MethodAppStop, map[string]int{"id": -1}, nil), sig.CodeParams)
	wantCode(t, "unknown", p.Call(t.Context(), sig.MethodAppStop, sig.AppParams{ID: 1 << 60}, nil), sig.CodeNoApp)
}

func TestHole10SilentConnectionsHoldGoroutines(t *testing.T) {
	var conns []net.Conn
	dial := func(conn net.Conn, err error) {
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	silence := func(s *Server, n int) {
		for i := range n {
			dial(sig.DialSocket(t.Context(), s.Socket()))
			dial(net.Dial("tcp", s.TCPAddr()))
			if i%2 == 0 { // half a frame
				conns[len(conns)-1].Write([]byte{0, 0, 1})
				conns[len(conns)-2].Write([]byte{0, 0, 0, 9, '{'})
			}
		}
	}
	// They have more time than the test takes: the oldest go as others come.
	s := serve(t, nil)
	base := runtime.NumGoroutine()
	silence(s, 150)
	eventually(t, "few goroutines are left for 300 silent connections", func() bool {
		s.gate.mu.Lock()
		n := len(s.gate.strangers)
		s.gate.mu.Unlock()
		return n == s.cfg.Limits.Strangers && runtime.NumGoroutine()-base <= 4*n
	})
	if _, err := operatorOf(t, s).List(t.Context()); err != nil {
		t.Error("an operator was locked out:", err)
	}
	ready(t, s, helper("tcp"))
	for _, conn := range conns {
		conn.Close()
	}
	// These have a second.
	conns = nil
	s = serve(t, func(c *Config) { c.Limits.Greeting = time.Second })
	silence(s, 20)
	eventually(t, "all silent connections are closed", func() bool {
		s.gate.mu.Lock()
		defer s.gate.mu.Unlock()
		return len(s.gate.strangers) == 0
	})
	for _, conn := range conns {
		conn.SetReadDeadline(time.Now().Add(slack))
		if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Fatal("a silent connection lives on")
		}
		conn.Close()
	}
}

func TestHole11IDsStartAgain(t *testing.T) {
	dir := t.TempDir()
	var last sig.ID
	for range 3 {
		s, err := New(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			v := launch(t, s, shell("exit 0"))
			if v.ID != last+1 {
				t.Errorf("id %d after %d", v.ID, last)
			}
			last = v.ID
		}
		s.Close()
	}
}

func TestHole12BlindForThirtySeconds(t *testing.T) {
	s := serve(t, nil)
	v := ready(t, s, helper("client"))
	for range 2 {
		a, r, err := s.current(v.ID)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.connOf(a, r)
		if err != nil {
			t.Fatal(err)
		}
		c.net.Close()
		began := time.Now()
		eventually(t, "it registered again", func() bool {
			again, err := s.connOf(a, r)
			return err == nil && again != c && row(t, s, v.ID).State == sig.Ready
		})
		if took := time.Since(began); took > 25*time.Second { // it was thirty
			t.Errorf("took %v", took)
		}
		if _, err := s.Ping(t.Context(), v.ID); err != nil {
			t.Error(err)
		}
	}
}

func TestHole13ShutdownWithoutCleanUpOrConfirmation(t *testing.T) {
	s := serve(t, func(c *Config) { c.Ladder = process.Ladder{Ask: slack, Term: 100 * time.Millisecond, Kill: slack} })
	v, failing, deaf := ready(t, s, helper("client")), ready(t, s, helper("failing")), launch(t, s, helper("deaf"))
	awaitLog(t, deaf, "deaf")
	for _, c := range []struct {
		v    sig.App
		rung sig.Rung
		code int
	}{{v, sig.RungShutdown, 0}, {failing, sig.RungShutdown, 6}, {deaf, sig.RungKill, 137}} {
		rep, err := s.Stop(t.Context(), c.v.ID)
		if err != nil || rep.Rung != c.rung || rep.ExitCode != c.code || rep.Pid != c.v.Pid {
			t.Errorf("%s: %+v, %v, want %s and %d", c.v.App, rep, err, c.rung, c.code)
		}
		got := row(t, s, c.v.ID)
		if got.State != sig.Exited || got.Pid != 0 || *got.ExitCode != c.code || !strings.Contains(got.Reason, string(c.rung)) {
			t.Errorf("%+v", got)
		}
		if ks := kinds(t, s, c.v.ID); ks[len(ks)-1] != "stopped" {
			t.Errorf("events %v", ks)
		}
		if rep, err := s.Stop(t.Context(), c.v.ID); err != nil || rep.Rung != sig.RungGone || rep.ExitCode != c.code {
			t.Errorf("again: %+v, %v", rep, err)
		}
	}
	awaitLog(t, v, "cleaned up")
}

func TestHole14VariablesAndArgumentsMixed(t *testing.T) {
	s := serve(t, func(c *Config) { c.Env = []string{"EXTRA=From The Daemon"} })
	r := helper("surroundings")
	r.Args = []string{"-Flag", "Two Words", ""}
	v := launch(t, s, r)
	awaitLog(t, v, `args ["-Flag" "Two Words" ""]`)
	awaitLog(t, v, fmt.Sprintf("env true %d %s From The Daemon", v.ID, s.TCPAddr()))
}

func TestHole15OutputBlocksAndNobodyWaits(t *testing.T) {
	s := serve(t, nil)
	v := launch(t, s, helper("loud"))
	v = awaitState(t, s, v.ID, sig.Exited)
	eventually(t, "all of it is in the log, or counted where the machine was too slow", func() bool {
		info, err := os.Stat(v.Log)
		return err == nil && info.Size()+int64(row(t, s, v.ID).LogDropped) >= 2_000_000
	})
	if syscall.Kill(v.Pid, 0) == nil && v.Pid != 0 {
		t.Error("a zombie")
	}
	upper := launch(t, s, shell(`echo "$0"`, "MiXeD Case"))
	awaitLog(t, upper, "MiXeD Case")
}

func TestHole16TokenInTheEnvironmentIsIdentity(t *testing.T) {
	s := serve(t, nil)
	v := ready(t, s, helper("client"))
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", v.Pid))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.cfg.Dir, "run", "1.token")
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(env), strings.TrimSpace(string(token))) {
		t.Error("the token is in the environment")
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("token file: %v, %v", info, err)
	}
	// A grandchild that inherits everything cannot take the id of its living parent.
	parent := ready(t, s, helper("child"))
	eventually(t, "the grandchild is refused", func() bool { return contains(kinds(t, s, parent.ID), "refused") })
	if _, err := s.Ping(t.Context(), parent.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.Kill(context.Background(), v.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the token outlived the app: %v", err)
	}
}
