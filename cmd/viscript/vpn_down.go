package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/skycoin/viscript/apps/vpn/hostnet"
	"github.com/skycoin/viscript/apps/vpn/hostnet/journal"
)

// vpnCommand is `viscript vpn`: what people do about a VPN besides starting its roles.
func vpnCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "vpn", Short: "test the VPN of this host for leaks, or remove what a dead one left",
		Args: noSuchCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(vpnDownCommand(), vpnTestCommand())
	return cmd
}

func vpnDownCommand() *cobra.Command {
	var state string
	var all, asJSON bool
	cmd := &cobra.Command{
		Use: "down", Short: "undo what VPN roles that run no more changed on this host: routes, firewall, settings, resolvers",
		Long: "down undoes what vpn-client and vpn-server roles changed on this host and could not undo themselves, because they\n" +
			"were killed: the kill switch, routes and rules, firewall tables, kernel settings and /etc/resolv.conf. What somebody\n" +
			"else changed meanwhile is left alone. Roles that run are left alone too: stop them. Exit status 1 if something is left.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := downRun{out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr()}
			if err := d.journals(state); err != nil {
				return err
			}
			if err := d.rest(all); err != nil {
				return err
			}
			return d.end(asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&state, "state", "", "state `DIR` of the daemon, or of one role (default $VISCRIPT_STATE, $XDG_STATE_HOME/viscript)")
	f.BoolVar(&all, "all", false, "also remove, without a journal, all that bears our name in this network namespace, running or not")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// downRun is a `vpn down` under way.
type downRun struct {
	out, errs io.Writer
	report    hostnet.Report
	running   []string // state folders of VPNs that run
}

// vpnFolders are the state folders of VPN roles that have a journal: of the daemon's state folder, or dir itself.
func vpnFolders(state, role string) (dirs []string, err error) {
	if state == "" {
		state = os.Getenv(envState)
	}
	if state, err = stateDir(state); err != nil {
		return nil, err
	}
	for _, pattern := range []string{filepath.Join(role, "*"), "."} {
		found, err := filepath.Glob(filepath.Join(globQuote(state), pattern, journal.FileName))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			dirs = append(dirs, filepath.Dir(f))
		}
	}
	return dirs, nil
}

// globQuote takes a path literally.
func globQuote(path string) string {
	var b []byte
	for _, c := range []byte(path) {
		if slices.Contains([]byte(`*?[\`), c) {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return string(b)
}

func (d *downRun) journals(state string) error {
	dirs, err := vpnFolders(state, "vpn-*")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		r, err := hostnet.Down(hostnet.Config{Dir: dir})
		switch {
		case errors.Is(err, fs.ErrExist):
			d.running = append(d.running, dir)
		case err != nil && len(r.Failed) == 0:
			return err
		}
		d.add(r)
	}
	return nil
}

func (d *downRun) add(r hostnet.Report) {
	d.report.Undone = append(d.report.Undone, r.Undone...)
	d.report.Left = append(d.report.Left, r.Left...)
	d.report.Failed = append(d.report.Failed, r.Failed...)
}

// rest is what has our name and no journal that we know.
func (d *downRun) rest(all bool) error {
	if all {
		r, err := hostnet.Sweep()
		if err != nil && len(r.Failed) == 0 {
			return err
		}
		d.add(r)
		return nil
	}
	if len(d.running) > 0 {
		return nil // it is theirs
	}
	list, err := hostnet.Leftovers()
	if err != nil {
		return err
	}
	for _, text := range list {
		d.report.Left = append(d.report.Left, text+" is of a VPN with another state folder: name that with --state, or remove it with --all")
	}
	return nil
}

func (d *downRun) end(asJSON bool) error {
	if asJSON {
		err := json.NewEncoder(d.out).Encode(struct {
			hostnet.Report
			Running []string `json:"running"`
		}{d.report, d.running})
		if err != nil {
			return err
		}
	} else {
		for _, text := range d.report.Undone {
			fmt.Fprintln(d.out, "undone:", text)
		}
		for _, text := range d.report.Left {
			fmt.Fprintln(d.errs, "left:", text)
		}
		for _, text := range d.report.Failed {
			fmt.Fprintln(d.errs, "failed:", text)
		}
		for _, dir := range d.running {
			fmt.Fprintf(d.errs, "running: the VPN of %s; stop it with `viscript exec sd ID`, then it undoes its changes itself\n", dir)
		}
		if len(d.report.Undone)+len(d.report.Left)+len(d.report.Failed)+len(d.running) == 0 {
			fmt.Fprintln(d.out, "nothing to undo")
		}
	}
	if len(d.report.Left)+len(d.report.Failed)+len(d.running) > 0 {
		return exitError{code: exitFailed}
	}
	return nil
}
