package command

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

const (
	topEvery   = time.Second
	topSamples = 30              // of CPU, in the sparkline
	topAnswer  = 3 * time.Second // a silent app costs two of them
)

// topView is the live view of `top` as pure state: samples in, lines out.
type topView struct {
	rows  []topRow // of the last sample
	past  map[signal.ID]*topPast
	error string // of the last sample; the rows are older then
	order byte   // i, c or m: by ID, CPU or memory
	tree  bool
}

// topPast is what is remembered of an app between samples.
type topPast struct {
	pid   int
	at    time.Time
	cpu   float64 // seconds
	load  []float64
	parts map[int]*partPast
}

// partPast is that of one process of its tree.
type partPast struct{ cpu, load float64 }

func newTopView() *topView { return &topView{past: map[signal.ID]*topPast{}, order: 'i', tree: true} }

// observe takes a sample made at now. CPU is what was used since the one before.
func (v *topView) observe(now time.Time, rows []topRow) {
	past := map[signal.ID]*topPast{}
	for _, r := range rows {
		p := v.past[r.ID]
		if p == nil || p.pid != r.Pid {
			p = &topPast{pid: r.Pid, at: now, cpu: r.CPUSeconds, parts: map[int]*partPast{}}
			if r.Error == "" {
				p.load = []float64{r.CPUPercent} // of the host's own interval
			}
			p.observeParts(r.Tree, 0)
		} else if took := now.Sub(p.at).Seconds(); took > 0 && r.Error == "" {
			p.load = append(p.load, max(0, r.CPUSeconds-p.cpu)/took*100)
			p.load = p.load[max(0, len(p.load)-topSamples):]
			p.at, p.cpu = now, r.CPUSeconds
			p.observeParts(r.Tree, took)
		}
		past[r.ID] = p
	}
	v.rows, v.past, v.error = rows, past, ""
}

func (p *topPast) observeParts(tree []signal.ProcessUsage, took float64) {
	parts := map[int]*partPast{}
	for _, u := range tree {
		part := &partPast{cpu: u.CPUSeconds}
		if before := p.parts[u.Pid]; before != nil && took > 0 {
			part.load = max(0, u.CPUSeconds-before.cpu) / took * 100
		}
		parts[u.Pid] = part
	}
	p.parts = parts
}

// load is the CPU percentage of the last interval.
func (v *topView) load(r topRow) float64 {
	if p := v.past[r.ID]; p != nil && len(p.load) > 0 {
		return p.load[len(p.load)-1]
	}
	return 0
}

// key changes the view; true ends it.
func (v *topView) key(k byte) (done bool) {
	switch k {
	case 'q', 'Q', keyInterrupt, keySuspend, 'D' - '@':
		return true
	case 'i', 'c', 'm':
		v.order = k
	case 't':
		v.tree = !v.tree
	}
	return false
}

// lines is the view at now, cut to the size of the screen.
func (v *topView) lines(now time.Time, columns, rows int) []string {
	out := []string{v.title(now), "q quits   t tree   order by: i ID  c CPU  m memory"}
	if v.error != "" {
		out = append(out, v.error)
	}
	var table bytes.Buffer
	if len(v.rows) == 0 {
		out = append(out, "", "no apps are running")
	} else {
		heads, cells := v.table(columns)
		printTable(&table, columns, heads, cells)
		out = append(out, "")
		out = append(out, lines(table.String())...)
	}
	if len(out) > rows {
		more := len(out) - rows + 1
		out = append(out[:max(0, rows-1)], fmt.Sprintf("(%d more lines)", more))
	}
	for i := range out {
		out[i] = fit(out[i], columns)
	}
	return out
}

func (v *topView) title(now time.Time) string {
	count := map[signal.State]int{}
	cpu, rss := 0.0, uint64(0)
	for _, r := range v.rows {
		count[r.State]++
		cpu, rss = cpu+v.load(r), rss+r.RSSBytes
	}
	var parts []string
	for _, s := range sortedKeys(stateNames(count)) {
		parts = append(parts, fmt.Sprintf("%d %s", count[signal.State(s)], s))
	}
	title := fmt.Sprintf("top  %s   %s", now.Local().Format(time.TimeOnly), Count(len(v.rows), "app"))
	if len(parts) > 0 {
		title += ": " + strings.Join(parts, ", ")
	}
	return fmt.Sprintf("%s   CPU %.1f %%   memory %s", title, cpu, size(rss))
}

func stateNames(count map[signal.State]int) map[string]int {
	names := map[string]int{}
	for s, n := range count {
		names[string(s)] = n
	}
	return names
}

const (
	// minSparks is how much of a sparkline is worth more than the last numbers.
	minSparks = 12
	// minKernel is how many of topHeads are always shown: those without the app's own numbers.
	minKernel = 6
)

// table is the heads and rows for a screen of so many columns: the sparkline is as long as there
// is room, and on a narrow screen the last numbers give way to it.
func (v *topView) table(columns int) (heads []string, cells [][]string) {
	cells = v.cells()
	n := len(topHeads)
	room := func() int {
		room := columns
		for _, c := range measure(topHeads[:n], cells) {
			room -= c.width + len(gap)
		}
		return room
	}
	for n > minKernel && room() < minSparks {
		n--
	}
	long := max(1, min(topSamples, room()))
	for i, row := range cells {
		last := row[len(row)-1]
		if sparks := []rune(last); len(sparks) > long && strings.TrimFunc(last, isBar) == "" {
			last = string(sparks[len(sparks)-long:])
		}
		cells[i] = append(row[:n:n], last)
	}
	return append(slices.Clone(topHeads[:n]), "CPU, LAST 30 S"), cells
}

func isBar(r rune) bool { return slices.Contains(bars[:], r) }

// cells are the rows below topHeads, in order, with the sparkline or an error behind them.
func (v *topView) cells() [][]string {
	sorted := slices.Clone(v.rows)
	slices.SortStableFunc(sorted, func(a, b topRow) int {
		switch v.order {
		case 'c':
			return cmp.Compare(v.load(b), v.load(a))
		case 'm':
			return cmp.Compare(b.RSSBytes, a.RSSBytes)
		}
		return cmp.Compare(a.ID, b.ID)
	})
	var cells [][]string
	for _, r := range sorted {
		p := v.past[r.ID]
		last := sparkline(p.load)
		if r.Error != "" {
			last = r.Error
		}
		cells = append(cells, append(r.cells(v.load(r)), last))
		if v.tree && len(r.Tree) > 1 {
			cells = append(cells, p.branches(r)...)
		}
	}
	return cells
}

func pidText(pid int) string {
	if pid == 0 {
		return "-"
	}
	return strconv.Itoa(pid)
}

// branches are the rows of an app's processes, each below its parent.
func (p *topPast) branches(r topRow) (cells [][]string) {
	depth := map[int]int{}
	for _, u := range r.Tree {
		d := 1
		if above, ok := depth[u.Parent]; ok {
			d = min(above+1, 8)
		}
		depth[u.Pid] = d
		load := 0.0
		if part := p.parts[u.Pid]; part != nil {
			load = part.load
		}
		cells = append(cells, []string{
			"", strings.Repeat("  ", d) + u.Name, "", strconv.Itoa(u.Pid), fmt.Sprintf("%.1f", load), size(u.RSSBytes), "", strconv.Itoa(u.Threads), "", "", "",
		})
	}
	return cells
}

// bars are the heights of a sparkline, the lowest first.
var bars = [...]rune{'▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'}

// sparkline draws percentages, at most topSamples, the newest at the right; full height is one
// core, or the highest sample if that is more.
func sparkline(load []float64) string {
	most := 100.0
	for _, l := range load {
		most = max(most, l)
	}
	var b strings.Builder
	for _, l := range load[max(0, len(load)-topSamples):] {
		i := int(l / most * float64(len(bars)))
		b.WriteRune(bars[max(0, min(i, len(bars)-1))])
	}
	return b.String()
}

// fit cuts a line to a number of cells.
func fit(line string, columns int) string {
	width := 0
	for i, r := range line {
		if width += term.RuneWidth(r); width > columns {
			return line[:i]
		}
	}
	return line
}

// liveTop shows the view on the prompt's terminal until the person ends it.
func (c *call) liveTop(ctx context.Context) error {
	t, giveBack, err := c.Terminal.Borrow(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	_, _ = io.WriteString(t, alternateOn)
	defer io.WriteString(t, alternateOff)
	ctx, cancel := context.WithCancel(ctx)
	samples := make(chan topSample)
	sampling := make(chan struct{})
	go func() { defer close(sampling); c.sampleTop(ctx, samples) }()
	defer func() { cancel(); <-sampling }()
	v := newTopView()
	for {
		select {
		case <-ctx.Done():
			return nil // interrupted, which is how it ends
		case s := <-samples:
			if s.err != nil {
				v.error = s.err.Error()
			} else {
				v.observe(s.at, s.rows)
			}
		case <-t.Resized():
		case p, ok := <-t.Input():
			if !ok || v.keys(p) {
				return nil
			}
		}
		if err := v.draw(t, c.now()); err != nil {
			return nil // the terminal is gone
		}
	}
}

// keys handles what was typed; a sequence of a special key does nothing.
func (v *topView) keys(p []byte) (done bool) {
	if len(p) > 1 && p[0] == keyEscape {
		return false
	}
	return slices.ContainsFunc(p, v.key)
}

func (v *topView) draw(t Terminal, now time.Time) error {
	columns, rows := t.Size()
	var b strings.Builder
	b.WriteString(home)
	for i, line := range v.lines(now, columns, rows) {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + eraseRight)
	}
	b.WriteString(eraseBelow)
	_, err := io.WriteString(t, b.String())
	return err
}

type topSample struct {
	at   time.Time
	rows []topRow
	err  error
}

// sampleTop measures once a second until ctx ends.
func (c *call) sampleTop(ctx context.Context, to chan<- topSample) {
	tick := time.NewTicker(topEvery)
	defer tick.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, topAnswer)
		rows, err := c.measureAll(asking)
		cancel()
		select {
		case to <- topSample{time.Now(), rows, err}:
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
