package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/skycoin/viscript/apps/vpn/hostnet"
)

func vpnTestCommand() *cobra.Command {
	var state string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "test", Short: "test the VPN client of this host for leaks, with a verdict per line",
		Long: "test looks at what this host does with packets while its VPN client runs: whether the tunnel is up, where packets\n" +
			"leave, over IPv4 and IPv6, whom the host asks for names and which way, and whether the kill switch holds: it tries\n" +
			"to send a packet past it. It needs the client's rights. Exit status 1 if a line fails.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dirs, err := vpnFolders(state, "vpn-client")
			if err != nil {
				return err
			}
			if len(dirs) == 0 {
				return fmt.Errorf("no VPN client runs with this state folder; name another one with --state")
			}
			var all []hostnet.Verdict
			for _, dir := range dirs {
				list, err := hostnet.Check(cmd.Context(), hostnet.Config{Dir: dir})
				if err != nil {
					return err
				}
				all = append(all, list...)
			}
			return printVerdicts(cmd.OutOrStdout(), all, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&state, "state", "", "state `DIR` of the daemon, or of the VPN client (default $VISCRIPT_STATE, $XDG_STATE_HOME/viscript)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printVerdicts prints a line each; it ends the program with 1 if one failed.
func printVerdicts(w io.Writer, list []hostnet.Verdict, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(w).Encode(list); err != nil {
			return err
		}
	} else {
		for _, v := range list {
			fmt.Fprintf(w, "%-4s  %-11s  %s\n", v.Result, v.Name, v.Text)
		}
	}
	if hostnet.Failed(list) {
		return exitError{code: exitFailed}
	}
	return nil
}
