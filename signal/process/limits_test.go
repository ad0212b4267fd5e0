//go:build linux

package process

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// fakeCgroups is a folder with the files of a delegated cgroup that has these controllers.
func fakeCgroups(t *testing.T, controllers string) (*Cgroups, string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{"cgroup.controllers": controllers + "\n", "cgroup.subtree_control": "", "cgroup.procs": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := OpenCgroups(root)
	if err != nil {
		t.Fatal(err)
	}
	return c, root
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

var fullLimits = signal.Limits{Memory: 64 << 20, CPU: 1.5, Pids: 100, Files: 64}

// limited starts a shell under limits and returns what it printed.
func limited(t *testing.T, script string, l signal.Limits, g *Cgroup, cred *syscall.Credential) (string, []Held) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	attr := &os.ProcAttr{Dir: "/", Files: []*os.File{nil, w, w}, Sys: &syscall.SysProcAttr{Setpgid: true, Credential: cred}}
	p, held, err := StartLimited("/bin/sh", []string{"sh", "-c", script}, attr, l, g)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := io.Copy(&out, r); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // what the shell has left in its group
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), held
}

func TestRlimitsHoldBeforeTheFirstInstruction(t *testing.T) {
	out, held := limited(t, "ulimit -n; ulimit -Hn; ulimit -d", fullLimits, nil, nil)
	if out != "64\n64\n65536" {
		t.Errorf("limits inside: %q", out)
	}
	text := HeldText(held)
	for _, want := range []string{"memory 64MiB by rlimit: each process", "cpu 1.5 cores not applied: needs a delegated cgroup", "files 64 by rlimit"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	if os.Geteuid() == 0 && !strings.Contains(text, "pids 100 not applied: needs a delegated cgroup: the kernel counts no processes of root") {
		t.Error(text)
	}
	if left := Unheld(held); len(left) == 0 || left[0].Limit != "cpu 1.5 cores" {
		t.Errorf("%+v", left)
	}
}

func TestNoLimitsNoTrace(t *testing.T) {
	out, held := limited(t, "grep TracerPid /proc/self/status", signal.Limits{}, nil, nil)
	if out != "TracerPid:\t0" || held != nil {
		t.Errorf("%q %v", out, held)
	}
	out, _ = limited(t, "grep TracerPid /proc/self/status", signal.Limits{Files: 100}, nil, nil)
	if out != "TracerPid:\t0" {
		t.Errorf("still traced: %q", out)
	}
}

func TestMemoryByRlimitBites(t *testing.T) {
	out, _ := limited(t, `x=$(head -c 100000000 /dev/zero | tr '\0' x) && echo enough || echo bounded`, signal.Limits{Memory: 32 << 20}, nil, nil)
	if strings.Contains(out, "enough") {
		t.Errorf("100 MB in a shell of 32 MiB: %q", out)
	}
}

// TestPidsByRlimit needs a user without rights: as root it runs itself again as one.
func TestPidsByRlimit(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		asNobody(t, "^TestPidsByRlimit$")
		return
	}
	out, held := limited(t, "for i in 1 2 3 4 5 6 7 8 9; do sleep 60 >/dev/null 2>&1 & done; echo all", signal.Limits{Pids: 5}, nil, nil)
	if text := HeldText(held); !strings.HasPrefix(text, "pids 5 by rlimit: the user's ") {
		t.Error(text)
	}
	if !strings.Contains(strings.ToLower(out), "fork") {
		t.Errorf("nine children under a limit of five: %q", out)
	}
	_, held = limited(t, ":", signal.Limits{Files: maxFilesHere(t) + 1}, nil, nil)
	if text := HeldText(held); !strings.Contains(text, "not applied: the daemon itself may have at most ") {
		t.Error(text)
	}
}

// maxFilesHere is our own hard limit of open files.
func maxFilesHere(t *testing.T) uint64 {
	var l unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &l); err != nil {
		t.Fatal(err)
	}
	return l.Max
}

// asNobody runs tests of this binary as a user that has nothing else running.
func asNobody(t *testing.T, tests string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "limits")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	text, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		test := filepath.Join(dir, "test")
		err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(test, text, 0o755), os.Chmod(test, 0o755)) // whatever the umask
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "test"), "-test.run", tests, "-test.v")
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin", "TMPDIR=/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 64999, Gid: 64999}}
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Errorf("as another user: %v\n%s", err, out)
	}
}

func TestStartLimitedErrors(t *testing.T) {
	attr := &os.ProcAttr{Files: []*os.File{nil, nil, nil}}
	for path, want := range map[string]error{"/no/such": syscall.ENOENT, "/dev/null": syscall.EACCES} {
		if _, _, err := StartLimited(path, []string{path}, attr, fullLimits, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	p, held, err := StartLimited("/bin/true", []string{"true"}, attr, fullLimits, nil)
	if err != nil || len(held) != 4 {
		t.Fatal(err, held)
	}
	if s, err := p.Wait(); err != nil || s.ExitCode() != 0 {
		t.Errorf("%v %v", s, err)
	}
}

func TestStartThenLimit(t *testing.T) {
	attr := &os.ProcAttr{Files: []*os.File{nil, nil, nil}}
	p, held, err := startThenLimit("/bin/sleep", []string{"sleep", "60"}, attr, signal.Limits{Files: 99, CPU: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Wait()
	defer p.Kill()
	var got unix.Rlimit
	if err := unix.Prlimit(p.Pid, unix.RLIMIT_NOFILE, nil, &got); err != nil || got.Max != 99 {
		t.Errorf("%+v %v", got, err)
	}
	if text := HeldText(held); text != "cpu 1 cores not applied: needs a delegated cgroup; files 99 by rlimit: from a moment after the start" {
		t.Error(text)
	}
}

func TestCgroupLimits(t *testing.T) {
	c, root := fakeCgroups(t, "cpuset cpu io memory pids")
	if got := content(t, filepath.Join(root, "cgroup.subtree_control")); got != "+pids" { // the last of three writes
		t.Errorf("subtree_control %q", got)
	}
	g, err := c.Make("7")
	if err != nil || g.Path() != filepath.Join(root, "app-7") {
		t.Fatal(err)
	}
	out, held := limited(t, "echo $$", fullLimits, g, nil)
	for file, want := range map[string]string{
		"memory.max": strconv.Itoa(64 << 20), "cpu.max": "150000 100000", "pids.max": "100", "cgroup.procs": out,
	} {
		if got := content(t, filepath.Join(g.Path(), file)); got != want {
			t.Errorf("%s holds %q, want %q", file, got, want)
		}
	}
	if text := HeldText(held); text != "memory 64MiB by cgroup; cpu 1.5 cores by cgroup; pids 100 by cgroup; files 64 by rlimit" {
		t.Error(text)
	}
	if left := Unheld(held); left != nil {
		t.Errorf("%v", left)
	}
	again, err := c.Make("7")
	if err != nil || again.Path() != g.Path() {
		t.Errorf("taking over: %v", err)
	}
}

func TestCgroupWithoutController(t *testing.T) {
	c, _ := fakeCgroups(t, "memory")
	g, err := c.Make("1")
	if err != nil {
		t.Fatal(err)
	}
	_, held := limited(t, ":", signal.Limits{Memory: 1 << 30, CPU: 0.5}, g, nil)
	if text := HeldText(held); text != "memory 1GiB by cgroup; cpu 0.5 cores not applied: the delegated cgroup has no controller cpu" {
		t.Error(text)
	}
}

func TestCgroupGone(t *testing.T) {
	c, _ := fakeCgroups(t, "memory")
	g, err := c.Make("1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(g.Path()); err != nil {
		t.Fatal(err)
	}
	_, held := limited(t, ":", signal.Limits{Memory: 1 << 30, CPU: 0.5}, g, nil)
	if held[0].By != ByRlimit || held[1].By != NotHeld || !strings.Contains(held[1].Note, "no such file") {
		t.Errorf("%v", held)
	}
	if err := g.Remove(); err != nil {
		t.Errorf("removing what is gone: %v", err)
	}
}

func TestCgroupProcsAndOOM(t *testing.T) {
	c, _ := fakeCgroups(t, "memory")
	for _, bad := range []string{"", "a/b", "..", "é", "a b"} {
		if _, err := c.Make(bad); err == nil {
			t.Errorf("%q was made", bad)
		}
	}
	g, err := c.Make("x-1_Y")
	if err != nil {
		t.Fatal(err)
	}
	write := func(file, text string) {
		if err := os.WriteFile(filepath.Join(g.Path(), file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("cgroup.procs", "12\n0\n345\n")
	if pids, err := g.Procs(); err != nil || !slices.Equal(pids, []int{12, 345}) {
		t.Errorf("%v %v", pids, err)
	}
	write("cgroup.procs", "12\nx\n")
	if pids, err := g.Procs(); err == nil {
		t.Errorf("%v", pids)
	}
	if g.OOMKills() != 0 {
		t.Error("kills out of nothing")
	}
	write("memory.events", "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n")
	if n := g.OOMKills(); n != 4 {
		t.Errorf("%d kills", n)
	}
	if err := g.Kill(); err != nil || content(t, filepath.Join(g.Path(), "cgroup.kill")) != "1" {
		t.Errorf("%v", err)
	}
	if err := g.Remove(); err == nil {
		t.Error("a folder that is not empty was removed")
	}
	if _, err := OpenCgroups(t.TempDir()); err == nil {
		t.Error("a plain folder was taken for a cgroup")
	}
}

func TestFindCgroup(t *testing.T) {
	if delegated(t.TempDir()) || delegated("/no/such") {
		t.Error("a plain folder is delegated")
	}
	if dir := FindCgroup(); dir != "" && !delegated(dir) {
		t.Errorf("found %s", dir)
	}
}

// TestRealCgroup ends a tree of double forks where the machine lets us make a cgroup.
func TestRealCgroup(t *testing.T) {
	var dir string
	for _, root := range []string{cgroupMount, cgroupMount + "/unified"} {
		var st unix.Statfs_t
		path := filepath.Join(root, "viscript-test-"+strconv.Itoa(os.Getpid()))
		if unix.Statfs(root, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC && os.Mkdir(path, 0o755) == nil {
			dir = path
			break
		}
	}
	if dir == "" {
		t.Skip("no cgroup of version 2 can be made here")
	}
	g := &Cgroup{dir: dir}
	defer g.Remove()
	attr := &os.ProcAttr{Files: []*os.File{nil, nil, nil}}
	p, _, err := StartLimited("/bin/sh", []string{"sh", "-c", "(setsid sleep 600 &); exec sleep 600"}, attr, signal.Limits{}, g)
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { pids, err := g.Procs(); return err == nil && len(pids) == 2 })
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { pids, err := g.Procs(); return err == nil && len(pids) == 0 })
	until(t, func() bool { return g.Remove() == nil })
}

// until waits for what comes soon.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(slack); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came")
		}
	}
}
