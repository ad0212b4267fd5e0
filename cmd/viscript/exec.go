package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	ossignal "os/signal"
	"path/filepath"
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
		Args: cobra.MinimumNArgs(1),
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
	env := &command.Env{Config: func() *command.Config { return &viscript.Config{} }}
	if path, err := findConfig(""); err == nil {
		if cfg, err := loadConfig(path); err == nil {
			env.Config = func() *command.Config { return cfg }
		}
	}
	operator, _, err := dialDaemon(ctx, o.state)
	if err != nil && len(args) > 0 && args[0] != "start" && args[0] != "s" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	env.Host = operator
	line := command.Join(args) + " " + word
	if len(args) == 0 {
		line = word
	}
	_, found := command.New().Complete(ctx, env, line)
	return found, cobra.ShellCompDirectiveNoFileComp
}
