//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Cgroups is a cgroup of version 2 that was delegated to us: below it every app gets a
// cgroup of its own (cgroups(7), "Delegation"). Safe for concurrent use.
type Cgroups struct {
	root        string
	controllers []string // of cpu, memory and pids those that the children have
}

// cgroupMount is where version 2 is mounted on its own.
const cgroupMount = "/sys/fs/cgroup"

// daemonGroup is where the processes of a delegated cgroup go.
const daemonGroup = "daemon"

// maxCgroupFile bounds what is read of a file of a cgroup: a list of pids at most.
const maxCgroupFile = 1 << 20

// FindCgroup returns our own cgroup where somebody delegated it to us, otherwise "": it belongs
// to our user, and for root, to whom all belong, systemd marked it (Delegate=yes); and nobody else is
// in it, as a shell is in that of a terminal's window.
func FindCgroup() string {
	text, err := readSmall("/proc/self/cgroup", maxStatus)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		path, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("0::"))
		dir := filepath.Join(cgroupMount, string(path))
		if above := filepath.Dir(dir); ok && filepath.Base(dir) == daemonGroup && delegated(above) {
			return above // an earlier daemon went down, and this one began there
		}
		if ok && delegated(dir) && alone(dir) {
			return dir
		}
	}
	return ""
}

// alone tells whether we are the only process in a cgroup itself.
func alone(dir string) bool {
	pids, err := (&Cgroup{dir: dir}).Procs()
	return err == nil && len(pids) == 1 && pids[0] == os.Getpid()
}

func delegated(dir string) bool {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
		return false
	}
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) != os.Geteuid() || unix.Access(filepath.Join(dir, "cgroup.subtree_control"), unix.W_OK) != nil {
		return false
	}
	if os.Geteuid() != 0 {
		return true
	}
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(dir, name, value); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// OpenCgroups prepares a delegated cgroup. A cgroup whose children are limited may hold no
// processes itself: those in it, us among them, move to its child "daemon".
func OpenCgroups(root string) (*Cgroups, error) {
	there, err := readWords(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return nil, fmt.Errorf("process: %s is no cgroup of version 2: %w", root, err)
	}
	c := &Cgroups{root: root}
	for _, name := range []string{"cpu", "memory", "pids"} {
		if !slices.Contains(there, name) {
			continue
		}
		err := c.enable(name)
		if errors.Is(err, syscall.EBUSY) {
			if err = c.moveDown(); err == nil {
				err = c.enable(name)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("process: cgroup %s: enabling %s: %w", root, name, err)
		}
		c.controllers = append(c.controllers, name)
	}
	return c, nil
}

func (c *Cgroups) enable(controller string) error {
	return writeTo(filepath.Join(c.root, "cgroup.subtree_control"), "+"+controller)
}

func (c *Cgroups) moveDown() error {
	leaf := &Cgroup{dir: filepath.Join(c.root, daemonGroup)}
	if err := os.Mkdir(leaf.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for range 10 { // what forks meanwhile is still here the next time
		pids, err := (&Cgroup{dir: c.root}).Procs()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := leaf.Add(pid); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
	return syscall.EBUSY
}

// Make makes the cgroup of an app; one that is there already, left by an earlier start, is taken over.
// name becomes the name of a folder: letters, digits, '-' and '_'.
func (c *Cgroups) Make(name string) (*Cgroup, error) {
	plain := !strings.ContainsFunc(name, func(r rune) bool {
		return !(r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
	if name == "" || !plain {
		return nil, fmt.Errorf("process: %q is no name of a cgroup", name)
	}
	g := &Cgroup{dir: c.dir(name), controllers: c.controllers}
	if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("process: making a cgroup: %w", err)
	}
	return g, nil
}

func (c *Cgroups) dir(name string) string { return filepath.Join(c.root, "app-"+name) }

// Remove takes the cgroup of an app away, if it has one; it fails with EBUSY while processes are in it.
func (c *Cgroups) Remove(name string) error { return (&Cgroup{dir: c.dir(name)}).Remove() }

// Cgroup is the cgroup of one app. Remove ends it.
type Cgroup struct {
	dir         string
	controllers []string
}

// Path of its folder.
func (g *Cgroup) Path() string { return g.dir }

// Add moves a process into it; what the process starts later is in it too.
func (g *Cgroup) Add(pid int) error {
	return writeTo(filepath.Join(g.dir, "cgroup.procs"), strconv.Itoa(pid))
}

// Procs lists the processes in it, not those in cgroups below.
func (g *Cgroup) Procs() ([]int, error) {
	words, err := readWords(filepath.Join(g.dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	pids := make([]int, 0, len(words))
	for _, w := range words {
		pid, err := strconv.Atoi(w)
		if err != nil {
			return nil, fmt.Errorf("process: cgroup %s: %q is no pid", g.dir, w)
		}
		if pid > 0 { // 0 stands for a process of another pid namespace
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Kill sends SIGKILL to all processes in it and below, also to those that fork meanwhile (Linux 5.14).
func (g *Cgroup) Kill() error { return writeTo(filepath.Join(g.dir, "cgroup.kill"), "1") }

// OOMKills counts the processes that the kernel ended because memory was at its limit.
func (g *Cgroup) OOMKills() uint64 {
	text, err := os.ReadFile(filepath.Join(g.dir, "memory.events"))
	if err != nil {
		return 0
	}
	return field(text, "oom_kill ")
}

// Remove takes the cgroup away; it fails with EBUSY while processes are in it.
func (g *Cgroup) Remove() error {
	if err := unix.Rmdir(g.dir); err != nil && err != unix.ENOENT {
		return fmt.Errorf("process: removing cgroup %s: %w", g.dir, err)
	}
	return nil
}

func (g *Cgroup) limitMemory(max uint64) error {
	return g.limit("memory", "memory.max", strconv.FormatUint(max, 10))
}

func (g *Cgroup) limitPids(max uint64) error {
	return g.limit("pids", "pids.max", strconv.FormatUint(max, 10))
}

// cpuPeriod is the kernel's default, in microseconds; its least quota is 1000 (min 1 % of a core).
const cpuPeriod = 100_000

func (g *Cgroup) limitCPU(cores float64) error {
	return g.limit("cpu", "cpu.max", fmt.Sprintf("%d %d", max(1000, int64(cores*cpuPeriod)), cpuPeriod))
}

func (g *Cgroup) limit(controller, file, value string) error {
	if !slices.Contains(g.controllers, controller) {
		return fmt.Errorf("the delegated cgroup has no controller %s", controller)
	}
	return writeTo(filepath.Join(g.dir, file), value)
}

// writeTo writes to a file of a cgroup: one write is one command.
func writeTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func readWords(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := readAtMost(f, maxCgroupFile)
	return strings.Fields(text), err
}
