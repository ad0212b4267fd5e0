package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

func tellCommands() []*Command {
	return []*Command{{
		Name: "tell", Args: "ID [COMMAND [ARGS...]]",
		Help: "give an app one of its own commands; without COMMAND list them",
		run:  tell, complete: completeTell,
	}}
}

func tell(ctx context.Context, c *call) error {
	if err := c.count(1, -1); err != nil {
		return err
	}
	id, err := c.id(ctx, 0)
	if err != nil {
		return err
	}
	if len(c.args) == 1 {
		return c.tellable(ctx, id)
	}
	answer, err := c.Host.Tell(ctx, id, c.args[1:])
	if signal.CodeOf(err) == signal.CodeNoCommand {
		return c.noCommand(ctx, id, err)
	}
	if err != nil {
		return c.explain(ctx, id, err)
	}
	if len(answer) == 0 {
		answer = json.RawMessage("null")
	}
	return c.answer(answer, func(w io.Writer) { c.printValue(w, answer) })
}

func (c *call) tellable(ctx context.Context, id signal.ID) error {
	commands, err := c.Host.Commands(ctx, id)
	if err != nil {
		return c.explain(ctx, id, err)
	}
	return c.answer(list(commands), func(w io.Writer) {
		if len(commands) == 0 {
			fmt.Fprintf(w, "app %d offers no commands\n", id)
			return
		}
		var rows [][]string
		for _, k := range commands {
			rows = append(rows, []string{strings.TrimSpace(k.Name + " " + k.Args), k.Help})
		}
		printTable(w, c.Columns, []string{"COMMAND", ""}, rows)
	})
}

func (c *call) noCommand(ctx context.Context, id signal.ID, err error) error {
	commands, listErr := c.Host.Commands(ctx, id)
	if listErr != nil {
		return err
	}
	var names []string
	for _, k := range commands {
		names = append(names, k.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("app %d has no command %q: it offers none", id, c.args[1])
	}
	return fmt.Errorf("app %d has no command %q%s", id, c.args[1], DidYouMean(c.args[1], names, "it has: "+strings.Join(names, ", ")))
}

// maxShownRows bounds the rows of an answer shown as a table; in JSON all are written.
const maxShownRows = 10000

// printValue shows a JSON value: a string as it is, an object as a line for each of its
// fields, a list of objects as a table, other lists as a line for each element.
func (c *call) printValue(w io.Writer, p json.RawMessage) {
	p = bytes.TrimSpace(p)
	switch {
	case len(p) == 0 || string(p) == "null":
		return
	case p[0] == '{':
		c.printObject(w, p)
	case p[0] == '[':
		c.printList(w, p)
	default:
		text := cell(p)
		if p[0] == '"' {
			_ = json.Unmarshal(p, &text) // what is no string stays as it came
		}
		for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			fmt.Fprintln(w, term.Clean(strings.ReplaceAll(l, "\t", "    ")))
		}
	}
}

// field is one member of a JSON object, in the order of the text.
type field struct {
	name  string
	value json.RawMessage
}

// fields reads the members of an object; ok is false if p is none.
func fields(p json.RawMessage) (got []field, ok bool) {
	d := json.NewDecoder(bytes.NewReader(p))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, false
		}
		f := field{name: t.(string)} // the decoder admits no other key
		if err := d.Decode(&f.value); err != nil {
			return nil, false
		}
		got = append(got, f)
	}
	return got, true
}

func (c *call) printObject(w io.Writer, p json.RawMessage) {
	got, ok := fields(p)
	if !ok {
		fmt.Fprintln(w, term.Clean(string(p)))
		return
	}
	var rows [][]string
	var nested []field
	for _, f := range got {
		if tabular(f.value) {
			nested = append(nested, f)
			continue
		}
		rows = append(rows, []string{f.name, cell(f.value)})
	}
	for _, row := range rows {
		if name, write := unitOf(row[0]); write != nil && !slices.ContainsFunc(got, func(f field) bool { return f.name == name }) {
			row[0], row[1] = name, write(row[1])
		}
	}
	printTable(w, c.Columns, []string{"", ""}, rows)
	for _, f := range nested {
		fmt.Fprintf(w, "%s:\n", term.Clean(f.name))
		c.printList(w, f.value)
	}
}

// tabular says whether a value inside an object is worth a table of its own.
func tabular(p json.RawMessage) bool {
	var elements []json.RawMessage
	if json.Unmarshal(p, &elements) != nil || len(elements) == 0 {
		return false
	}
	_, ok := fields(elements[0])
	return ok
}

func (c *call) printList(w io.Writer, p json.RawMessage) {
	var elements []json.RawMessage
	if err := json.Unmarshal(p, &elements); err != nil {
		fmt.Fprintln(w, term.Clean(string(p)))
		return
	}
	if len(elements) == 0 {
		fmt.Fprintln(w, "(none)")
		return
	}
	more := len(elements) - maxShownRows
	elements = elements[:min(len(elements), maxShownRows)]
	if heads, rows, ok := tableOf(elements); ok {
		printTable(w, c.Columns, heads, rows)
	} else {
		for _, e := range elements {
			fmt.Fprintln(w, term.Clean(cell(e)))
		}
	}
	if more > 0 {
		fmt.Fprintf(w, "(and %d more)\n", more)
	}
}

// maxShownColumns bounds the columns of a table made from foreign objects.
const maxShownColumns = 64

// tableOf lays objects out as rows; the columns are their fields in the order of first sight.
func tableOf(elements []json.RawMessage) (heads []string, rows [][]string, ok bool) {
	var names []string
	var all [][]field
	for _, e := range elements {
		got, ok := fields(e)
		if !ok {
			return nil, nil, false
		}
		for _, f := range got {
			if !slices.Contains(names, f.name) && len(names) < maxShownColumns {
				names = append(names, f.name)
			}
		}
		all = append(all, got)
	}
	numeric := make([]bool, len(names))
	for i := range numeric {
		numeric[i] = true
	}
	for _, got := range all {
		row := make([]string, len(names))
		for _, f := range got {
			if i := slices.Index(names, f.name); i >= 0 {
				row[i] = cell(f.value)
				numeric[i] = numeric[i] && (f.value[0] == '-' || f.value[0] >= '0' && f.value[0] <= '9')
			}
		}
		rows = append(rows, row)
	}
	for i, n := range names {
		if name, write := unitOf(n); write != nil && numeric[i] && !slices.Contains(names, name) {
			n = name
			for _, row := range rows {
				row[i] = write(row[i])
			}
		}
		head := term.Clean(strings.ToUpper(n))
		if numeric[i] {
			head = ">" + head
		}
		heads = append(heads, head)
	}
	return heads, rows, true
}

// cell is a JSON value on one line.
func cell(p json.RawMessage) string {
	var s string
	if len(p) > 0 && p[0] == '"' && json.Unmarshal(p, &s) == nil {
		return s
	}
	if string(p) == "null" {
		return "-"
	}
	if words, ok := wordList(p); ok {
		return words
	}
	if words, ok := wordFields(p); ok {
		return words
	}
	var b bytes.Buffer
	if json.Compact(&b, p) != nil {
		return string(p)
	}
	return b.String()
}
