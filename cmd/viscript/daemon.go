//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	ossignal "os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
	"github.com/skycoin/viscript/signal/server"
	"github.com/skycoin/viscript/viscript"
	"github.com/skycoin/viscript/viscript/command"
	text "github.com/skycoin/viscript/viscript/term"
	"github.com/skycoin/viscript/viscript/terminals"
)

// daemon is the running daemon: the signal server and the console in one process.
type daemon struct {
	options daemonOptions
	server  *server.Server
	console *viscript.Console
	terms   *terminals.Terminals
	audit   *viscript.Audit
	op      *operation
	window  *ownWindow
	anew    anew
	calm    *time.Timer // gives memory back when nothing was asked for a while
	stdin   *os.File
	stdout  *os.File
}

const (
	// daemonGC trades a little time for memory, in percent; the variable GOGC counts more.
	daemonGC = 25
	// calmTime is how long after the last command a daemon gives back what memory that took.
	calmTime = 2 * time.Second
)

func runDaemon(ctx context.Context, o daemonOptions) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(daemonGC)
	}
	forget := cutExecutable()
	stop, signals := catchSignals()
	defer stop()
	d, err := newDaemon(o, takeNotifier())
	if err != nil {
		return err
	}
	d.calm = time.AfterFunc(calmTime, func() {
		debug.FreeOSMemory()
		forget()
	})
	defer d.calm.Stop()
	return d.run(ctx, signals)
}

// catchSignals delivers what asks the daemon to end. A hangup does too, unless it was
// started to ignore it (nohup).
func catchSignals() (stop func(), c chan os.Signal) {
	c = make(chan os.Signal, 4)
	ossignal.Notify(c, os.Interrupt, syscall.SIGTERM)
	if !ossignal.Ignored(syscall.SIGHUP) {
		ossignal.Notify(c, syscall.SIGHUP)
	}
	return func() { ossignal.Stop(c) }, c
}

func newDaemon(o daemonOptions, manager *notifier) (*daemon, error) {
	d := &daemon{options: o, stdin: os.Stdin, stdout: os.Stdout, anew: anew{wanted: make(chan struct{}, 1)}}
	handed := takeHanded()
	defer handed.Close()
	d.anew.handed = handed.Lock != nil
	path, err := findConfig(o.config)
	if err != nil {
		return nil, err
	}
	if path != "" { // the working directory may change, the file does not
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
	}
	cfg, err := loadConfig(path)
	if err != nil {
		return nil, err
	}
	if err := checkGroup(cfg, o.up); err != nil {
		return nil, err
	}
	dir, err := stateDir(o.state)
	if err != nil {
		return nil, err
	}
	notices := viscript.NewNotices(os.Stderr)
	log := daemonLog(notices, cfg.Settings.VerboseInput)
	d.terms = terminals.New(terminals.Config{
		Prompt: func(ctx context.Context, s *terminals.Seat) bool { return d.console.PromptAt(ctx, s) },
		Split:  command.Split, File: filepath.Join(dir, "terminals.json"), Env: []string{envState + "=" + dir}, Log: log,
	})
	d.server, err = server.New(server.Config{
		Dir: dir, TCPAddr: o.tcpAddr(),
		Exec: func(ctx context.Context, r signal.ExecRequest, stdout, stderr io.Writer) int {
			defer d.calm.Reset(calmTime)
			return d.console.Exec(ctx, r, stdout, stderr)
		},
		Audit: func(who signal.Credentials, method string, params json.RawMessage) func(any, error) {
			return d.audit.Operator(who, method, params)
		},
		Window: func(p signal.WindowParams, peer *signal.Peer) (server.Window, error) {
			return d.terms.Window(p, peer), nil
		},
		Env:    []string{envState + "=" + dir},
		Speaks: isRole, StopAllOnExit: cfg.Settings.StopAll || o.stopAll, Cgroup: process.FindCgroup(),
		Log: log,

		Reexec: d.anew.agree, Inherited: handed, Keeper: keeperCommand(),
	})
	if errors.Is(err, server.ErrLocked) {
		return nil, fmt.Errorf("%w; `viscript exec COMMAND` and `viscript gui` reach the one that runs", err)
	}
	if err != nil {
		return nil, err
	}
	d.window = &ownWindow{state: dir, notices: notices}
	d.audit = openAudit(dir, d.server, log)
	if d.op, err = newOperation(o.metricsAddr(cfg), d.server, d.audit, manager, log); err != nil {
		d.audit.Close()
		d.server.Close()
		return nil, err
	}
	d.console, err = viscript.New(viscript.Options{
		Host: d.server, Address: d.server.Socket(), TCPAddr: d.server.TCPAddr(), StateDir: dir,
		Version: version(), Config: cfg, Load: loader(path), Log: log, Notices: notices,
		Audit: d.audit, Terminals: d.terms,
	})
	if err != nil {
		d.op.close()
		d.server.Close()
		return nil, err
	}
	return d, nil
}

func loader(path string) func() (*viscript.Config, error) {
	if path == "" {
		return nil
	}
	return func() (*viscript.Config, error) { return loadConfig(path) }
}

func checkGroup(cfg *viscript.Config, name string) error {
	if _, ok := cfg.Groups[name]; ok || name == "" {
		return nil
	}
	if cfg.File == "" {
		return fmt.Errorf("--up %s: no %s was found here or in the user's config folder; name one with --config", name, configName)
	}
	var names []string
	for n := range cfg.Groups {
		names = append(names, n)
	}
	return fmt.Errorf("--up %s: %s has no such group; groups: %s", name, cfg.File, shorten(names))
}

// daemonLog writes warnings and errors, with verboseInput all, where a person sees them.
func daemonLog(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// isRole says whether a program is this executable, all of whose roles speak signal.
func isRole(r signal.StartRequest) bool {
	self, err := os.Executable()
	if err != nil {
		return false
	}
	mine, err := os.Stat(self)
	if err != nil {
		return false
	}
	other, err := os.Stat(r.Path)
	return err == nil && os.SameFile(mine, other)
}

// run serves until it is asked to end, then stops the apps in order.
func (d *daemon) run(ctx context.Context, signals <-chan os.Signal) error {
	serving, endServing := context.WithCancel(context.WithoutCancel(ctx))
	defer endServing()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var work sync.WaitGroup
	ended := make(chan error, 1)
	d.terms.Restore()
	defer d.terms.Close()
	go func() { ended <- d.server.Run(serving) }()
	work.Go(func() { d.console.Run(ctx) })
	work.Go(func() { d.op.run(ctx, func(ctx context.Context) error { _, err := d.server.List(ctx); return err }) })
	work.Go(func() { d.window.run(ctx, d.wantsWindow()) })
	person := make(chan error, 1) // what the prompt ended with
	work.Go(func() { person <- d.attend(ctx) })

	var failed error
	select {
	case <-signals:
	case <-d.console.Done():
	case <-d.anew.wanted:
		d.op.say("RELOADING=1", "STATUS=being replaced")
		d.window.stays.Store(true)
		cancel()
		work.Wait()
		d.op.close()
		d.terms.Close()
		return d.replace(ended)
	case failed = <-person:
	case failed = <-ended:
		ended <- nil // for stop
	}
	d.op.say("STOPPING=1", "STATUS=stopping apps")
	cancel()
	d.terms.Close()
	work.Wait()
	d.stop(endServing, ended, signals)
	d.op.close()
	return failed
}

// attend tells what is up and then serves the person at the terminal; without one it waits
// for ctx to end.
func (d *daemon) attend(ctx context.Context) error {
	d.greet()
	if d.console.Config().Settings.WatchConfig {
		d.console.Exec(ctx, signal.ExecRequest{Args: []string{"reload", "--watch", "on"}}, io.Discard, os.Stderr)
	}
	d.console.Autostart(ctx, d.stdout, os.Stderr)
	if d.options.up != "" && !d.anew.handed { // the daemon before has done it
		d.bringUp(ctx)
	}
	d.calm.Reset(calmTime)
	if ctx.Err() == nil && isTerminal(d.stdin) && isTerminal(d.stdout) {
		fmt.Fprintln(d.stdout, "help or ? lists the commands, quit ends")
		return d.console.Prompt(ctx, d.stdin, d.stdout)
	}
	<-ctx.Done()
	return nil
}

func (d *daemon) greet() {
	config := d.console.Config().File
	if config == "" {
		config = "none found; `viscript config example` prints one to begin with"
	}
	tcp := d.server.TCPAddr()
	if tcp == "" {
		tcp = noSignal
	}
	fmt.Fprintf(d.stdout, "viscript %s\nstate %s\nsignal %s\nconfig %s\n", version(),
		text.Clean(filepath.Dir(d.server.Socket())), tcp, text.Clean(config))
	if d.op.metrics != nil {
		fmt.Fprintf(d.stdout, "metrics http://%s/metrics\n", d.op.metrics.Addr())
	}
}

// bringUp starts the group; `up` shows what is up, with what the apps say of themselves.
func (d *daemon) bringUp(ctx context.Context) {
	fmt.Fprintf(d.stdout, "starting group %s\n", d.options.up)
	r := signal.ExecRequest{Args: []string{"up", d.options.up}}
	if isTerminal(d.stdout) {
		r.Columns = columns()
	}
	d.console.Exec(ctx, r, d.stdout, os.Stderr)
}

// stop ends the server with the apps that do not outlive it; another signal meanwhile kills them.
func (d *daemon) stop(endServing func(), ended <-chan error, signals <-chan os.Signal) {
	ends, stays := d.server.Parting()
	if ends > 0 {
		fmt.Fprintf(d.stdout, "stopping %s...\n", command.Count(ends, "app"))
	}
	if stays > 0 {
		verb := "run"
		if stays == 1 {
			verb = "runs"
		}
		fmt.Fprintf(d.stdout, "%s %s on (daemon: true); the next daemon finds them\n", command.Count(stays, "app"), verb)
	}
	endServing()
	for {
		select {
		case <-ended:
			return
		case <-signals:
			fmt.Fprintln(d.stdout, "killing what still runs")
			d.server.Hurry()
		}
	}
}
