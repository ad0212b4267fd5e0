package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	ossignal "os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript"
	"github.com/skycoin/viscript/viscript/command"
)

type execOptions struct {
	state string
	json  bool
}

func execCommand() *cobra.Command {
	var o execOptions
	cmd := &cobra.Command{
		Use:   "exec [--json] [--state DIR] COMMAND...",
		Short: "run one console command in the running daemon",
		Long: "exec runs one console command in the running daemon: `viscript exec help` lists them. Its answer goes to\n" +
			"stdout, errors to stderr. A single argument with spaces is a whole line. Exit status: 0 done, 1 the command\n" +
			"failed, 2 bad usage, 3 no daemon is running, 130 interrupted.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("exec: no command; usage: viscript %s; `viscript exec help` lists the commands", cmd.Use)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runExec(cmd, o, args) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			return completeExec(o, args, word)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the command's first word is its own
	cmd.Flags().BoolVar(&o.json, "json", false, "answer with one JSON value (one per line with -f)")
	cmd.Flags().StringVar(&o.state, "state", "", "state `DIR` of the daemon (default $VISCRIPT_STATE, $XDG_STATE_HOME/viscript)")
	return cmd
}

func runExec(cmd *cobra.Command, o execOptions, args []string) error {
	ctx, stop := ossignal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	operator, dir, err := dialDaemon(ctx, o.state)
	if err != nil {
		return err
	}
	r := signal.ExecRequest{Args: args, JSON: o.json, Columns: columns()}
	if len(args) == 1 && strings.ContainsAny(args[0], " \t") {
		r.Line, r.Args = args[0], nil
	}
	code, err := operator.Exec(ctx, r, os.Stdout, os.Stderr)
	switch {
	case ctx.Err() != nil:
		return exitError{code: exitInterrupted}
	case errors.Is(err, signal.ErrNoDaemon):
		return noDaemon(dir)
	case err != nil:
		return fmt.Errorf("the daemon: %w", err)
	case code != exitOK:
		return exitError{code: code}
	}
	return nil
}

// dialDaemon reaches the daemon of a state folder: the one given, else that of the daemon
// which started this process, else the default one.
func dialDaemon(ctx context.Context, state string) (o *signal.Operator, dir string, err error) {
	if state == "" {
		state = os.Getenv(envState)
	}
	if dir, err = stateDir(state); err != nil {
		return nil, "", err
	}
	o, err = signal.DialOperator(ctx, socketPath(dir))
	if errors.Is(err, signal.ErrNoDaemon) {
		return nil, dir, noDaemon(dir)
	}
	return o, dir, err
}

// socketPath is where the daemon of a state folder listens for operators.
func socketPath(dir string) string { return filepath.Join(dir, "signal.sock") }

func noDaemon(dir string) error {
	return exitError{exitNoDaemon, fmt.Sprintf("no daemon is running with the state folder %s (start one: viscript --state %s)", dir, command.Quote(dir))}
}

// columns is the width of the terminal on stdout, 0 if it is none.
func columns() int {
	w, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// completeExec completes console commands for the shell, with what the daemon knows if it runs.
func completeExec(o execOptions, args []string, word string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // cobra gives no context here
	defer cancel()
	table := command.New()
	operator, _, err := dialDaemon(ctx, o.state)
	env := &command.Env{Config: func() *command.Config { return &viscript.Config{} }}
	if err == nil {
		env.Host = operator
	}
	if cfg := completionConfig(ctx, operator, err == nil); cfg != nil {
		env.Config = func() *command.Config { return cfg }
	}
	if err == nil {
		env.Terminals = listedTerms{ctx: ctx, operator: operator}
	}
	if err != nil && len(args) > 0 && !slices.Contains(fromConfig, commandName(table, args[0])) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	line := command.Join(args) + " " + word
	if len(args) == 0 {
		line = word
	}
	_, found := table.Complete(ctx, env, line)
	return found, cobra.ShellCompDirectiveNoFileComp
}

// fromConfig are the commands whose words are completed from the configuration alone.
var fromConfig = []string{"start", "up", "down", "help"}

func commandName(table *command.Table, word string) string {
	if c := table.Lookup(word); c != nil {
		return c.Name
	}
	return ""
}

// completionConfig has the names of apps and groups: those of the daemon, whose file need not
// be the one that is found from here, else those of that file; nil where there is neither.
func completionConfig(ctx context.Context, operator *signal.Operator, running bool) *viscript.Config {
	if !running {
		path, err := findConfig("")
		if err != nil {
			return nil
		}
		cfg, err := loadConfig(path)
		if err != nil {
			return nil // completion is no place to tell of it
		}
		return cfg
	}
	cfg := &viscript.Config{Apps: map[string]viscript.App{}, Groups: map[string]viscript.Group{}}
	var apps []struct{ App string }
	askDaemon(ctx, operator, "apps", &apps)
	for _, a := range apps {
		cfg.Apps[a.App] = viscript.App{Name: a.App}
	}
	var groups []struct{ Group string }
	askDaemon(ctx, operator, "groups", &groups)
	for _, g := range groups {
		cfg.Groups[g.Group] = viscript.Group{Name: g.Group}
	}
	return cfg
}

// listedTerms are the daemon's terminals as far as completion needs them.
type listedTerms struct {
	command.Terminals
	ctx      context.Context
	operator *signal.Operator
}

func (l listedTerms) Terms() (all []signal.Term) {
	askDaemon(l.ctx, l.operator, "list_terms", &all)
	return all
}

// askDaemon reads the answer of a command; what goes wrong leaves it as it is.
func askDaemon(ctx context.Context, operator *signal.Operator, name string, answer any) {
	var out bytes.Buffer
	code, err := operator.Exec(ctx, signal.ExecRequest{Args: []string{name}, JSON: true}, &out, io.Discard)
	if err == nil && code == exitOK {
		_ = json.Unmarshal(out.Bytes(), answer)
	}
}
