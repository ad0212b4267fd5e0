package command

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/skycoin/viscript/viscript/term"
)

const (
	// gap stands between the columns of a table.
	gap = "  "
	// minProse is how narrow a column of prose becomes before others are cut.
	minProse = 24
	// minText is what a column of text keeps; where that is too much for all, the last columns are left out.
	minText = 8
	// minTitle is what a title keeps.
	minTitle = 5
)

// column is one column of a table.
type column struct {
	title string
	right bool // numbers, which are never cut as long as something else can be
	prose bool // the last one, without a title: its text flows over several rows
	width int
	cells int  // width of its widest cell
	out   bool // left out
}

// printTable aligns rows under heads; columns whose head begins with ">" to the right.
// Cells are cleaned: what apps say of themselves cannot move the cursor. On a terminal, which is
// columns wide (0: none), no row is wider: a last column without a head is prose and flows, others
// are shortened with an ellipsis: the last text first, then titles, then the widest texts. Where all would be too short to read,
// the last columns are left out, and named below.
func printTable(w io.Writer, columns int, heads []string, rows [][]string) {
	table := measure(heads, rows)
	if columns > 0 {
		fitTable(table, columns)
	}
	if slices.ContainsFunc(table, func(c column) bool { return c.title != "" }) {
		var titles []string
		for _, c := range table {
			titles = append(titles, c.title)
		}
		printRow(w, columns, table, titles)
	}
	for _, row := range rows {
		printRow(w, columns, table, row)
	}
	if left := leftOut(table); left != "" {
		fmt.Fprintln(w, term.Truncate("not shown: "+left+" (wider, or --json)", columns))
	}
}

// leftOut names the columns that are left out.
func leftOut(table []column) string {
	var titles []string
	for _, c := range table {
		if c.out && c.title != "" {
			titles = append(titles, strings.ToLower(c.title))
		}
	}
	return strings.Join(titles, ", ")
}

// measure cleans the cells and finds how wide the columns are.
func measure(heads []string, rows [][]string) []column {
	table := make([]column, len(heads))
	for i, h := range heads {
		c := &table[i]
		c.title, c.right = strings.CutPrefix(h, ">")
		c.prose = i > 0 && i == len(heads)-1 && h == ""
		c.width = term.Width(c.title)
		for _, row := range rows {
			if i < len(row) {
				row[i] = term.Clean(row[i])
				c.cells = max(c.cells, term.Width(row[i]))
			}
		}
		c.width = max(c.width, c.cells)
	}
	return table
}

// fitTable takes width from columns until a row fits.
func fitTable(table []column, columns int) {
	over := (len(table)-1)*len(gap) - columns
	for _, c := range table {
		over += c.width
	}
	take := func(c *column, least int) {
		if n := min(over, c.width-least); n > 0 {
			c.width, over = c.width-n, over-n
		}
	}
	shorten(table, take)
	for i := len(table) - 1; i > 0 && over > 0; i-- {
		if c := &table[i]; !c.prose {
			c.out = true
			over -= c.width + len(gap)
		}
	}
	for over > 0 && table[0].width > 1 {
		take(&table[0], 1)
	}
	widen(table, -over)
}

// shorten takes from columns of text and titles what they can miss.
func shorten(table []column, take func(c *column, least int)) {
	last := len(table) - 1
	for last > 0 && (table[last].right || table[last].cells == 0) {
		last--
	}
	if last >= 0 {
		least := min(minText, table[last].cells)
		if table[last].prose {
			least = minProse
		}
		take(&table[last], least)
	}
	for i := len(table) - 1; i >= 0; i-- {
		take(&table[i], max(table[i].cells, min(minTitle, term.Width(table[i].title))))
	}
	for {
		c := widest(table)
		if c == nil || c.width <= minText {
			return
		}
		before := c.width
		take(c, c.width-1)
		if c.width == before {
			return
		}
	}
}

// widen gives back what leaving columns out has freed.
func widen(table []column, free int) {
	for i := range table {
		c := &table[i]
		if n := min(free, max(c.cells, term.Width(c.title))-c.width); n > 0 && !c.out && !c.prose {
			c.width, free = c.width+n, free-n
		}
	}
}

// widest is the widest column of text; nil where there is none.
func widest(table []column) (found *column) {
	for i := range table {
		if c := &table[i]; !c.right && !c.prose && (found == nil || c.width > found.width) {
			found = c
		}
	}
	return found
}

func printRow(w io.Writer, columns int, table []column, cells []string) {
	var b strings.Builder
	indent := 0
	for i, c := range table {
		if c.out {
			continue
		}
		text := ""
		if i < len(cells) {
			text = cells[i]
		}
		if i > 0 {
			b.WriteString(gap)
			indent += len(gap)
		}
		if c.prose {
			b.WriteString(flow(text, c.width, indent))
			break
		}
		text = term.Truncate(text, c.width)
		pad := strings.Repeat(" ", c.width-term.Width(text))
		if c.right {
			text = pad + text
		} else {
			text += pad
		}
		b.WriteString(text)
		indent += c.width
	}
	for i, line := range strings.Split(b.String(), "\n") {
		line = strings.TrimRight(line, " ")
		if columns > 0 && i == 0 && !table[len(table)-1].prose {
			line = term.Truncate(line, columns)
		}
		fmt.Fprintln(w, line)
	}
}

// flow breaks text between words so that no row is wider than width, and indents the rows after
// the first. A word that is longer stays whole, so that it can be copied.
func flow(text string, width, indent int) string {
	if term.Width(text) <= width {
		return text
	}
	lead := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var b strings.Builder
	b.WriteString(lead)
	used := len(lead)
	for i, word := range strings.Fields(text) {
		switch n := term.Width(word); {
		case i == 0:
			used += n
		case used+1+n <= width:
			b.WriteByte(' ')
			used += 1 + n
		default:
			b.WriteString("\n" + strings.Repeat(" ", indent+len(lead)))
			used = len(lead) + n
		}
		b.WriteString(word)
	}
	return b.String()
}
