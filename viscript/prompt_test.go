//go:build linux

package viscript

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
	"github.com/skycoin/viscript/viscript/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quietHost has one app, whose log never ends, and says what the test tells it to say.
type quietHost struct {
	host.Host
	events chan signal.Event
}

func (quietHost) List(context.Context) ([]signal.App, error) {
	return []signal.App{{ID: 7, App: "node", Pid: 70, State: signal.Ready, Started: time.Now()}}, nil
}

func (h quietHost) Events(ctx context.Context, _ uint64, follow bool, fn func(signal.Event) error) error {
	for follow {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-h.events:
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (quietHost) Logs(ctx context.Context, _ signal.ID, r signal.LogsRequest, w io.Writer) error {
	fmt.Fprint(w, "log line\nhalf a line")
	if r.Follow {
		<-ctx.Done()
	}
	return ctx.Err()
}

// openPty returns both ends of a new pseudo terminal of 60 columns.
func openPty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// person is somebody at the terminal of a console.
type person struct {
	*testing.T
	master  *os.File
	console *Console
	host    quietHost
	ended   chan error

	mu   sync.Mutex // guards the following
	seen bytes.Buffer
	read int // of seen, what was waited for
}

func sitDown(t *testing.T, ctx context.Context) *person {
	t.Helper()
	master, slave := openPty(t)
	dir := t.TempDir()
	p := &person{T: t, master: master, host: quietHost{events: make(chan signal.Event)}, ended: make(chan error, 1)}
	var err error
	p.console, err = New(Options{
		Host: p.host, StateDir: dir, Version: "test", Notices: NewNotices(io.Discard),
		Config: &Config{Apps: map[string]App{"node": {Name: "node", Path: "/bin/true"}, "nodemanager": {Name: "nodemanager", Path: "/bin/true"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	before, err := term.GetState(int(slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { p.console.Run(ctx) })
	work.Go(func() { p.ended <- p.console.Prompt(ctx, slave, slave) })
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			p.mu.Lock()
			p.seen.Write(buf[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		work.Wait()
		after, err := term.GetState(int(slave.Fd()))
		if err != nil || fmt.Sprint(*after) != fmt.Sprint(*before) {
			t.Errorf("the terminal was left changed: %v", err)
		}
		slave.Close()
		<-watched
	})
	p.sees("viscript> ")
	return p
}

func (p *person) types(keys string) {
	p.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.Fatal(err)
	}
}

// sees waits for text behind what was waited for before.
func (p *person) sees(text string) {
	p.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		p.mu.Lock()
		i := bytes.Index(p.seen.Bytes()[p.read:], []byte(text))
		if i >= 0 {
			p.read += i + len(text)
		}
		p.mu.Unlock()
		if i >= 0 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	p.Fatalf("%q does not appear; since then: %q", text, p.screen()[p.read:])
}

// screen is all that was shown.
func (p *person) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.String()
}

func (p *person) leaves() error {
	p.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(20 * time.Second):
		p.Fatal("the prompt does not end")
		return nil
	}
}

func TestPromptRunsLines(t *testing.T) {
	p := sitDown(t, t.Context())
	p.types("versoin\r")
	p.sees("error: unknown command \"versoin\"; did you mean \"version\"?")
	p.sees("viscript> ")
	p.types("\x1b[A\x17version\r") // the line before, the word replaced
	p.sees("viscript test\r\n")
	p.types("help node\x01\x0b\x19\r") // cut and put back
	p.sees("path: /bin/true\r\n")
	p.types("'open\r")
	p.sees("error: the line ends inside quotes")
	p.sees("viscript> ") // while a command runs, Ctrl-C would be for it
	p.types("garbage\x03")
	p.sees("garbage\x1b[K")
	p.sees("^C\r\n")
	p.types("\r\r   \r\x04")
	if err := p.leaves(); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(p.console.env.StateDir, "history"))
	if err != nil || string(text) != "version\nhelp node\n" {
		t.Errorf("history %q, %v", text, err)
	}
}

func TestPromptCompletes(t *testing.T) {
	p := sitDown(t, t.Context())
	p.types("start no\t")
	p.sees("viscript> start node")
	p.types("\t")
	p.sees("node         nodemanager\r\n")
	p.types("m\t")
	p.sees("viscript> start nodemanager ")
	p.types("\x15why \t")
	p.sees("7     node\r\n")
	p.types("no\t")
	p.sees("viscript> why node ")
	p.types("\x15\x12")
	p.sees("(search)")
	p.types("\x07nothing-such \t")
	p.sees("\a")
}

func TestPromptNotices(t *testing.T) {
	p := sitDown(t, t.Context())
	p.types("half typed")
	p.sees("half typed")
	p.host.events <- signal.Event{Seq: 1, ID: 7, App: "node", Kind: "failed", Text: "exited with code 1\x1b[2J"}
	p.sees("\r\x1b[Kapp 7 (node) failed: exited with code 1\ufffd[2J (see: why 7)\r\n\rviscript> half typed")
	p.host.events <- signal.Event{Seq: 2, ID: 7, App: "node", Kind: "status", Text: "nobody asked"}
	p.host.events <- signal.Event{Seq: 3, ID: 7, App: "node", Kind: "exited", Text: "exit code 0"}
	p.sees("app 7 (node) has ended: exit code 0\r\n")
	if strings.Contains(p.screen(), "nobody asked") {
		t.Error("a status was shown")
	}
	p.types("\x15version\r")
	p.sees("viscript test")
}

func TestPromptInterruptsCommands(t *testing.T) {
	p := sitDown(t, t.Context())
	p.types("logs -f 7\r")
	p.sees("log line\r\nhalf a line")
	p.types("lost typing\x03version\r") // what comes behind Ctrl-C is kept
	p.sees("\r\n\rviscript> ")
	p.sees("viscript test\r\n")
	p.types("logs -f 7\r")
	p.sees("half a line")
	p.types("quit\r\x03quit\r")
	if err := p.leaves(); err != nil {
		t.Error(err)
	}
	<-p.console.Done()
}

func TestPromptEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := sitDown(t, ctx)
	p.types("logs -f 7\r")
	p.sees("half a line")
	cancel()
	if err := p.leaves(); err != nil {
		t.Error(err)
	}
}

func TestPromptEndsWithQuit(t *testing.T) {
	p := sitDown(t, t.Context())
	p.types("vers")
	p.sees("vers")
	p.console.endDaemon()
	if err := p.leaves(); err != nil {
		t.Error(err)
	}
}

func TestPromptEndsWithTerminal(t *testing.T) {
	master, slave := openPty(t)
	c, err := New(Options{Host: quietHost{}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Prompt(t.Context(), slave, slave) }()
	if _, err := master.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	master.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the prompt outlives its terminal")
	}
}

func TestPromptPaste(t *testing.T) {
	p := sitDown(t, t.Context())
	p.sees("") // the prompt stands
	p.types("\x1b[200~version\nquit\n\x1b[201~")
	p.sees("viscript> version quit")
	p.types("\x15\x1b\x1b[Dversion\r") // Escape alone, then a key
	p.sees("viscript test")
}

func TestPromptNeedsTerminal(t *testing.T) {
	c, err := New(Options{Host: quietHost{}})
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := c.Prompt(t.Context(), r, w); err == nil {
		t.Error("a pipe was taken for a terminal")
	}
}

func TestExec(t *testing.T) {
	loads := 0
	c, err := New(Options{
		Host: quietHost{}, Version: "test", Config: &Config{Settings: Settings{VerifyParsing: true}},
		Load: func() (*Config, error) {
			if loads++; loads == 1 {
				return nil, errors.New("x.yaml:3: broken")
			}
			return &Config{Apps: map[string]App{"node": {}}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	run := func(r signal.ExecRequest, want int) (string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := c.Exec(t.Context(), r, &out, &errs); got != want {
			t.Errorf("%+v: exit code %d, want %d: %s", r, got, want, &errs)
		}
		return out.String(), errs.String()
	}
	out, errs := run(signal.ExecRequest{Line: "version"}, command.OK)
	if out != "viscript test\n" || errs != "parsed: [\"version\"]\n" {
		t.Errorf("%q, %q", out, errs)
	}
	if out, errs := run(signal.ExecRequest{Args: []string{"version"}, JSON: true}, command.OK); out != "{\"version\":\"test\"}\n" || errs != "" {
		t.Errorf("%q, %q", out, errs)
	}
	run(signal.ExecRequest{}, command.Usage)
	run(signal.ExecRequest{Line: "  "}, command.Usage)
	run(signal.ExecRequest{Line: "a 'b"}, command.Usage)
	run(signal.ExecRequest{Args: []string{"version", "a\x00b"}}, command.Usage)
	if _, errs := run(signal.ExecRequest{Line: "reload"}, command.Failed); !strings.Contains(errs, "nothing was changed: x.yaml:3: broken") {
		t.Error(errs)
	}
	if !c.Config().Settings.VerifyParsing {
		t.Error("a broken file changed the configuration")
	}
	if out, _ := run(signal.ExecRequest{Line: "reload"}, command.OK); !strings.Contains(out, "added: app node\nchanged: settings") {
		t.Error(out)
	}
}
