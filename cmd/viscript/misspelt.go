package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
)

// appRole is for who starts an app whose program this is, and leaves out the first of its arguments.
const appRole = "the first argument of an app whose path is viscript is a role, as in `start chat chat me`"

// startedAsApp says whether a daemon started this process.
func startedAsApp() bool { return os.Getenv(signal.EnvClient) != "" }

// noSuchCommand refuses a word in whose place a subcommand of cmd stands, and says which one may
// have been meant. Words of the console are pointed to exec.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	word, all := args[0], fmt.Sprintf("`%s --help` lists them all", cmd.CommandPath())
	if cmd.Parent() == nil && command.New().Lookup(word) != nil {
		return fmt.Errorf("%q is a command of the console: `viscript exec %s` runs it in the running daemon", word, word)
	}
	var known []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			known = append(append(known, c.Name()), c.Aliases...)
		}
	}
	of := ""
	if cmd.Parent() != nil {
		of = cmd.Name() + ": "
	} else if startedAsApp() {
		all = appRole
	}
	return fmt.Errorf("%sunknown command %q%s", of, word, command.DidYouMean(word, known, all))
}

// flagError adds to an error about the flags of cmd which one may have been meant, and where they are listed.
func flagError(cmd *cobra.Command, err error) error {
	all := fmt.Sprintf("`%s --help` lists them", cmd.CommandPath())
	var unknown *pflag.NotExistError
	if cmd.Parent() == nil && startedAsApp() {
		all = appRole
	}
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return fmt.Errorf("%w; %s", err, all)
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, "--"+f.Name)
		}
	})
	return fmt.Errorf("%w%s", err, command.DidYouMean("--"+unknown.GetSpecifiedName(), known, all))
}
