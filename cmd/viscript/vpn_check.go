package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycoin/viscript/apps/vpn/hostnet"
	"github.com/skycoin/viscript/apps/vpn/speed"
)

func vpnTestCommand() *cobra.Command {
	var state, exit string
	var asJSON bool
	var seconds uint8
	cmd := &cobra.Command{
		Use: "test", Short: "test the VPN client of this host for leaks, with a verdict per line",
		Long: "test looks at what this host does with packets while its VPN client runs: whether the tunnel is up, where packets\n" +
			"leave, over IPv4 and IPv6, whom the host asks for names and which way, and whether the kill switch holds: it tries\n" +
			"to send a packet past it. --speed measures the tunnel too, with exits that offer that. It needs the client's rights.\n" +
			"Exit status 1 if a line fails.",
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
				if seconds > 0 {
					all = append(all, speedOf(cmd.Context(), exit, dir, seconds))
				}
			}
			return printVerdicts(cmd.OutOrStdout(), all, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&state, "state", "", "state `DIR` of the daemon, or of the VPN client (default $VISCRIPT_STATE, $XDG_STATE_HOME/viscript)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.Uint8Var(&seconds, "speed", 0, fmt.Sprintf("measure for `SECONDS` each way, %d at most; 0: not at all", speed.MaxSeconds))
	f.StringVar(&exit, "exit", "", "`ADDRESS` of the exit in the tunnel (default that of its name server)")
	return cmd
}

// speedOf measures the tunnel to the exit at an address, or to where the VPN client of a folder asks for names.
func speedOf(ctx context.Context, exit, dir string, seconds uint8) hostnet.Verdict {
	v := hostnet.Verdict{Name: "speed", Result: hostnet.Fail}
	addr, err := netip.ParseAddr(exit)
	if exit == "" {
		addr, err = hostnet.NameServer(dir)
	}
	if err != nil {
		v.Text = fmt.Sprintf("no exit to measure with (--exit ADDRESS): %v", err)
		return v
	}
	r, err := speed.Measure(ctx, netip.AddrPortFrom(addr, speed.Port), time.Duration(seconds)*time.Second)
	if err != nil {
		v.Text = err.Error()
		return v
	}
	v.Result = hostnet.Pass
	v.Text = fmt.Sprintf("%.0f Mbit/s down, %.0f Mbit/s up, connected in %v", r.Down*8/1e6, r.Up*8/1e6, r.Setup.Round(10*time.Microsecond))
	return v
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
