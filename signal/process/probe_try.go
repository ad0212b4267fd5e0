//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode"
)

const (
	// commandGrace is how long a probe's program that was killed may hold its pipes.
	commandGrace = time.Second
	// maxProbeHeader bounds the header of an HTTP answer, in bytes.
	maxProbeHeader = 64 << 10
)

// probeTCP connects and hangs up.
func probeTCP(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return shortNetError(err)
	}
	defer conn.Close()
	// A connection to a port nobody listens on can meet itself, when the kernel chose that port for it.
	if conn.LocalAddr().String() == conn.RemoteAddr().String() {
		return errors.New("nobody listens")
	}
	return nil
}

// probeHTTP asks with GET on a connection of its own, by no proxy.
func probeHTTP(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "viscript-probe")
	req.Close = true
	transport := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxProbeHeader}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(req)
	if err != nil {
		return shortNetError(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 399 {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}

// shortNetError leaves out the address, which the reader knows.
func shortNetError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return err
}

// probeCommand runs a program; when ctx ends its whole process group is killed.
func probeCommand(ctx context.Context, argv []string, t Target) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = t.Dir, t.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: t.Credential}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = commandGrace
	var said tail
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) { // what it started goes on in the background
		err = nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("exit code %d", exit.ExitCode())
		if text := said.line(); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-maxProbeText):]...)
	t.kept = t.kept[max(0, len(t.kept)-maxProbeText):]
	return len(p), nil
}

// line is the last one that is not empty.
func (t *tail) line() string {
	text := strings.TrimSpace(string(t.kept))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

var _ io.Writer = (*tail)(nil)

// oneLine makes foreign text fit for a line on a terminal, at most limit bytes.
func oneLine(text string, limit int) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "?") {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if !unicode.IsPrint(r) {
			continue
		}
		if b.Len()+len(string(r)) > limit {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
