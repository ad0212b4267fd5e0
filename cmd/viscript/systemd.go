package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// unit is what a unit file is made of.
type unit struct {
	program string // absolute path of the executable
	state   string // --state; "" the manager's folder
	config  string // --config; "" none given
	user    bool   // of a user's own manager
}

func systemdCommand() *cobra.Command {
	var u unit
	cmd := &cobra.Command{
		Use: "systemd", Short: "print a systemd unit for the daemon", Args: cobra.NoArgs,
		Long: "systemd prints a unit with which systemd starts the daemon, is told when it is ready (Type=notify) and whether it\n" +
			"lives (WatchdogSec). KillMode=process: a stop or a crash of the daemon leaves apps to their keepers, as without\n" +
			"systemd; Delegate=yes: limits of apps are held by control groups.",
		Example: "  viscript config systemd | sudo tee /etc/systemd/system/viscript.service\n" +
			"  viscript config systemd --user > ~/.config/systemd/user/viscript.service",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := u.complete(); err != nil {
				return err
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), u.text())
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&u.user, "user", false, "for systemctl --user")
	f.StringVar(&u.program, "program", "", "`PATH` of the executable (default this one)")
	f.StringVar(&u.state, "state", "", "state `DIR` (default /var/lib/viscript, with --user the usual one)")
	f.StringVar(&u.config, "config", "", "configuration `FILE` (default /etc/viscript/config.yaml, with --user the usual one)")
	return cmd
}

// complete fills in defaults and makes paths absolute: a unit has no working directory of a person.
func (u *unit) complete() (err error) {
	if u.program == "" {
		if u.program, err = os.Executable(); err != nil {
			return fmt.Errorf("finding this program: %w", err)
		}
	}
	for _, p := range []*string{&u.program, &u.state, &u.config} {
		if *p == "" {
			continue
		}
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
		if strings.ContainsAny(*p, "\n\r\x00") {
			return exitError{exitUsage, fmt.Sprintf("config systemd: the path %q cannot stand in a unit", *p)}
		}
	}
	if !u.user && u.config == "" {
		u.config = "/etc/viscript/config.yaml"
	}
	if !u.user && u.state == "" {
		u.state = "/var/lib/viscript"
	}
	return nil
}

// text is the unit file.
func (u unit) text() string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	flags := ""
	if u.state != "" {
		flags += " --state " + unitWord(u.state)
	}
	start := unitWord(u.program) + " --headless" + flags
	if u.config != "" {
		start += " --config " + unitWord(u.config)
	}
	line("# Made by: viscript config systemd")
	line("[Unit]")
	line("Description=viscript, console and launcher of apps")
	line("Documentation=man:viscript(1)")
	line("After=network.target")
	line("StartLimitIntervalSec=0")
	line("")
	line("[Service]")
	line("Type=notify")
	line("NotifyAccess=main")
	line("ExecStart=%s", start)
	line("ExecReload=%s exec%s reload", unitWord(u.program), flags)
	line("Restart=on-failure")
	line("RestartSec=1")
	line("WatchdogSec=30")
	line("# Apps belong to their keepers: they outlive a crash or a restart of the daemon, which finds them again.")
	line("KillMode=process")
	line("# Apps that are not daemons are stopped first, each in up to fifteen seconds.")
	line("TimeoutStopSec=60")
	line("# The limits of apps are held by groups below that of this unit.")
	line("Delegate=yes")
	line("TasksMax=infinity")
	line("LimitNOFILE=65536")
	if !u.user {
		line("# The account whose apps these are; it must be there: useradd --system viscript")
		line("User=viscript")
		line("Group=viscript")
		if u.state == "/var/lib/viscript" {
			line("StateDirectory=viscript")
			line("StateDirectoryMode=0700")
		}
	}
	line("")
	line("[Install]")
	if u.user {
		line("WantedBy=default.target")
	} else {
		line("WantedBy=multi-user.target")
	}
	return b.String()
}

// unitWord writes a path so that systemd reads it as one word: no specifiers, no variables (systemd.service(5)).
func unitWord(path string) string {
	path = strings.NewReplacer("%", "%%", "$", "$$").Replace(path)
	if !strings.ContainsAny(path, " \t\"'\\;") {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}
