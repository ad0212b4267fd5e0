package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A role becomes itself again with a larger slack, once, under the pid that it was started with.
func TestCalmMonitor(t *testing.T) {
	cmd := exec.Command("viscript", "apptracker", "127.0.0.1:0", "--state", t.TempDir())
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGTERM)
	for lines := bufio.NewScanner(stderr); ; {
		if !lines.Scan() {
			t.Fatal("the role ended: ", lines.Err())
		}
		if strings.Contains(lines.Text(), "started") {
			break
		}
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/timerslack_ns")
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		t.Skip(err)
	}
	if got := strings.TrimSpace(string(b)); err != nil || got != strconv.Itoa(monitorSlack) {
		t.Errorf("slack %q, %v; want %d", got, err, monitorSlack)
	}
}
