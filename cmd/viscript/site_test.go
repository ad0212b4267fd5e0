//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// site is a state folder with a configuration, and the daemons that serve it one after another.
// Unlike a demo it outlives its daemon, which may be killed.
type site struct {
	t      *testing.T
	dir    string
	state  string
	out    *os.File // what the daemons say
	daemon *exec.Cmd
	*signal.Operator
}

// newSite writes the configuration, which is JSON, and starts nothing. What its daemons started
// must have ended when the test ends.
func newSite(t *testing.T, config any) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	s.state = filepath.Join(s.dir, "state")
	self, err := os.Executable()
	text, bad := json.Marshal(config)
	if err = errors.Join(err, bad); err == nil {
		err = errors.Join(os.Symlink(self, s.path("viscript")), os.Symlink(self, s.path("speaker")), os.WriteFile(s.path("config.yaml"), text, 0o600))
	}
	if err == nil {
		s.out, err = os.OpenFile(s.path("daemon.out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.clear)
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// product is the command line of this test's program.
func (s *site) product(args ...string) *exec.Cmd {
	cmd := exec.Command(s.path("viscript"), args...)
	cmd.Dir, cmd.Env = s.dir, cleanEnv()
	return cmd
}

// launch starts a daemon and returns when it serves.
func (s *site) launch() {
	s.t.Helper()
	s.daemon = s.product("--headless", "--state", s.state, "--config", "config.yaml", "--signal", "none")
	s.daemon.Stdout, s.daemon.Stderr = s.out, s.out
	if err := s.daemon.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		o, err := signal.DialOperator(s.t.Context(), socketPath(s.state))
		if err == nil {
			s.Operator = o
			return
		}
	}
	s.t.Fatalf("the daemon does not serve:\n%s", s.said())
}

// crash is kill -9.
func (s *site) crash() {
	_ = s.daemon.Process.Kill()
	_ = s.daemon.Wait()
	s.daemon = nil
}

// quit ends the daemon as a service manager does.
func (s *site) quit() {
	s.t.Helper()
	_ = s.daemon.Process.Signal(syscall.SIGTERM)
	if err := s.daemon.Wait(); err != nil {
		s.t.Errorf("the daemon ended with: %v", err)
	}
	s.daemon = nil
}

// exec runs a console command.
func (s *site) exec(args ...string) (stdout, stderr string, code int) {
	return try(s.product(append([]string{"exec", "--state", s.state}, args...)...))
}

func (s *site) said() string {
	text, _ := os.ReadFile(s.path("daemon.out"))
	var told strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, " failed: exited with code ") { // a crash loop fills the file with it
			told.WriteString(line)
		}
	}
	return told.String()[max(0, told.Len()-8<<10):]
}

// clear kills what is left, and fails the test for it.
func (s *site) clear() {
	if s.daemon != nil {
		s.crash()
	}
	defer s.out.Close()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left := s.processes()
		if len(left) == 0 {
			break
		}
		if time.Now().After(end) || s.t.Failed() {
			if !s.t.Failed() {
				s.t.Errorf("left: %v", left)
			}
			for pid := range left {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			break
		}
	}
	troubles, _ := os.ReadFile(filepath.Join(s.state, "run", "keeper.log"))
	said := s.said() + string(troubles)
	for _, bad := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
		if strings.Contains(said, bad) {
			s.t.Errorf("a daemon or keeper said %q", bad)
		}
	}
	if s.t.Failed() {
		s.t.Logf("the daemons said:\n%s", said)
	}
}

// proc is a process below a site: an app's, or a keeper. Those that nobody waited for do not count.
type proc struct {
	pid, parent, group int
	state              byte
	id                 signal.ID // of the app it belongs to
	keeper             bool
	words              []string // its command line
}

// processes are all that daemons of the site started, as the kernel has them. Apps are known by
// their environment, which all that they start inherits; keepers by their words and folder.
func (s *site) processes() map[int]proc {
	s.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		s.t.Fatal(err)
	}
	found := make(map[int]proc)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := s.look(pid); ok {
			found[pid] = p
		}
	}
	return found
}

func (s *site) look(pid int) (p proc, ours bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	p.words = strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	if len(p.words) == 3 && p.words[0] == "viscript" && p.words[1] == keepName {
		at, err := os.Readlink(filepath.Join(dir, "cwd"))
		p.keeper = true
		ours = err == nil && at == filepath.Join(s.state, "run")
		n, _ := strconv.ParseUint(p.words[2], 10, 64)
		p.id = signal.ID(n)
	} else {
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		state := false
		for v := range bytes.SplitSeq(env, []byte{0}) {
			name, value, _ := strings.Cut(string(v), "=")
			switch name {
			case envState:
				state = value == s.state
			case signal.EnvID:
				n, _ := strconv.ParseUint(value, 10, 64)
				p.id = signal.ID(n)
			}
		}
		ours = state && p.id != 0
	}
	if !ours {
		return p, false
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return p, false
	}
	p.pid = pid
	_, err = fmt.Sscanf(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " %c %d %d", &p.state, &p.parent, &p.group)
	return p, err == nil && p.state != 'Z' && p.state != 'X'
}

// main tells whether it is what the daemon had started as an app, not a child of that.
func (p proc) main() bool {
	return !p.keeper && p.group == p.pid && strings.HasPrefix(p.words[len(p.words)-1], mainWord)
}

// mainWord begins the last argument of every app of a site.
const mainWord = "main="

// settle waits until check is content, and fails with its last word.
func (s *site) settle(what string, check func() error) {
	s.t.Helper()
	var err error
	for end := time.Now().Add(2 * patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	s.t.Fatalf("%s: %v", what, err)
}

// agree compares the table of apps with the processes there are: whatever runs belongs to one row,
// under that row's id and pid and below one keeper; whatever a row says runs does; none is doubtful.
func (s *site) agree() (map[signal.ID]signal.App, error) {
	list, err := s.List(s.t.Context())
	if err != nil {
		return nil, err
	}
	rows := make(map[signal.ID]signal.App)
	for _, a := range list {
		if _, twice := rows[a.ID]; twice {
			return nil, fmt.Errorf("id %d has two rows", a.ID)
		}
		rows[a.ID] = a
		if a.State == signal.Stopping || a.State == signal.Unverified {
			return nil, fmt.Errorf("app %d is %s: %s", a.ID, a.State, a.Reason)
		}
		if a.Pid != 0 && a.Down {
			return nil, fmt.Errorf("app %d runs and was stopped: %+v", a.ID, a)
		}
	}
	procs := s.processes()
	keepers, mains := make(map[signal.ID]int), make(map[signal.ID]int)
	for pid, p := range procs {
		row, ok := rows[p.id]
		switch {
		case !ok:
			return nil, fmt.Errorf("an orphan: no row has the id of %+v", p)
		case row.Pid == 0:
			return nil, fmt.Errorf("left over of app %d (%s, %s): %+v", p.id, row.App, row.State, p)
		case p.keeper:
			keepers[p.id]++
		case p.main():
			mains[p.id]++
			if pid != row.Pid || p.words[len(p.words)-1] != mainWord+row.App || procs[p.parent].id != p.id {
				return nil, fmt.Errorf("row %d is %s with pid %d, but there is %+v below %+v", row.ID, row.App, row.Pid, p, procs[p.parent])
			}
		}
	}
	for id, row := range rows {
		want := min(row.Pid, 1)
		if keepers[id] != want || mains[id] != want {
			return nil, fmt.Errorf("app %d (%s, %s, pid %d): %d keepers, %d processes", id, row.App, row.State, row.Pid, keepers[id], mains[id])
		}
	}
	return rows, nil
}

// script is the entry of a configuration for a shell script.
func script(name, text string, more map[string]any) map[string]any {
	app := map[string]any{"path": "/bin/sh", "default_args": []string{"-c", text, mainWord + name}, "daemon": true, "stop_timeout": patience.String()}
	for k, v := range more {
		app[k] = v
	}
	return app
}

// within bounds what is asked of a daemon that may be killed meanwhile.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 2*patience)
}
