package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
)

func measureCommands() []*Command {
	return []*Command{
		{
			Name: "ping", Args: "ID", Help: "time a round trip to an app", run: ping, complete: completeID,
		}, {
			Name: "res_usage", Aliases: []string{"ru"}, Args: "ID",
			Help: "show what an app uses: memory, CPU, files, input and output",
			More: "CPU is percent of one core since the last question, or since the start.",
			run:  resUsage, complete: completeID,
		}, {
			Name: "top", Args: "[-1]", Help: "show what all running apps use, at the prompt every second anew until q",
			More: "-1: once, as in `exec`. CPU is percent of one core in the last interval. PROC and THR count\nprocesses and threads; GOR (goroutines) and HEAP are what the app says of itself.",
			run:  top,
		},
	}
}

func ping(ctx context.Context, c *call) error {
	id, err := c.onlyID(ctx)
	if err != nil {
		return err
	}
	r, err := c.Host.Ping(ctx, id)
	if err != nil {
		return c.explain(ctx, id, err)
	}
	return c.answer(r, func(w io.Writer) { fmt.Fprintf(w, "app %d answered in %.2f ms\n", r.ID, r.RTTms) })
}

func resUsage(ctx context.Context, c *call) error {
	id, err := c.onlyID(ctx)
	if err != nil {
		return err
	}
	u, err := c.Host.Usage(ctx, id)
	if err != nil {
		return c.explain(ctx, id, err)
	}
	return c.answer(u, func(w io.Writer) { printTable(w, c.Columns, []string{"", ""}, usageRows(u)) })
}

func usageRows(u signal.Usage) [][]string {
	rows := [][]string{
		{"pid", fmt.Sprintf("%d (%s, %s)", u.Pid, Count(u.Processes, "process"), Count(u.Threads, "thread"))},
		{"uptime", span(time.Duration(u.UptimeSeconds * float64(time.Second)))},
		{"cpu", fmt.Sprintf("%.1f %% now, %.2f s in all", u.CPUPercent, u.CPUSeconds)},
		{"memory", fmt.Sprintf("%s, at most %s, virtual %s", size(u.RSSBytes), size(u.PeakRSSBytes), size(u.VirtualBytes))},
		{"input", size(u.ReadBytes) + " read"},
		{"output", size(u.WrittenBytes) + " written"},
		{"files", fmt.Sprintf("%d open", u.OpenFiles)},
		{"switches", fmt.Sprintf("%d voluntary, %d not", u.VolSwitches, u.InvolSwitches)},
	}
	if u.Goroutines == 0 {
		return rows
	}
	heap := fmt.Sprintf("%s in %s", size(u.HeapBytes), Count(int(u.HeapObjects), "object"))
	if u.HeapObjects == 0 {
		heap = "not known yet"
	}
	collector := fmt.Sprintf("%s, %.1f ms paused", Count(int(u.GCRuns), "run"), u.GCPauseSeconds*1000)
	if u.GCRuns == 0 {
		collector = "has not run yet"
	}
	return append(rows,
		[]string{"goroutines", strconv.Itoa(u.Goroutines)}, []string{"heap", heap}, []string{"collector", collector})
}

// topRow is what `top` answers for one app; Error stands where the app did not answer.
type topRow struct {
	App    string       `json:"app"`
	Group  string       `json:"group,omitempty"`
	Member string       `json:"member,omitempty"`
	State  signal.State `json:"state"`
	signal.Usage
	Error string `json:"error,omitempty"`
}

// name is what tells the app from the others.
func (r topRow) name() string { return nameOf(signal.App{App: r.App, Member: r.Member}) }

// topInFlight bounds the questions `top` has under way at once.
const topInFlight = 16

func top(ctx context.Context, c *call) error {
	var once bool
	if err := c.options(option{name: "-1", flag: &once}); err != nil {
		return err
	}
	if err := c.count(0, 0); err != nil {
		return err
	}
	if c.Terminal != nil && !c.JSON && !once {
		return c.liveTop(ctx)
	}
	rows, err := c.measureAll(ctx)
	if err != nil {
		return err
	}
	return c.answer(rows, func(w io.Writer) { c.printTop(w, rows) })
}

// measureAll asks all running apps.
func (c *call) measureAll(ctx context.Context) ([]topRow, error) {
	apps, err := c.liveApps(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]topRow, len(apps))
	slots := make(chan struct{}, topInFlight)
	var wg sync.WaitGroup
	for i, a := range apps {
		slots <- struct{}{}
		wg.Go(func() {
			rows[i] = c.measure(ctx, a)
			<-slots
		})
	}
	wg.Wait()
	return rows, nil
}

func (c *call) measure(ctx context.Context, a signal.App) topRow {
	u, err := c.Host.Usage(ctx, a.ID)
	row := topRow{App: a.App, Group: a.Group, Member: a.Member, State: a.State, Usage: u}
	row.ID, row.Pid = a.ID, a.Pid
	if err != nil {
		row.Error = err.Error()
	}
	return row
}

func (c *call) printTop(w io.Writer, rows []topRow) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "no apps are running")
		return
	}
	var cells [][]string
	for _, r := range rows {
		cells = append(cells, append(r.cells(r.CPUPercent), r.Error))
	}
	printTable(w, c.Columns, append(slices.Clone(topHeads), ""), cells)
}

// topHeads are the columns of both views of `top`: what the kernel says, then what the app says.
var topHeads = []string{">ID", "NAME", "STATE", ">PID", ">CPU %", ">MEMORY", ">PROC", ">THR", ">GOR", ">HEAP"}

// cells are those under topHeads.
func (r topRow) cells(cpu float64) []string {
	goroutines, heap := "-", "-"
	if r.Goroutines > 0 {
		goroutines, heap = strconv.Itoa(r.Goroutines), size(r.HeapBytes)
	}
	return []string{
		strconv.FormatUint(uint64(r.ID), 10), r.name(), string(r.State), pidText(r.Pid), fmt.Sprintf("%.1f", cpu), size(r.RSSBytes),
		strconv.Itoa(r.Processes), strconv.Itoa(r.Threads), goroutines, heap,
	}
}
