package terminals

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

const (
	// hangupTime is how long a program may take to end after its terminal is closed (SIGHUP).
	hangupTime = time.Second
	// killTime is how long the end of a killed program is waited for.
	killTime = 2 * time.Second
	// drainTime is how long the last output of a program is waited for after its end, while
	// others have the terminal open too.
	drainTime = 200 * time.Millisecond
	// maxUnread is more than what the kernel keeps of the output of a pseudo terminal, in bytes.
	maxUnread = 256 << 10
)

// program is a process on a pseudo terminal.
type program struct {
	t      *terminal
	name   string
	shell  bool
	cmd    *exec.Cmd
	master *os.File
}

// start runs a program in t; hold serves it until it has ended and its last words are read.
func (t *terminal) start(args []string, p signal.TermNew) (hold func(context.Context), err error) {
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return nil, signal.Errorf(signal.CodeStart, "%v", err) // it was there just before
	}
	master, slave, err := pty.Open()
	if err != nil {
		return nil, signal.Errorf(signal.CodeStart, "opening a pseudo terminal: %v", err)
	}
	defer slave.Close()
	r := &program{t: t, name: filepath.Base(args[0]), shell: p.Shell, master: master}
	r.resize(t.vt.Size())
	r.cmd = &exec.Cmd{
		Path: path, Args: args, Dir: workDir(p.Dir), Env: t.environment(), Stdin: slave, Stdout: slave, Stderr: slave,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true},
	}
	if err := r.cmd.Start(); err != nil {
		master.Close()
		return nil, signal.Errorf(signal.CodeStart, "%v", err)
	}
	t.holds, t.command, t.setSize = signal.TermCommand, strings.Join(args, " "), r.resize
	return r.hold, nil
}

// environment is that of the daemon, but that of its own terminal.
func (t *terminal) environment() []string {
	env := []string{}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "TERM", "COLORTERM", "COLUMNS", "LINES", "TERMCAP", "TMUX", "TMUX_PANE", "STY", "WINDOWID":
		default:
			env = append(env, v)
		}
	}
	env = append(env, "TERM=xterm-256color", "COLORTERM=truecolor", "TERM_PROGRAM=viscript", EnvTerm+"="+t.id)
	return append(env, t.owner.cfg.Env...)
}

func workDir(dir string) string {
	if dir != "" {
		return dir
	}
	if home, err := os.UserHomeDir(); err == nil {
		if info, err := os.Stat(home); err == nil && info.IsDir() {
			return home
		}
	}
	return "/"
}

// userShell is what the user logs in with.
func userShell() string {
	if s := os.Getenv("SHELL"); filepath.IsAbs(s) {
		return s
	}
	u, err := user.Current()
	if err == nil {
		file, _ := os.ReadFile("/etc/passwd")
		for line := range strings.Lines(string(file)) {
			if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == 7 && f[2] == u.Uid && filepath.IsAbs(f[6]) {
				return f[6]
			}
		}
	}
	return "/bin/sh"
}

// resize tells the program, by SIGWINCH.
func (r *program) resize(cols, rows int) {
	conn, err := r.master.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = conn.Control(func(fd uintptr) {
		_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(cols), Row: uint16(rows)})
	})
}

// hold carries input and output until the program has ended, or ctx: then it is ended.
func (r *program) hold(ctx context.Context) {
	pumping, read := make(chan struct{}), make(chan struct{})
	piping, stopPiping := context.WithCancel(ctx)
	defer stopPiping()
	go func() {
		defer close(pumping)
		r.t.pump(piping, func(p []byte) error { _, err := r.master.Write(p); return err })
	}()
	go func() {
		defer close(read)
		r.read()
	}()
	closing := r.await(ctx)
	_ = r.master.SetReadDeadline(time.Now().Add(drainTime))
	<-read
	stopPiping()
	r.master.Close() // ends a write that nobody reads
	<-pumping
	if !closing {
		r.farewell(ctx)
	}
}

// read takes what is written to the pseudo terminal until nobody has it open or drainTime has passed. What the kernel has then is read
// too: it may wait since before the end of the program.
func (r *program) read() {
	buf := make([]byte, block)
	for {
		n, err := r.master.Read(buf)
		_, _ = r.t.Write(buf[:n])
		if err == nil {
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			r.drain(buf)
		}
		return
	}
}

// drain reads without waiting, as much as the kernel can have kept.
func (r *program) drain(buf []byte) {
	conn, err := r.master.SyscallConn()
	if err != nil || r.master.SetReadDeadline(time.Time{}) != nil {
		return // it is closed
	}
	for n, left := 1, maxUnread; n > 0 && left > 0; left -= n {
		if conn.Read(func(fd uintptr) bool { n, _ = unix.Read(int(fd), buf); return true }) != nil || n <= 0 {
			return
		}
		_, _ = r.t.Write(buf[:n])
	}
}

// await waits for the end of the program and says whether the terminal is being closed.
func (r *program) await(ctx context.Context) (closing bool) {
	pid := r.cmd.Process.Pid
	ended := make(chan struct{})
	go func() { // without reaping it: until then its group is nobody else's
		defer close(ended)
		for {
			err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if !errors.Is(err, syscall.EINTR) {
				return
			}
		}
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		closing = true
		_ = syscall.Kill(-pid, syscall.SIGHUP)
		_ = syscall.Kill(-pid, syscall.SIGCONT)
		late := time.NewTimer(hangupTime)
		defer late.Stop()
		select {
		case <-ended:
		case <-late.C:
		}
		_ = syscall.Kill(-pid, syscall.SIGKILL) // who ignores a hangup too
		late.Reset(killTime)
		select {
		case <-ended:
		case <-late.C: // it sleeps in the kernel and cannot be killed
			return true
		}
	}
	_ = r.cmd.Wait() // its state says how it ended
	return closing
}

// farewell leaves what the program said in sight, when it failed, until Enter is typed.
func (r *program) farewell(ctx context.Context) {
	state := r.cmd.ProcessState
	if r.shell || state.Success() {
		return
	}
	how := state.String()
	if code := state.ExitCode(); code >= 0 {
		how = fmt.Sprintf("exit code %d", code)
	}
	_ = r.t.in.take() // typed before it is said what Enter does
	const plain = "\x1b[?1049l\x1b7\x1b[r\x1b8\x1b[0m\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?2004l\r\n"
	fmt.Fprintf(r.t, "%s%s has ended: %s; Enter closes this terminal\r\n", plain, term.Clean(cut(r.name, 64)), how)
	waiting, enter := context.WithCancel(ctx)
	defer enter()
	r.t.pump(waiting, func(p []byte) error {
		if strings.ContainsAny(string(p), "\r\n\x03\x04") {
			return context.Canceled
		}
		return nil
	})
}
