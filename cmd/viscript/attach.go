package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	ossignal "os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript"
	"github.com/skycoin/viscript/viscript/command"
	"github.com/skycoin/viscript/viscript/terminals"
)

func attachCommand() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use: "attach [--state DIR] ID|TERM", Short: "make this terminal an app's, or a window on one of the daemon's terminals",
		Long: "attach makes this terminal that of the app with the given ID, or of that name where only one has it: first what it printed last, then what it prints.\n" +
			"Keys reach an app that has a terminal of its own (`pty: true`, or `start -a`), and so does the size of the window.\n" +
			"Ctrl-Z detaches: the app goes on.\n\n" +
			"With the id of a terminal of the daemon, such as t1 (`viscript exec list_terms` shows them), it shows that one: several\n" +
			"may do so at once, and a window too. The terminal gets the size of this one, unless it is fixed. Every key is its own;\n" +
			"Ctrl-] typed twice detaches.\n\n" +
			"Exit status: 0 detached or ended, 1 it could not be done, 3 no daemon is running.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runAttach(cmd, state, args[0]) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			ids, how := completeExec(execOptions{state: state}, append([]string{"attach"}, args...), word)
			if len(args) == 0 {
				terms, _ := completeExec(execOptions{state: state}, []string{"focus"}, word)
				ids = append(ids, terms...)
			}
			return ids, how
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "state `DIR` of the daemon (default $VISCRIPT_STATE, $XDG_STATE_HOME/viscript)")
	return cmd
}

func runAttach(cmd *cobra.Command, state, word string) error {
	if !isTerminal(os.Stdin) || !isTerminal(os.Stdout) {
		return exitError{exitUsage, "attach: stdin and stdout must be a terminal; without one use: viscript exec logs -f " + command.Quote(word)}
	}
	ctx, stop := ossignal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	operator, dir, err := dialDaemon(ctx, state)
	if err != nil {
		return err
	}
	if command.IsTerm(word) {
		return showTerm(ctx, cmd, operator, dir, word)
	}
	id, err := command.FindApp(ctx, operator, word)
	if code := command.ExitCode(err); code == command.Usage {
		return exitError{exitUsage, fmt.Sprintf("attach: %v", err)}
	}
	var text string
	if err == nil {
		text, err = attachTerminal(ctx, operator, id)
	}
	switch {
	case ctx.Err() != nil:
		return exitError{code: exitInterrupted}
	case errors.Is(err, signal.ErrNoDaemon):
		return noDaemon(dir)
	case err != nil:
		return fmt.Errorf("attach: %w", err)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

// showTerm makes this process's terminal a window on one of the daemon's.
func showTerm(ctx context.Context, cmd *cobra.Command, operator *signal.Operator, dir, id string) error {
	if os.Getenv(terminals.EnvTerm) == id && os.Getenv(envState) == dir {
		return exitError{exitUsage, "attach: " + id + " is the terminal this runs in"}
	}
	t, err := viscript.OpenTerminal(os.Stdin, os.Stdout)
	if err != nil {
		return err
	}
	err = viscript.Show(ctx, operator, id, t)
	t.Close()
	text := "detached; terminal " + id + " goes on"
	switch {
	case ctx.Err() != nil:
		return exitError{code: exitInterrupted}
	case errors.Is(err, viscript.ErrTermClosed):
		text = "terminal " + id + " is closed"
	case errors.Is(err, signal.ErrNoDaemon):
		return noDaemon(dir)
	case err != nil:
		return fmt.Errorf("attach: %w", err)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

// daemonHost is what attaching asks of a daemon.
type daemonHost interface {
	command.Attacher
	command.Lister
}

// attachTerminal lends this process's terminal to an app and returns what to say at the end.
func attachTerminal(ctx context.Context, h daemonHost, id signal.ID) (string, error) {
	t, err := viscript.OpenTerminal(os.Stdin, os.Stdout)
	if err != nil {
		return "", err
	}
	detached, err := command.Attach(ctx, h, id, t)
	t.Close()
	if err != nil {
		return "", err
	}
	return command.Parting(ctx, h, id, detached)
}
