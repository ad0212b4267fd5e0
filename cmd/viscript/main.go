// Command viscript is the console, the launcher and every role of the mesh in one executable.
// Without a command it is the daemon with its prompt; called by the name of a role (a link
// such as meshnet-run-node) it is that role.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// Exit codes of the command line.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNoDaemon    = 3
	exitInterrupted = 130 // as a shell reports a program that Ctrl-C ended
)

// exitError ends the program with a code; text "" says that all has been said.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }

func main() { os.Exit(run(os.Args)) }

// run is the program, with argv[0] first; it returns the exit code.
func run(argv []string) int {
	if isKeeper(argv) {
		return keep()
	}
	root, began := rootCommand()
	args := argv[1:]
	if role, ok := roleForName(filepath.Base(argv[0])); ok {
		args = append([]string{role}, args...)
	}
	root.SetArgs(args)
	err := root.Execute()
	var exit exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		if exit.text != "" {
			fmt.Fprintln(os.Stderr, "viscript: "+exit.text)
		}
		return exit.code
	}
	fmt.Fprintf(os.Stderr, "viscript: %v\n", err)
	if !*began { // what comes before a command begins is its flags and arguments
		return exitUsage
	}
	return exitFailed
}

// rootCommand assembles the command line. *began is true once a command was found and its
// arguments were in order.
func rootCommand() (root *cobra.Command, began *bool) {
	began = new(bool)
	var o daemonOptions
	root = &cobra.Command{
		Use:   "viscript",
		Short: "console and launcher: starts, watches and stops apps; without a command the daemon with its prompt",
		Long: "viscript without a command is the daemon: it serves apps, `viscript exec` and `viscript gui`, with a window\n" +
			"where there is a display, a prompt where stdin and stdout are a terminal, otherwise until SIGTERM.",
		Args: noSuchCommand, SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { *began = true },
		RunE:             func(cmd *cobra.Command, _ []string) error { return runDaemon(cmd.Context(), o) },
	}
	root.SetFlagErrorFunc(flagError)
	f := root.Flags()
	f.BoolVar(&o.headless, "headless", false, "no window, though there is a display")
	f.StringVar(&o.config, "config", "", "configuration `FILE` (default ./config.yaml, then the user's config folder)")
	f.StringVar(&o.state, "state", "", "state `DIR`: sockets, logs, keys, history (default $XDG_STATE_HOME/viscript)")
	f.StringVar(&o.signal, "signal", defaultSignal, "loopback `ADDR` where apps reach the signal server; \"none\": only its Unix socket")
	f.StringVar(&o.up, "up", "", "start the apps of `GROUP`")
	f.BoolVar(&o.stopAll, "stop-all", false, "apps with daemon: true end with the daemon too, as the setting stopAllOnExit")
	f.StringVar(&o.metrics, "metrics", "", "loopback `ADDR` where Prometheus finds /metrics; \"none\": off (default the setting metrics, else off)")
	config := configCommand()
	config.AddCommand(systemdCommand())
	root.AddCommand(execCommand(), attachCommand(), guiCommand(), config, vpnCommand(), manCommand(), versionCommand(), demoInCommand())
	addReexec(root)
	addRoles(root)
	return root, began
}
