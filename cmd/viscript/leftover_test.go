//go:build linux

package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tidy runs the tests of the package with a temporary folder of its own, and fails when processes
// that belong to it outlive them: by their environment, executable, working folder or words.
type tidy struct{ m *testing.M }

func (t tidy) Run() int {
	root, err := os.MkdirTemp("", "vs*x") // no such name begins another
	if err == nil {
		err = os.Chmod(root, 0o755) // some tests are of other users
	}
	if err == nil {
		err = os.Setenv("TMPDIR", root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	go func() { // given up by a person: rather nothing left than everything looked at
		<-stop
		for pid := range below(root) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		os.RemoveAll(root)
		os.Exit(1)
	}()
	_ = os.Unsetenv("DISPLAY") // no daemon of the tests opens a window unless it is told to
	code := t.m.Run()
	var left map[int]string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if left = below(root); len(left) == 0 {
			break
		}
		if code != 0 { // a failed test may have left what it started
			break
		}
	}
	for pid, words := range left {
		fmt.Fprintf(os.Stderr, "the tests left process %d: %s\n", pid, words)
		_ = syscall.Kill(pid, syscall.SIGKILL)
		code = 1
	}
	os.RemoveAll(root)
	return code
}

// below finds the processes that have to do with a folder; nothing where there is no /proc.
func below(root string) map[int]string {
	found := make(map[int]string)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		words, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		at, _ := os.Readlink(filepath.Join(dir, "cwd"))
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		if len(words) == 0 { // it has ended
			continue
		}
		if strings.Contains(strings.Join([]string{string(words), string(env), at, exe}, "\x00"), root) {
			found[pid] = strings.ReplaceAll(strings.TrimSuffix(string(words), "\x00"), "\x00", " ")
		}
	}
	return found
}
