package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// A LineReader reads lines at a terminal that a command has to itself, with editing, until run
// returns false, the person types Ctrl-D, or ctx ends. complete gives all that could stand behind
// the words before.
type LineReader func(ctx context.Context, t Terminal, lead string, run func(words []string, out io.Writer) bool, complete func(prev []string) []string)

// rpc is one visit to the little console of that name: what the RPC client of 2017 offered, with
// what there is now in the place of its tasks and channels.
type rpc struct {
	*call
	term string // the default ones, "" none
	task string
}

// rpcVerb is one of its commands.
type rpcVerb struct {
	name, alias, args, help string
	run                     func(r *rpc, ctx context.Context, args []string) error
}

func rpcVerbs() []rpcVerb {
	return []rpcVerb{
		{"ltp", "", "", "list terminals with the tasks attached to them", (*rpc).listTerms},
		{"lp", "", "", "list tasks: prompts and programs of terminals, and apps", (*rpc).listTasks},
		{"sett", "", "TERM", "set the default terminal", (*rpc).setTerm},
		{"setp", "", "TASK", "set the default task", (*rpc).setTask},
		{"cft", "", "[TERM]", "channels of the default terminal: id, owner, its type, resource, watchers", (*rpc).channels},
		{"stp", "", "[COMMAND...]", "open a terminal with a task: a prompt, or a command", (*rpc).startTerm},
		{"help", "h", "", "list these commands", (*rpc).help},
		{"clear", "c", "", "clear the screen", (*rpc).clear},
		{"quit", "q", "", "back to the console", nil},
	}
}

func rpcCommand() *Command {
	return &Command{
		Name: "rpc", Aliases: []string{"r"}, Args: "[RPC-COMMAND...]",
		Help: "the console of terminals, tasks and channels: ltp, lp, sett, setp, cft, stp",
		More: "Without a command it asks for one until quit; `rpc help` lists them.",
		run:  runRPC, complete: func(_ context.Context, _ *Env, prev []string) []string { return rpcNames(prev) },
	}
}

func rpcNames(prev []string) []string {
	if len(prev) > 0 {
		return nil
	}
	var names []string
	for _, v := range rpcVerbs() {
		names = append(names, v.name)
	}
	return names
}

const rpcLead = "rpc> "

func runRPC(ctx context.Context, c *call) error {
	r := &rpc{call: c}
	if len(c.args) > 0 {
		_, err := r.do(ctx, c.args)
		return err
	}
	if c.Terminal == nil || c.Lines == nil || c.JSON {
		return usagef("rpc: without a terminal it needs a command: rpc ltp; `rpc help` lists them")
	}
	t, giveBack, err := c.Terminal.Borrow(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	c.Lines(ctx, t, rpcLead, func(words []string, out io.Writer) bool {
		c.Out = out
		c.Columns, _ = t.Size()
		more, err := r.do(ctx, words)
		if err != nil {
			fmt.Fprintln(out, "error: "+term.Clean(err.Error()))
		}
		return more
	}, rpcNames)
	return nil
}

// do runs one command; false after quit.
func (r *rpc) do(ctx context.Context, words []string) (more bool, err error) {
	for _, v := range rpcVerbs() {
		if words[0] != v.name && (v.alias == "" || words[0] != v.alias) {
			continue
		}
		if v.run == nil {
			return false, nil
		}
		return true, v.run(r, ctx, words[1:])
	}
	return true, usagef("rpc has no command %q; `rpc help` lists them", words[0])
}

// A rpcTask is what can be attached to a terminal.
type rpcTask struct {
	ID    string `json:"id"` // that of the app, or of the terminal whose prompt or program it is
	Type  string `json:"type"`
	Label string `json:"label"`
}

func (r *rpc) tasks(ctx context.Context) ([]rpcTask, error) {
	all, err := r.terms()
	if err != nil {
		return nil, err
	}
	tasks := []rpcTask{}
	for _, t := range all.Terms() {
		tasks = append(tasks, rpcTask{t.ID, t.Holds, termTask(t)})
	}
	apps, err := r.liveApps(ctx)
	for _, a := range apps {
		tasks = append(tasks, rpcTask{strconv.FormatUint(uint64(a.ID), 10), "app", nameOf(a)})
	}
	return tasks, err
}

// termTask says what a terminal holds.
func termTask(t signal.Term) string {
	if t.Command == "" {
		return t.Holds
	}
	return t.Command
}

func marked(id, chosen string) string {
	if id == chosen {
		return "{" + id + "}"
	}
	return id
}

func (r *rpc) listTerms(context.Context, []string) error {
	all, err := r.terms()
	if err != nil {
		return err
	}
	type row struct {
		Terminal string `json:"terminal"`
		Task     string `json:"task"`
		Type     string `json:"type"`
	}
	rows, cells := []row{}, [][]string{}
	for _, t := range all.Terms() {
		rows = append(rows, row{t.ID, termTask(t), t.Holds})
		cells = append(cells, []string{marked(t.ID, r.term), t.Holds, termTask(t)})
	}
	return r.answer(rows, func(w io.Writer) { printTable(w, r.Columns, []string{"TERMINAL", "TYPE", "TASK"}, cells) })
}

func (r *rpc) listTasks(ctx context.Context, _ []string) error {
	tasks, err := r.tasks(ctx)
	if err != nil {
		return err
	}
	cells := [][]string{}
	for _, t := range tasks {
		cells = append(cells, []string{marked(t.ID, r.task), t.Type, t.Label})
	}
	return r.answer(tasks, func(w io.Writer) { printTable(w, r.Columns, []string{"TASK", "TYPE", "LABEL"}, cells) })
}

func (r *rpc) setTerm(_ context.Context, args []string) error {
	t, err := r.pick(args, "sett TERM")
	if err == nil {
		r.term = t.ID
	}
	return err
}

// pick is the terminal that the one argument means.
func (r *rpc) pick(args []string, usage string) (found signal.Term, err error) {
	if len(args) != 1 {
		return found, usagef("usage: %s", usage)
	}
	all, err := r.terms()
	if err != nil {
		return found, err
	}
	n := 0
	for _, t := range all.Terms() {
		if t.ID == args[0] {
			return t, nil
		}
		if args[0] != "" && strings.HasPrefix(t.ID, args[0]) {
			found, n = t, n+1
		}
	}
	if n != 1 {
		return found, fmt.Errorf("no terminal, or more than one, has an id that begins with %q; `ltp` shows them", args[0])
	}
	return found, nil
}

func (r *rpc) setTask(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return usagef("usage: setp TASK")
	}
	tasks, err := r.tasks(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(tasks, func(t rpcTask) bool { return t.ID == args[0] }) {
		return fmt.Errorf("no task has the id %q; `lp` shows them", args[0])
	}
	r.task = args[0]
	return nil
}

// A rpcChannel is one direction in which a terminal and its task are connected.
type rpcChannel struct {
	ID        int    `json:"id"`
	Owner     string `json:"owner"`
	OwnerType string `json:"owner_type"`
	Resource  string `json:"resource"`
	Watchers  int    `json:"watchers"`
}

func (r *rpc) channels(_ context.Context, args []string) error {
	if len(args) == 0 {
		if r.term == "" {
			return usagef("there is no default terminal: sett TERM, or cft TERM")
		}
		args = []string{r.term}
	}
	t, err := r.pick(args, "cft [TERM]")
	if err != nil {
		return err
	}
	channels := []rpcChannel{
		{1, t.ID, "terminal", "terminal." + t.ID + ".keys", 1},
		{2, t.ID, t.Holds, "terminal." + t.ID + ".screen", t.Viewers},
	}
	cells := [][]string{}
	for _, c := range channels {
		cells = append(cells, []string{strconv.Itoa(c.ID), c.Owner, c.OwnerType, c.Resource, strconv.Itoa(c.Watchers)})
	}
	return r.answer(channels, func(w io.Writer) {
		printTable(w, r.Columns, []string{">CHANNEL", "OWNER", "TYPE", "RESOURCE", ">WATCHERS"}, cells)
	})
}

func (r *rpc) startTerm(ctx context.Context, args []string) error {
	all, err := r.terms()
	if err != nil {
		return err
	}
	t, err := all.Open(ctx, signal.TermNew{Args: args})
	if err != nil {
		return err
	}
	return r.answer(t, func(w io.Writer) { fmt.Fprintf(w, "terminal %s: %s\n", t.ID, term.Clean(termTask(t))) })
}

func (r *rpc) help(context.Context, []string) error {
	type verb struct {
		Name string `json:"name"`
		Args string `json:"args"`
		Help string `json:"help"`
	}
	verbs, cells := []verb{}, [][]string{}
	for _, v := range rpcVerbs() {
		verbs = append(verbs, verb{v.name, v.args, v.help})
		cells = append(cells, []string{strings.TrimSpace(v.name + " " + v.args), v.alias, v.help})
	}
	return r.answer(verbs, func(w io.Writer) { printTable(w, r.Columns, []string{"COMMAND", "ALIAS", ""}, cells) })
}

func (r *rpc) clear(context.Context, []string) error {
	return r.answer(struct{}{}, func(w io.Writer) { io.WriteString(w, clearScreen) })
}
