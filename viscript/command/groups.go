package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// groupsCommand is the entry of the table.
func groupsCommand() *Command {
	return &Command{Name: "groups", Help: "list the groups of config.yaml, and how many of their members run", run: groups}
}

type groupRow struct {
	Group   string      `json:"group"`
	Running int         `json:"running"` // of its members
	Members []memberRow `json:"members"`
}

type memberRow struct {
	Member string    `json:"member"`
	App    string    `json:"app"`
	ID     signal.ID `json:"id,omitempty"` // where it runs
}

func groups(ctx context.Context, c *call) error {
	if err := c.count(0, 0); err != nil {
		return err
	}
	running, err := c.liveApps(ctx)
	if err != nil {
		return err
	}
	all := []groupRow{}
	var rows [][]string
	for _, name := range c.groupNames() {
		g := groupRow{Group: name, Members: []memberRow{}}
		var members []string
		for _, m := range c.Config().Groups[name].Members {
			row := memberRow{Member: m.Name, App: m.App}
			if a, ok := c.Members.find(running, membership{group: name, member: m.Name}); ok {
				row.ID, g.Running = a.ID, g.Running+1
			}
			g.Members, members = append(g.Members, row), append(members, m.Name)
		}
		all = append(all, g)
		rows = append(rows, []string{name, fmt.Sprintf("%d of %d", g.Running, len(g.Members)), strings.Join(members, ", ")})
	}
	return c.answer(all, func(w io.Writer) {
		if len(rows) == 0 {
			fmt.Fprintln(w, "no groups: "+noConfig(c.Config()))
		} else {
			printTable(w, c.Columns, []string{"GROUP", ">RUNNING", "MEMBERS"}, rows)
		}
		c.sameWord(w, running)
	})
}

// sameWord names the apps that have a command of this one's name.
func (c *call) sameWord(w io.Writer, apps []signal.App) {
	for _, a := range apps {
		for _, k := range a.Words {
			if k.Name == c.cmd.Name {
				fmt.Fprintln(w, term.Clean(fmt.Sprintf("%s%s%s: %s", k.Name, wordAt, shortName(apps, a), k.Help)))
			}
		}
	}
}
