package command

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/skycoin/viscript/viscript/term"
)

// gap stands between the columns of a table.
const gap = "  "

// printTable aligns rows under heads; columns whose head begins with ">" to the right.
// Cells are cleaned: what apps say of themselves cannot move the cursor.
func printTable(w io.Writer, heads []string, rows [][]string) {
	right := make([]bool, len(heads))
	width := make([]int, len(heads))
	titles := make([]string, len(heads))
	for i, h := range heads {
		titles[i], right[i] = strings.CutPrefix(h, ">")
		width[i] = term.Width(titles[i])
	}
	for _, row := range rows {
		for i := range row {
			row[i] = term.Clean(row[i])
			width[i] = max(width[i], term.Width(row[i]))
		}
	}
	if strings.Join(titles, "") != "" {
		printRow(w, titles, width, right)
	}
	for _, row := range rows {
		printRow(w, row, width, right)
	}
}

func printRow(w io.Writer, cells []string, width []int, right []bool) {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString(gap)
		}
		pad := strings.Repeat(" ", width[i]-term.Width(cell))
		if right[i] {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

// span writes a duration in its two largest units.
func span(d time.Duration) string {
	d = max(0, d)
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s%86400/3600)
}

// size writes bytes with a binary unit.
func size(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1024, 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if v >= 100 {
		return fmt.Sprintf("%.0f %ciB", v, units[i])
	}
	return fmt.Sprintf("%.1f %ciB", v, units[i])
}
