//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skycoin/viscript/viscript"
	"github.com/skycoin/viscript/viscript/gl"
	text "github.com/skycoin/viscript/viscript/term"
)

// ownWindow is the window that the daemon opens where there is a display: a process of its own, because one that
// loses its display ends. It is no app and has no id.
type ownWindow struct {
	state   string // folder
	notices *viscript.Notices
	stays   atomic.Bool // though the daemon goes: the next one is about to come
}

const (
	// closeTime is what a window has to end when the daemon does.
	closeTime = 3 * time.Second
	// lookTime is how often a window is looked for that is no child of ours.
	lookTime = 20 * time.Millisecond
	// maxReason bounds, in bytes, what is read of a window's last words.
	maxReason = 4 << 10
)

// wantsWindow tells whether the daemon opens one.
func (d *daemon) wantsWindow() bool {
	return !d.options.headless && !d.console.Config().Settings.RunHeadless && os.Getenv("DISPLAY") != ""
}

// run opens the window where it is wanted, unless the one of a daemon before is still there. When ctx ends it closes
// the window, whichever daemon opened it.
func (w *ownWindow) run(ctx context.Context, wanted bool) {
	folder := filepath.Join(w.state, windowFolder)
	switch {
	case !wanted || lockHolder(folder) > 0:
	case !hasWindow():
		w.notices.Line("no window: this executable was built without it")
	default:
		w.open(ctx, folder)
	}
	<-ctx.Done()
	w.endLeft(folder)
}

// open lives as long as a window of this daemon's, and says when it has ended by itself.
func (w *ownWindow) open(ctx context.Context, folder string) {
	cmd, log, err := w.command(folder)
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.notices.Line("no window: " + text.Clean(err.Error()))
		return
	}
	log.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		w.notices.Line(w.parting(err, log.Name()))
	case <-ctx.Done():
		w.end(cmd, ended)
	}
}

// command is the window's process. What it writes goes to a file: it may outlive a pipe to this daemon.
func (w *ownWindow) command(folder string) (*exec.Cmd, *os.File, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, nil, err
	}
	log, err := os.OpenFile(filepath.Join(folder, "log"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|noFollow, 0o600)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(self, "gui", "--of-daemon", "--state", w.state)
	cmd.Args[0] = "viscript"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C at the prompt is not for it
	return cmd, log, nil
}

// endLeft closes the window of a daemon before. It is waited for: the next daemon is not to find it.
func (w *ownWindow) endLeft(folder string) {
	pid := lockHolder(folder)
	if pid == 0 || w.stays.Load() {
		return
	}
	_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended
	for end := time.Now().Add(closeTime); lockHolder(folder) == pid && time.Now().Before(end); {
		time.Sleep(lookTime)
	}
}

// end closes the window with the daemon.
func (w *ownWindow) end(cmd *exec.Cmd, ended <-chan error) {
	if w.stays.Load() {
		return
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-ended:
	case <-time.After(closeTime):
		_ = cmd.Process.Kill()
		<-ended
	}
}

// parting is what is said of a window that has ended by itself.
func (w *ownWindow) parting(err error, log string) string {
	const goesOn = "viscript runs on: `viscript gui` opens a window again, `viscript exec quit` ends it"
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "the window is closed; " + goesOn
	case errors.As(err, &exit) && exit.ExitCode() == gl.ExitLost:
		return "the display has gone; " + goesOn
	}
	if reason := lastLine(log); reason != "" {
		return text.Clean(reason)
	}
	return fmt.Sprintf("the window has ended: %v; %s", err, goesOn)
}

// lastLine is the last line of a small file, without the name of the program in front.
func lastLine(name string) string {
	b, _ := os.ReadFile(name) // without it there is no reason to tell
	b = bytes.TrimSpace(b[max(0, len(b)-maxReason):])
	line := string(b[bytes.LastIndexByte(b, '\n')+1:])
	return strings.TrimPrefix(line, "viscript: ")
}

// lockHolder is the process that has taken a folder with lockFolder, 0 if none has.
func lockHolder(folder string) int {
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|noFollow, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	if !errors.Is(lockFile(f), syscall.EWOULDBLOCK) {
		return 0
	}
	holder := make([]byte, 16)
	n, _ := f.Read(holder)
	pid, err := strconv.Atoi(strings.TrimSpace(string(holder[:n])))
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}
