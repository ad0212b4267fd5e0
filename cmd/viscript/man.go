package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/viscript/command"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man", Short: "print the manual page", Args: cobra.NoArgs,
		Long:    "man prints the manual page, viscript(1), in roff.",
		Example: "  viscript man | man -l -\n  viscript man | sudo tee /usr/local/share/man/man1/viscript.1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			root := cmd.Root()
			root.InitDefaultCompletionCmd() // otherwise it depends on how the program was called
			_, err := fmt.Fprint(cmd.OutOrStdout(), manual(root, command.New()))
			return err
		},
	}
}

// page collects roff, with the macros of man(7).
type page struct{ strings.Builder }

func (p *page) line(text string) { p.WriteString(text + "\n") }

// text writes plain lines; indented ones stand as they are.
func (p *page) text(text string) {
	asIs := false
	for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		indented := strings.HasPrefix(l, "\t") || strings.HasPrefix(l, "    ")
		if indented != asIs {
			p.line(map[bool]string{true: ".EX", false: ".EE"}[indented])
			asIs = indented
		}
		if strings.TrimSpace(l) == "" {
			p.line(".PP")
			continue
		}
		p.line(roff(l))
	}
	if asIs {
		p.line(".EE")
	}
}

// example writes lines as they are.
func (p *page) example(text string) {
	p.line(".EX")
	for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		p.line(roff(l))
	}
	p.line(".EE")
}

// term begins an entry of a list; what follows is its text.
func (p *page) term(name string) {
	p.line(".TP")
	p.line(".B " + roffWord(name))
}

// roff makes a line of text safe: one that begins like a request is kept from being one.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\t", "    ").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// roffWord is text as one argument of a macro.
func roffWord(text string) string {
	return `"` + strings.ReplaceAll(roff(text), `"`, `""`) + `"`
}

// manual is viscript(1), made of the command line and of the console's command table.
func manual(root *cobra.Command, table *command.Table) string {
	p := &page{}
	p.line(`.TH VISCRIPT 1 "" "viscript ` + release + `" "User Commands"`)
	p.line(".SH NAME")
	p.line("viscript " + `\-` + " " + roff(root.Short))
	p.line(".SH SYNOPSIS")
	p.line(".B viscript")
	p.line("[OPTIONS]")
	p.line(".br")
	p.line(".B viscript")
	p.line("COMMAND [ARGUMENTS]")
	p.line(".SH DESCRIPTION")
	p.text(root.Long)
	p.line(".SH OPTIONS")
	p.flags(root.LocalNonPersistentFlags())
	p.line(".SH COMMANDS")
	for _, c := range root.Commands() {
		p.subcommand(c)
	}
	p.line(".SH CONSOLE COMMANDS")
	p.line(roff("Typed at the prompt of the daemon, or run by `viscript exec`."))
	p.text(command.AboutIDs)
	for _, c := range table.Commands() {
		p.console(c)
	}
	p.closing()
	return p.String()
}

// flags writes an entry per flag.
func (p *page) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		p.term(strings.TrimSpace(name + " " + value))
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "[]" {
			usage += " (default " + f.DefValue + ")"
		}
		p.text(usage)
	})
}

// subcommand writes a command and those below it.
func (p *page) subcommand(c *cobra.Command) {
	if c.Hidden || c.Name() == "help" {
		return
	}
	p.line(".SS " + roffWord(strings.TrimPrefix(c.UseLine(), "viscript ")))
	text := c.Long
	if text == "" {
		text = c.Short
	}
	p.text(text)
	p.flags(c.LocalFlags())
	if c.Example != "" {
		p.line(".PP")
		p.example(c.Example)
	}
	for _, sub := range c.Commands() {
		p.subcommand(sub)
	}
}

func (p *page) console(c *command.Command) {
	name := c.Synopsis()
	if len(c.Aliases) > 0 {
		name += "  (" + strings.Join(c.Aliases, ", ") + ")"
	}
	p.term(name)
	p.text(c.Help)
	if c.More != "" {
		p.line(".br")
		p.text(c.More)
	}
}

// closing writes what stands in no table of commands.
func (p *page) closing() {
	list := func(head string, entries ...[2]string) {
		p.line(".SH " + roffWord(head))
		for _, e := range entries {
			p.term(e[0])
			p.text(e[1])
		}
	}
	list("EXIT STATUS",
		[2]string{fmt.Sprint(exitOK), "done"},
		[2]string{fmt.Sprint(exitFailed), "it failed; the text on stderr says why"},
		[2]string{fmt.Sprint(exitUsage), "bad usage"},
		[2]string{fmt.Sprint(exitNoDaemon), "no daemon is running"},
		[2]string{fmt.Sprint(exitInterrupted), "interrupted"})
	list("FILES",
		[2]string{configName, "the configuration: in the current folder, then in the user's config folder; `viscript config example` prints one with every key"},
		[2]string{"STATE/signal.sock", "where `viscript exec` reaches the daemon; STATE is the state folder, mode 0700"},
		[2]string{"STATE/logs/", "the output of apps"},
		[2]string{"STATE/run/", "what keepers and the daemon know of running apps"},
		[2]string{"STATE/events.jsonl", "what happened to apps"},
		[2]string{"STATE/audit.jsonl", "who did what: user, process, command, result"},
		[2]string{"STATE/history", "lines typed at the prompt"})
	list("ENVIRONMENT",
		[2]string{envState, "the state folder of the daemon that started this program"},
		[2]string{"XDG_STATE_HOME", "where the default state folder is, viscript, in place of ~/.local/state"},
		[2]string{envNotify + ", " + envWatchdog, "set by systemd; see `viscript config systemd`"})
}
