//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript"
)

// demo is a daemon that runs the group demo of the shipped config.yaml, on ports of its own.
type demo struct {
	dir    string
	state  string
	ports  map[string]string // port in the shipped file -> ours
	config *viscript.Config
	daemon *exec.Cmd
	ended  chan error // what Wait returned
}

// Ports of the shipped demo.
const (
	trackerPort = "21000"
	managerPort = "21001"
	linkPort0   = "21010"
	linkPort1   = "21011"
	linkPort2   = "21012"
	appPort0    = "21020"
	appPort2    = "21022"
	pagePort    = "21080"
	proxyPort   = "8001"
	signalPort  = "7999"
)

// members of the group, in the order of the file.
var members = [...]string{"demo-tracker", "demo-manager", "node0", "node1", "node2", "exit", "entry", "page", "demo-messenger", "ann", "ben"}

// startDemo starts a daemon with `--up demo`; it is stopped when the test ends, and what it and its
// apps said is shown if the test failed.
func startDemo(t *testing.T) *demo {
	t.Helper()
	d := &demo{dir: t.TempDir(), ended: make(chan error, 1)}
	d.state = filepath.Join(d.dir, "state")
	d.install(t)
	d.configure(t)
	d.daemon = d.product(context.Background(), "--headless", "--state", d.state, "--config", d.config.File,
		"--signal", d.addr(signalPort), "--up", "demo")
	d.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := os.Create(filepath.Join(d.dir, "daemon.out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	d.daemon.Stdout, d.daemon.Stderr = out, out
	if err := d.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.ended <- d.daemon.Wait() }()
	t.Cleanup(func() { d.stop(t) })
	eventuallyTrue(t, "the demo is up", func() error { return d.allReady() })
	return d
}

// install makes the program and its links as `make` does.
func (d *demo) install(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(d.dir, "bin", "meshnet")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	paths := []string{filepath.Join(d.dir, "bin", "viscript")}
	for _, role := range []string{"apptracker", "nm", "messenger", "node", "socks-client", "socks-server"} {
		paths = append(paths, filepath.Join(bin, "meshnet-run-"+role))
	}
	for _, p := range paths {
		if err := os.Symlink(self, p); err != nil {
			t.Fatal(err)
		}
	}
}

// configure copies the shipped config.yaml with other ports; the exit may reach ::1 too.
func (d *demo) configure(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shipped := regexp.MustCompile(`\b(21\d{3}|8001)\b`)
	names := append(shipped.FindAllString(string(text), -1), signalPort)
	slices.Sort(names)
	names = slices.Compact(names)
	d.ports = map[string]string{}
	for i, p := range freePorts(t, len(names)) {
		d.ports[names[i]] = p
	}
	text = shipped.ReplaceAllFunc(text, func(p []byte) []byte { return []byte(d.ports[string(p)]) })
	const loopback = `"--allow-target", "127.0.0.1:*"`
	if !bytes.Contains(text, []byte(loopback)) {
		t.Fatal("config.yaml: the demo's exit has changed")
	}
	text = bytes.Replace(text, []byte(loopback), []byte(loopback+`, "--allow-target", "[::1]:*"`), 1)
	// The test is to see the end of everything; without the setting the apps go on without their daemon.
	text = bytes.Replace(text, []byte("runHeadless: false"), []byte("runHeadless: false\n  stopAllOnExit: true"), 1)
	path := filepath.Join(d.dir, "config.yaml")
	if err := os.WriteFile(path, unhurried(t, text), 0o600); err != nil {
		t.Fatal(err)
	}
	if d.config, err = loadConfig(path); err != nil {
		t.Fatal(err)
	}
}

// unhurried gives every app of the shipped configuration minutes to become ready and to end, where it says nothing itself: on a
// loaded machine the 15 and 5 seconds that it has otherwise may be over before it was given a processor.
func unhurried(t *testing.T, config []byte) []byte {
	t.Helper()
	const app = "    daemon: true\n" // each has that line
	if n := bytes.Count(config, []byte(app)); n < 10 {
		t.Fatalf("config.yaml: %d apps with daemon: true", n)
	}
	return bytes.ReplaceAll(config, []byte(app), []byte(app+"    stop_timeout: 1m\n    ready: { signal: true, within: 3m }\n"))
}

// freePorts finds n loopback ports below those that the kernel gives to outgoing connections. Until the test ends no other test that
// asks here, in whatever process, gets one of them.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range 10000 {
		p := fmt.Sprint(22000 + rand.IntN(10000))
		ours, err := net.Listen("unix", "@viscript-test-port-"+p)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+p)
		if err != nil {
			ours.Close()
			continue
		}
		defer l.Close()
		t.Cleanup(func() { ours.Close() })
		if ports = append(ports, p); len(ports) == n {
			return ports
		}
	}
	t.Fatal("no free ports")
	return nil
}

func (d *demo) addr(shippedPort string) string { return "127.0.0.1:" + d.ports[shippedPort] }

// product is the command line of this test's program.
func (d *demo) product(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(d.dir, "bin", "viscript"), args...)
	cmd.Dir = d.dir
	cmd.Env = cleanEnv()
	return cmd
}

// cleanEnv is the environment without proxies and without the race detector's second of sleep at the end.
func cleanEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(strings.ToLower(v), "=")
		return strings.HasSuffix(name, "_proxy") || strings.HasPrefix(name, "signal_") || name == "viscript_state"
	})
	return append(env, "GORACE=atexit_sleep_ms=0")
}

// try runs a program and returns its exit code; -1 when it did not end within the patience.
func try(cmd *exec.Cmd) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return out.String(), errs.String() + err.Error(), -1
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// exec runs a console command.
func (d *demo) exec(args ...string) (stdout, stderr string, code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	return try(d.product(ctx, append([]string{"exec", "--state", d.state}, args...)...))
}

// ok runs a console command that must succeed.
func (d *demo) ok(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := d.exec(args...)
	if code != exitOK {
		t.Fatalf("exec %q: exit status %d\n%s%s", args, code, out, errs)
	}
	return out
}

// json runs a console command with --json and decodes the one value that it must answer.
func (d *demo) json(t *testing.T, into any, args ...string) {
	t.Helper()
	out := d.ok(t, append([]string{"--json"}, args...)...)
	dec := json.NewDecoder(strings.NewReader(out))
	if err := dec.Decode(into); err != nil || dec.More() {
		t.Fatalf("exec --json %q answers %q: %v", args, out, err)
	}
}

// apps are all apps of the table, the ended ones too.
func (d *demo) apps() (apps []signal.App, err error) {
	out, errs, code := d.exec("--json", "la", "-a")
	if code != exitOK {
		return nil, fmt.Errorf("la: exit status %d: %s", code, errs)
	}
	return apps, json.Unmarshal([]byte(out), &apps)
}

// member is what config.yaml says of a member of the group.
func (d *demo) member(name string) viscript.Member {
	for _, m := range d.config.Groups["demo"].Members {
		if m.Name == name {
			return m
		}
	}
	panic("no member " + name)
}

// running finds the live app that is a member of the group.
func (d *demo) running(name string) (signal.App, error) {
	apps, err := d.apps()
	if err != nil {
		return signal.App{}, err
	}
	m := d.member(name)
	for _, a := range apps {
		if a.Ended == nil && a.App == m.App && strings.Contains(a.Command, " "+strings.Join(m.Args[:min(2, len(m.Args))], " ")) {
			return a, nil
		}
	}
	return signal.App{}, fmt.Errorf("%s does not run", name)
}

func (d *demo) id(t *testing.T, name string) string {
	t.Helper()
	a, err := d.running(name)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(a.ID)
}

// allReady says which member is not ready.
func (d *demo) allReady() error {
	select {
	case err := <-d.ended:
		d.ended <- err
		return fmt.Errorf("the daemon has ended: %v", err)
	default:
	}
	for _, name := range members {
		if a, err := d.running(name); err != nil {
			return err
		} else if a.State != signal.Ready {
			return fmt.Errorf("%s is %s", name, a.State)
		}
	}
	return nil
}

// said is what the daemon has written so far.
func (d *demo) said(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "daemon.out"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// stop ends the daemon as a service manager does: it must end its apps and succeed.
func (d *demo) stop(t *testing.T) {
	apps, err := d.apps()
	if err != nil {
		t.Errorf("at the end: %v", err)
	}
	_ = d.daemon.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-d.ended:
		d.ended <- err
		if err != nil {
			t.Errorf("the daemon ended with: %v", err)
		}
	case <-time.After(2 * patience):
		t.Error("the daemon does not end")
		_ = d.daemon.Process.Kill()
	}
	for _, a := range apps {
		if a.Ended == nil && d.runs(a.Pid) {
			t.Errorf("app %d (%s) outlived the daemon", a.ID, a.Command)
		}
	}
	d.inspectLogs(t)
}

// runs reports whether a process is one of this demo's; by now its number may be another's.
func (d *demo) runs(pid int) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && bytes.Contains(env, []byte(envState+"="+d.state+"\x00"))
}

// inspectLogs looks for what no run may leave behind, and shows everything after a failure.
func (d *demo) inspectLogs(t *testing.T) {
	logs := []string{filepath.Join(d.dir, "daemon.out")}
	_ = filepath.WalkDir(d.state, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".log") {
			logs = append(logs, path)
		}
		return nil
	})
	if len(logs) < len(members) {
		t.Errorf("only %d logs below %s", len(logs), d.state)
	}
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		for _, bad := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
			if bytes.Contains(text, []byte(bad)) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
	}
	if !t.Failed() {
		return
	}
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		t.Logf("%s:\n%s", path, text[max(0, len(text)-8<<10):])
	}
}

// eventuallyTrue waits until check is content.
func eventuallyTrue(t testing.TB, what string, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(2 * patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("waiting until %s: %v", what, err)
}
