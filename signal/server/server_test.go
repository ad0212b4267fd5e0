//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	s := serve(t, nil)
	for _, c := range []struct {
		name string
		cfg  Config
		is   error
		want []string
	}{
		{"second daemon", Config{Dir: s.cfg.Dir}, ErrLocked, []string{fmt.Sprintf("another daemon (pid %d) uses %s", os.Getpid(), s.cfg.Dir), "--state"}},
		{"port in use", Config{Dir: t.TempDir(), TCPAddr: s.TCPAddr()}, syscall.EADDRINUSE, []string{s.TCPAddr(), "--signal"}},
		{"file for a folder", Config{Dir: file}, nil, []string{file, "not a directory", "--state"}},
		{"below a file", Config{Dir: filepath.Join(file, "x")}, nil, []string{file, "--state"}},
		{"relative", Config{Dir: "x"}, nil, []string{"absolute", "--state"}},
		{"world writable", Config{Dir: open}, nil, []string{open, "written by other users", "--state"}},
	} {
		other, err := New(c.cfg)
		if err == nil {
			other.Close()
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v is not %v", c.name, err, c.is)
		}
	}
	ready(t, s, helper("client")) // the first daemon was not disturbed
}

// A killed daemon leaves a socket, tokens and a lock file; the next one takes over.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "signal.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	os.Mkdir(filepath.Join(dir, "run"), 0o700)
	token := filepath.Join(dir, "run", "7.token")
	os.WriteFile(token, nil, 0o600)
	os.WriteFile(filepath.Join(dir, "daemon.lock"), []byte("1\n"), 0o600)
	s := serve(t, func(c *Config) { c.Dir = dir })
	if _, err := operatorOf(t, s).List(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(token); !os.IsNotExist(err) {
		t.Error("an old token was kept")
	}
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 100), strings.Repeat("y", 100))
	s := serve(t, func(c *Config) { c.Dir = dir })
	ready(t, s, helper("client"))
	if _, err := operatorOf(t, s).List(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSideBySide(t *testing.T) {
	a, b := serve(t, nil), serve(t, nil)
	va, vb := ready(t, a, helper("tcp")), ready(t, b, helper("tcp"))
	if va.ID != 1 || vb.ID != 1 || a.TCPAddr() == b.TCPAddr() {
		t.Errorf("%+v, %+v", va, vb)
	}
}

// The end of Run stops every app, also one whose program left a process behind.
func TestRunStopsEverything(t *testing.T) {
	s, err := New(Config{Dir: t.TempDir(), Ladder: process.Ladder{Ask: slack, Term: time.Second, Kill: slack}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	var apps []sig.App
	for _, r := range []sig.StartRequest{helper("client"), helper("deaf"), shell("exec sleep 60"), shell("sleep 60 & echo $!; echo left; exit 3")} {
		apps = append(apps, launch(t, s, r))
	}
	awaitLog(t, apps[1], "deaf")
	awaitState(t, s, apps[3].ID, sig.Failed)
	awaitLog(t, apps[3], "left")
	text, _ := os.ReadFile(apps[3].Log)
	left, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(string(text), "left\n")))
	if !runs(left) {
		t.Fatalf("the left process %d is not there", left)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, v := range apps {
		if runs(v.Pid) {
			t.Errorf("%s still runs", v.App)
		}
	}
	if runs(left) {
		t.Error("what an ended program left behind still runs")
	}
	if _, err := os.Stat(s.Socket()); !os.IsNotExist(err) {
		t.Error("the socket is still there")
	}
	_, err = s.Start(t.Context(), shell("exit 0"))
	wantCode(t, "start after the end", err, sig.CodeStopping)
	if again, err := New(Config{Dir: s.cfg.Dir}); err != nil {
		t.Error("the folder was not given back:", err)
	} else {
		again.Close()
	}
}

// runs is false for a zombie.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

func TestHurry(t *testing.T) {
	s, err := New(Config{Dir: t.TempDir(), Ladder: process.Ladder{Ask: time.Hour, Term: time.Hour, Kill: slack}})
	if err != nil {
		t.Fatal(err)
	}
	v := launch(t, s, helper("deaf"))
	awaitLog(t, v, "deaf")
	time.AfterFunc(50*time.Millisecond, s.Hurry)
	began := time.Now()
	s.Close()
	if took := time.Since(began); took > slack {
		t.Errorf("took %v", took)
	}
}

func TestUnknownPrograms(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.Alive = 50 * time.Millisecond })
	v := launch(t, s, sig.StartRequest{App: "sleep", Path: "/bin/sleep", Args: []string{"60"}})
	if v.State != sig.Starting || v.Pid == 0 || v.Command != "/bin/sleep 60" || v.ID == 0 || v.Started.IsZero() {
		t.Errorf("%+v", v)
	}
	if err := s.WaitReady(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	if got := row(t, s, v.ID); got.State != sig.Running || got.Signal {
		t.Errorf("%+v", got)
	}
	if u, err := s.Usage(t.Context(), v.ID); err != nil || u.Processes != 1 || u.RSSBytes == 0 || u.Pid != v.Pid || u.UptimeSeconds <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
	_, err := s.Ping(t.Context(), v.ID)
	wantCode(t, "ping", err, sig.CodeNoSignal)
	if rep, err := s.Stop(t.Context(), v.ID); err != nil || rep.Rung != sig.RungTerm || rep.ExitCode != 143 {
		t.Errorf("%+v, %v", rep, err)
	}
	_, err = s.Usage(t.Context(), v.ID)
	wantCode(t, "usage of a stopped app", err, sig.CodeNotRunning)
	if ks := fmt.Sprint(kinds(t, s, v.ID)); ks != "[started stopped]" {
		t.Error(ks)
	}
	_, err = s.Start(t.Context(), sig.StartRequest{App: "x", Path: "/nowhere/x"})
	wantCode(t, "missing", err, sig.CodeStart)
	if err == nil || !strings.Contains(err.Error(), "/nowhere/x: no such file") {
		t.Error(err)
	}
	if next := launch(t, s, shell("exit 0")); next.ID != v.ID+1 {
		t.Errorf("a missing program used up an id: %d", next.ID)
	}
	for _, r := range []sig.StartRequest{
		{Path: "/bin/sh"},
		{App: strings.Repeat("x", 65), Path: "/bin/sh"},
		{App: "a\x1b[m", Path: "/bin/sh"},
		{App: "a", Path: "/bin/sh", Args: []string{"a\x00b"}},
		{App: "a", Path: "/bin/sh", Args: []string{strings.Repeat("x", 300<<10)}},
		{App: "a", Path: "/bin/sh", Env: map[string]string{"A=B": ""}},
	} {
		_, err := s.Start(t.Context(), r)
		wantCode(t, fmt.Sprintf("%.40v", r), err, sig.CodeParams)
	}
}

func TestExitCodesAreReported(t *testing.T) {
	s := serve(t, nil)
	for _, c := range []struct {
		script string
		code   int
		state  sig.State
		kinds  string
	}{
		{"exit 0", 0, sig.Exited, "[started exited]"},
		{"exit 7", 7, sig.Failed, "[started failed]"},
		{"kill -9 $$", 137, sig.Failed, "[started failed]"},
	} {
		v := launch(t, s, shell(c.script))
		v = awaitState(t, s, v.ID, c.state)
		if v.ExitCode == nil || *v.ExitCode != c.code || v.Ended == nil || v.Reason == "" {
			t.Errorf("%s: %+v", c.script, v)
		}
		eventually(t, c.kinds, func() bool { return fmt.Sprint(kinds(t, s, v.ID)) == c.kinds })
		if err := s.WaitReady(t.Context(), v.ID); err == nil || sig.CodeOf(err) != sig.CodeNotRunning {
			t.Errorf("%s: %v", c.script, err)
		}
	}
}

func TestReadiness(t *testing.T) {
	s := serve(t, nil)
	goFile := filepath.Join(t.TempDir(), "go")
	v := launch(t, s, helper("notready", "GO="+goFile))
	eventually(t, "registered", func() bool { return row(t, s, v.ID).Signal })
	if got := row(t, s, v.ID).State; got != sig.Starting {
		t.Errorf("state %s before it is ready", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.WaitReady(ctx, v.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	waiting := make(chan error)
	go func() { waiting <- s.WaitReady(t.Context(), v.ID) }()
	if err := os.WriteFile(goFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	eventually(t, "status and event", func() bool {
		ks := kinds(t, s, v.ID)
		return row(t, s, v.ID).Status == "serving[2J on port 1" && contains(ks, "status") && contains(ks, "app") && contains(ks, "ready")
	})
	awaitLog(t, v, "a line by signal")
	wantCode(t, "unknown", s.WaitReady(t.Context(), 99), sig.CodeNoApp)
}

func TestRestartKeepsTheID(t *testing.T) {
	s := serve(t, nil)
	v := ready(t, s, helper("client"))
	again, err := s.Restart(t.Context(), v.ID)
	if err != nil || again.ID != v.ID || again.Pid == v.Pid || again.Pid == 0 || again.Command != v.Command {
		t.Fatalf("%+v, %v", again, err)
	}
	if err := s.WaitReady(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.Ping(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.Stop(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	if again, err = s.Restart(t.Context(), v.ID); err != nil || again.Pid == 0 || again.ExitCode != nil || again.Ended != nil {
		t.Errorf("restart of a stopped app: %+v, %v", again, err)
	}
	_, err = s.Restart(t.Context(), 99)
	wantCode(t, "unknown", err, sig.CodeNoApp)
}

func TestKillHurriesAStop(t *testing.T) {
	s := serve(t, func(c *Config) { c.Ladder = process.Ladder{Ask: time.Hour, Term: time.Hour, Kill: slack} })
	v := launch(t, s, helper("deaf"))
	awaitLog(t, v, "deaf")
	stopped := make(chan sig.StopReport, 1)
	go func() {
		rep, err := s.Stop(t.Context(), v.ID)
		if err != nil {
			t.Error(err)
		}
		stopped <- rep
	}()
	awaitState(t, s, v.ID, sig.Stopping)
	if _, err := s.Kill(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	if rep := <-stopped; rep.Rung != sig.RungKill || rep.ExitCode != 137 {
		t.Errorf("%+v", rep)
	}
}

// A stop goes on when the one who asked for it goes away.
func TestStopOutlivesTheAsker(t *testing.T) {
	s := serve(t, nil)
	v := launch(t, s, helper("deaf"))
	awaitLog(t, v, "deaf")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Stop(ctx, v.ID); !errors.Is(err, context.Canceled) { // it may have begun or not
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	stopped := make(chan error, 1)
	go func() {
		_, err := s.Stop(ctx, v.ID)
		stopped <- err
	}()
	awaitState(t, s, v.ID, sig.Stopping)
	cancel()
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond) // that stop is under way
	defer cancel()
	if _, err := s.Stop(ctx, v.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := syscall.Kill(v.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitState(t, s, v.ID, sig.Exited) // and not failed: it was asked for
}

func TestHistoryIsBounded(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.History = 3 })
	alive := launch(t, s, shell("exec sleep 60"))
	for range 6 {
		v := launch(t, s, shell("exit 0"))
		awaitState(t, s, v.ID, sig.Exited)
	}
	list, err := s.List(t.Context())
	if err != nil || len(list) != 4 || list[0].ID != alive.ID || list[1].ID != 5 || list[3].ID != 7 {
		t.Errorf("%+v, %v", list, err)
	}
	s = serve(t, func(c *Config) { c.Limits.Apps = 1 })
	launch(t, s, shell("exec sleep 60"))
	_, err = s.Start(t.Context(), shell("exit 0"))
	wantCode(t, "one too many", err, sig.CodeBusy)
}

// A client in another language, with nothing but a socket library, over both transports.
func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	script, err := filepath.Abs("../testdata/client.py")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(c *Config) { c.Speaks = func(sig.StartRequest) bool { return true } })
	for _, r := range []sig.StartRequest{
		{App: "python", Path: python, Args: []string{script}},
		{App: "python-tcp", Path: "/bin/sh", Args: []string{"-c", `unset SIGNAL_SOCKET; "$0" "$1"`, python, script}},
	} {
		v := ready(t, s, r)
		if rep, err := s.Ping(t.Context(), v.ID); err != nil || rep.ID != v.ID {
			t.Errorf("%s: %+v, %v", r.App, rep, err)
		}
		if rep, err := s.Stop(t.Context(), v.ID); err != nil || rep.Rung != sig.RungShutdown || rep.ExitCode != 0 {
			log, _ := os.ReadFile(v.Log)
			t.Errorf("%s: %+v, %v: %s", r.App, rep, err, log)
		}
	}
}

func TestTell(t *testing.T) {
	s := serve(t, nil)
	v := ready(t, s, helper("client"))
	commands, err := s.Commands(t.Context(), v.ID)
	if err != nil || len(commands) != 4 || commands[0].Name != "echo" || commands[0].Args != "WORD..." {
		t.Errorf("%+v, %v", commands, err)
	}
	_, err = s.Tell(t.Context(), v.ID, []string{"fail"})
	wantCode(t, "fail", err, sig.CodeCommand)
	if want := fmt.Sprintf("app %d (client): did [31mnot work", v.ID); err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	_, err = s.Tell(t.Context(), v.ID, []string{"nonsense"})
	wantCode(t, "unknown", err, sig.CodeNoCommand)
	_, err = s.Tell(t.Context(), v.ID, nil)
	wantCode(t, "nothing", err, sig.CodeParams)
	_, err = s.Tell(t.Context(), 99, []string{"x"})
	wantCode(t, "unknown id", err, sig.CodeNoApp)
	s = serve(t, func(c *Config) { c.Limits.Command = 200 * time.Millisecond })
	v = ready(t, s, helper("client"))
	if _, err = s.Tell(t.Context(), v.ID, []string{"wait"}); err == nil {
		t.Error("no limit on a command")
	}
}

func TestFloodOfWords(t *testing.T) {
	s := serve(t, nil)
	v, other := ready(t, s, helper("flood")), ready(t, s, helper("client"))
	if _, err := s.Ping(t.Context(), other.ID); err != nil {
		t.Error(err)
	}
	awaitLog(t, v, "done")
	if _, err := s.Ping(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	if n := len(kinds(t, s, v.ID)); n > keptEvents {
		t.Errorf("%d events kept", n)
	}
}

func TestOperatorOverTheSocket(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Exec = func(ctx context.Context, r sig.ExecRequest, stdout, stderr io.Writer) int {
			if r.Line == "wait" {
				io.WriteString(stdout, "waiting\n")
				<-ctx.Done()
				return 9
			}
			fmt.Fprintf(stderr, "%q %v", r.Args, r.JSON)
			io.WriteString(stdout, strings.Repeat("x", 100_000))
			return 2
		}
	})
	o := operatorOf(t, s)
	v, err := o.Start(t.Context(), helper("client"))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.WaitReady(t.Context(), v.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := o.List(t.Context()); err != nil || len(list) != 1 || list[0].State != sig.Ready || !list[0].Signal {
		t.Errorf("%+v, %v", list, err)
	}
	if rep, err := o.Ping(t.Context(), v.ID); err != nil || rep.ID != v.ID || rep.RTTms <= 0 {
		t.Errorf("%+v, %v", rep, err)
	}
	if u, err := o.Usage(t.Context(), v.ID); err != nil || u.Goroutines == 0 || u.RSSBytes == 0 || u.Threads == 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if commands, err := o.Commands(t.Context(), v.ID); err != nil || len(commands) != 4 {
		t.Errorf("%+v, %v", commands, err)
	}
	if got, err := o.Tell(t.Context(), v.ID, []string{"echo", "a b"}); err != nil || string(got) != `["a b"]` {
		t.Errorf("%s, %v", got, err)
	}
	awaitLog(t, v, "a line by signal")
	var log strings.Builder
	if err := o.Logs(t.Context(), v.ID, sig.LogsRequest{Lines: 1}, &log); err != nil || log.String() != "a line by signal\n" {
		t.Errorf("log %q, %v", log.String(), err)
	}
	var stdout, stderr strings.Builder
	code, err := o.Exec(t.Context(), sig.ExecRequest{Args: []string{"Two Words"}, JSON: true}, &stdout, &stderr)
	if err != nil || code != 2 || stdout.Len() != 100_000 || stderr.String() != `["Two Words"] true` {
		t.Errorf("exec: %d, %v, %d bytes, %q", code, err, stdout.Len(), stderr.String())
	}
	// Ctrl-C at the other end ends what was asked.
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	_, err = o.Exec(ctx, sig.ExecRequest{Line: "wait"}, writerFunc(func(p []byte) (int, error) {
		once.Do(cancel)
		return len(p), nil
	}), io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	again, err := o.Restart(t.Context(), v.ID)
	if err != nil || again.ID != v.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if rep, err := o.Kill(t.Context(), v.ID); err != nil || rep.Rung != sig.RungKill {
		t.Errorf("%+v, %v", rep, err)
	}
	if rep, err := o.Stop(t.Context(), v.ID); err != nil || rep.Rung != sig.RungGone {
		t.Errorf("%+v, %v", rep, err)
	}
	n := 0
	if err := o.Events(t.Context(), 1, false, func(e sig.Event) error { n++; return nil }); err != nil || n < 4 {
		t.Errorf("%d events, %v", n, err)
	}
	_, err = o.Ping(t.Context(), 77)
	wantCode(t, "unknown", err, sig.CodeNoApp)
}

func TestOperatorMethodsAreNotForApps(t *testing.T) {
	s := serve(t, nil)
	v := launch(t, s, helper("operator"))
	awaitLog(t, v, "registered 0")
	awaitLog(t, v, fmt.Sprintf("list %d", sig.CodeNoMethod))
	awaitLog(t, v, fmt.Sprintf("again %d", sig.CodeRequest))
	conn, err := net.Dial("tcp", s.TCPAddr())
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "over TCP", peerOn(t, conn).Call(t.Context(), sig.MethodAppList, nil, nil), sig.CodeNoMethod)
	p := dialPeer(t, s)
	if err := p.Call(t.Context(), sig.MethodAppList, nil, nil); err != nil {
		t.Error(err)
	}
	wantCode(t, "hello of an operator", p.Call(t.Context(), sig.MethodHello, sig.HelloParams{Protocol: 1, ID: v.ID, Nonce: sig.NewNonce()}, nil), sig.CodeRequest)
	wantCode(t, "other protocol", dialPeer(t, s).Call(t.Context(), sig.MethodHello, sig.HelloParams{Protocol: 2}, nil), sig.CodeProtocol)
	wantCode(t, "no console", p.Call(t.Context(), sig.MethodExec, sig.ExecRequest{}, nil), sig.CodeUnavailable)
}

func TestGarbage(t *testing.T) {
	s := serve(t, nil)
	v := ready(t, s, helper("client"))
	for _, bytes := range []string{
		"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x00", "\x7f\xff\xff\xff", "\x00\x00\x00\x01x", "\x00\x00\x00\x02[]", "\x00\x00\x00\x02{}",
		"\x00\x00\x00\x10" + `{"jsonrpc":"1.0"`, "\x00\x01\x00\x01" + strings.Repeat("[", 1<<16+1),
	} {
		for _, network := range []string{"unix", "tcp"} {
			addr := s.Socket()
			if network == "tcp" {
				addr = s.TCPAddr()
			}
			conn, err := net.Dial(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			conn.Write([]byte(bytes))
			conn.SetReadDeadline(time.Now().Add(slack))
			if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
				t.Errorf("%.20q: the connection stays open", bytes)
			}
			conn.Close()
		}
	}
	if _, err := s.Ping(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
}
