package command

import (
	"context"
	"slices"
	"strings"
)

// Command is one entry of the table.
type Command struct {
	Name    string
	Aliases []string
	Args    string // how to write the arguments
	Help    string // one line
	More    string // what `help COMMAND` adds

	complete func(ctx context.Context, e *Env, prev []string) []string // all that could stand behind prev
	run      func(ctx context.Context, c *call) error
}

// Synopsis is the name with its arguments.
func (c *Command) Synopsis() string { return strings.TrimSpace(c.Name + " " + c.Args) }

// Table holds all commands. It is never changed after New; safe for concurrent use.
type Table struct {
	commands []*Command
	byName   map[string]*Command // aliases too
}

// New makes the table of the console's commands.
func New() *Table {
	t := &Table{byName: map[string]*Command{}}
	t.add(t.helpCommands())
	t.add(appCommands())
	t.add(attachCommands())
	t.add(stopCommands())
	t.add(measureCommands())
	t.add(outputCommands())
	t.add(groupCommands())
	t.add(tellCommands())
	t.add(termCommands())
	t.add(consoleCommands())
	return t
}

func (t *Table) add(commands []*Command) {
	for _, c := range commands {
		t.commands = append(t.commands, c)
		for _, n := range append([]string{c.Name}, c.Aliases...) {
			if t.byName[n] != nil {
				panic("command: two commands are called " + n)
			}
			t.byName[n] = c
		}
	}
}

// Commands returns the table in the order of `help`.
func (t *Table) Commands() []*Command { return slices.Clone(t.commands) }

// Lookup finds a command by its name or one of its aliases; nil if there is none.
func (t *Table) Lookup(name string) *Command { return t.byName[name] }

func (t *Table) names() []string {
	var names []string
	for _, c := range t.commands {
		names = append(append(names, c.Name), c.Aliases...)
	}
	return names
}
