package viscript

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
	"github.com/skycoin/viscript/viscript/host"
	"github.com/skycoin/viscript/viscript/term"
)

// Options is what a console is made of.
type Options struct {
	Host    host.Host // the signal server of this daemon
	Address string    // of the host, for `hosts`: the path of its socket
	TCPAddr string    // where programs reach it, "" nowhere
	// StateDir holds the history of the prompt; "" keeps none.
	StateDir string
	Version  string
	Config   *Config                 // nil: no apps
	Load     func() (*Config, error) // reads the configuration anew; nil: `reload` is refused
	Log      *slog.Logger            // nil: discarded
	Notices  *Notices                // where Run tells what happens to apps; nil: nowhere
	Audit    *Audit                  // records what is done at the prompt; nil: nothing

	Terminals command.Terminals // those of the daemon; nil: none
}

// Console runs commands. Safe for concurrent use.
type Console struct {
	table   *command.Table
	env     *command.Env
	log     *slog.Logger
	notices *Notices
	audit   *Audit
	config  atomic.Pointer[Config]
	load    func() (*Config, error)
	watch   *fileWatch // nil where nothing can be loaded

	reloading sync.Mutex // one reload at a time: held while the file is read and the result put in place
	quit      chan struct{}
	quitOnce  sync.Once
}

// New makes a console; it starts nothing.
func New(o Options) (*Console, error) {
	if o.Host == nil {
		return nil, errors.New("viscript: a console needs a host")
	}
	c := &Console{table: command.New(), log: o.Log, audit: o.Audit, load: o.Load, quit: make(chan struct{})}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.notices = o.Notices; c.notices == nil {
		c.notices = NewNotices(io.Discard)
	}
	if o.Config == nil {
		o.Config = &Config{}
	}
	c.config.Store(o.Config)
	c.env = &command.Env{
		Host:     o.Host,
		Hosts:    []host.Named{{Name: "local", Address: o.Address, Host: o.Host}},
		Config:   c.Config,
		Members:  &command.Members{},
		Quit:     c.endDaemon,
		Version:  o.Version,
		StateDir: o.StateDir,
		TCPAddr:  o.TCPAddr,
		Started:  time.Now(),

		Terminals: o.Terminals, Lines: c.readLines,
	}
	if o.Load != nil {
		c.env.Reload, c.env.Load = c.reload, o.Load
		c.watch = newFileWatch(func() string { return c.Config().File }, c.fileChanged, c.watchFailed)
		c.env.Watch = c.watch
		c.env.Check = func() error { _, err := o.Load(); return err }
	}
	return c, nil
}

// Config is the configuration of this moment.
func (c *Console) Config() *Config { return c.config.Load() }

// Done is closed when somebody asked the daemon to end with `quit`.
func (c *Console) Done() <-chan struct{} { return c.quit }

func (c *Console) endDaemon() { c.quitOnce.Do(func() { close(c.quit) }) }

func (c *Console) reload() (Changes, error) {
	c.reloading.Lock()
	defer c.reloading.Unlock()
	next, err := c.load()
	if err != nil {
		return Changes{}, err
	}
	return command.Compare(c.config.Swap(next), next), nil
}

// Exec runs one command and returns its exit code (command.OK, Failed, Usage). It has the
// form the signal server wants for what comes over the operator socket.
func (c *Console) Exec(ctx context.Context, r signal.ExecRequest, stdout, stderr io.Writer) int {
	return c.exec(ctx, r, stdout, stderr, origin{})
}

// Autostart starts the apps that the configuration wants started with the daemon, and says so.
func (c *Console) Autostart(ctx context.Context, stdout, stderr io.Writer) int {
	return c.table.Autostart(ctx, c.env, command.Output{Out: stdout, Err: stderr})
}

// origin is where a line comes from.
type origin struct {
	via    string         // for the audit record; "": whoever calls records it
	lender command.Lender // nil: no terminal
}

func (c *Console) exec(ctx context.Context, r signal.ExecRequest, stdout, stderr io.Writer, from origin) int {
	words := r.Args
	if r.Line != "" {
		var err error
		if words, err = c.table.Line(c.apps(ctx), r.Line); err != nil {
			fmt.Fprintf(stderr, "error: %v\n", err)
			return command.Usage
		}
	}
	if slices.ContainsFunc(words, func(w string) bool { return strings.ContainsRune(w, 0) }) {
		fmt.Fprintln(stderr, "error: a word holds a NUL character")
		return command.Usage
	}
	if len(words) == 0 {
		fmt.Fprintln(stderr, "error: no command; `help` lists them all")
		return command.Usage
	}
	if c.Config().Settings.VerifyParsing && !r.JSON {
		fmt.Fprintf(stderr, "parsed: %s\n", term.Clean(fmt.Sprintf("%q", words)))
	}
	var finish func(int)
	if from.via != "" {
		finish = c.audit.Command(from.via, words)
	}
	code := c.table.Run(ctx, c.env, words, command.Output{
		Out: stdout, Err: stderr, JSON: r.JSON, Columns: r.Columns, Terminal: from.lender,
	})
	if finish != nil {
		finish(code)
	}
	return code
}

// apps are those of the table; none where it does not answer soon.
func (c *Console) apps(ctx context.Context) []signal.App {
	ctx, cancel := context.WithTimeout(ctx, completeWait)
	defer cancel()
	all, err := c.env.Host.List(ctx)
	if err != nil {
		return nil
	}
	return all
}

// lasting says whether a line may be kept on the disk: it is a command of ours, and not what an app is told that wants that kept
// private.
func (c *Console) lasting(ctx context.Context, line string) bool {
	words, err := command.Split(line)
	if err != nil {
		words = strings.Fields(line)
	}
	if len(words) == 0 || c.table.Lookup(words[0]) == nil {
		return false
	}
	_, private := c.table.Told(c.apps(ctx), words)
	return !private
}

// completions are the words that the last one of line could become, and where that begins.
func (c *Console) completions(ctx context.Context, line string) (int, []string) {
	ctx, cancel := context.WithTimeout(ctx, completeWait)
	defer cancel()
	return c.table.Complete(ctx, c.env, line)
}

// completeWait bounds the time a Tab may take: an app is asked for its commands.
const completeWait = 500 * time.Millisecond

func historyFile(stateDir string) string {
	if stateDir == "" {
		return ""
	}
	return filepath.Join(stateDir, "history")
}
