//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/server"
)

// envHanded tells the program that takes a daemon's place what it was handed: NAME=FD, separated
// by commas.
const envHanded = "VISCRIPT_HANDED"

// trialTime is how long a new program may take to tell its version.
const trialTime = 10 * time.Second

func addReexec(root *cobra.Command) { root.AddCommand(reexecCommand()) }

func reexecCommand() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use: "reexec [--state DIR]", Short: "replace the running daemon by the executable that is on the disk now; apps run on",
		Long: "reexec makes the running daemon start itself anew, under its pid and with its flags, from its executable\n" +
			"as it is on the disk now. Apps run on under their ids and pids; those that speak signal connect again.",
		Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			operator, dir, err := dialDaemon(cmd.Context(), state)
			if err != nil {
				return err
			}
			if err = operator.Reexec(cmd.Context()); errors.Is(err, signal.ErrNoDaemon) {
				return noDaemon(dir)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "state `DIR` of the daemon (default $VISCRIPT_STATE, $XDG_STATE_HOME/viscript)")
	return cmd
}

// anew is the part of a daemon that replaces it.
type anew struct {
	wanted chan struct{} // capacity 1
	handed bool          // this daemon took another's place
}

// agree tells an operator whether the daemon can be replaced, and then has it done.
func (a *anew) agree() error {
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the executable: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), trialTime) // nothing of the operator's bounds it
	defer cancel()
	trial := exec.CommandContext(ctx, path, "version")
	trial.Args[0] = "viscript"
	if out, err := trial.CombinedOutput(); err != nil {
		return signal.Errorf(signal.CodeStart, "%s does not run: %v: %.200s", path, err, out)
	}
	select {
	case a.wanted <- struct{}{}:
	default: // it is about to happen
	}
	return nil
}

// replace hands over and becomes the new program. It returns only when that failed: apps then
// run on without a daemon.
func (d *daemon) replace(ended <-chan error) error {
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the executable: %w", err)
	}
	handed, err := d.server.Handover()
	if err != nil {
		return err
	}
	defer handed.Close()
	<-ended
	env, err := passOn(handed, d.op.manager.environ(os.Environ()))
	if err != nil {
		return err
	}
	err = syscall.Exec(path, os.Args, env)
	// The file was changed since it was tried: rather the old program than none.
	old := syscall.Exec("/proc/self/exe", os.Args, env)
	return fmt.Errorf("starting %s in this daemon's place: %w", path, errors.Join(err, old))
}

// passOn lets the files survive exec(2) and adds to the environment where they are.
func passOn(h server.Handed, env []string) ([]string, error) {
	var words []string
	for _, f := range []struct {
		name string
		file *os.File
	}{{"lock", h.Lock}, {"unix", h.Unix}, {"tcp", h.TCP}} {
		if f.file == nil {
			continue
		}
		fd := f.file.Fd()
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil {
			return nil, fmt.Errorf("handing over the %s: %w", f.name, err)
		}
		words = append(words, fmt.Sprintf("%s=%d", f.name, fd))
	}
	return append(env, envHanded+"="+strings.Join(words, ",")), nil
}

// takeHanded reads what the daemon before this one handed over, and takes it out of the
// environment: children have nothing to do with it. Whatever makes no sense is left out.
func takeHanded() (h server.Handed) {
	text, ok := os.LookupEnv(envHanded)
	_ = os.Unsetenv(envHanded) // fails for no such name
	if !ok {
		return h
	}
	for word := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(word, "=")
		fd, err := strconv.ParseUint(number, 10, 16)
		if err != nil || fd <= 2 {
			continue
		}
		syscall.CloseOnExec(int(fd))
		f := os.NewFile(uintptr(fd), name)
		switch name {
		case "lock":
			h.Lock = f
		case "unix":
			h.Unix = f
		case "tcp":
			h.TCP = f
		}
	}
	return h
}
