package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

func outputCommands() []*Command {
	return []*Command{
		{
			Name: "logs", Aliases: []string{"lg"}, Args: "[-f] [-n LINES] ID",
			Help: "show what an app printed; -f goes on until Ctrl-C",
			More: "-n LINES: the last LINES lines (100 unless given; 0: all that is kept).",
			run:  logs, complete: completeAnyID,
		}, {
			Name: "why", Args: "ID",
			Help: "say how an app is, what it waits for, why it ended and how often, with the end of its log", run: why, complete: completeAnyID,
		}, {
			Name: "events", Args: "[-f] [--since N|TIME]",
			Help: "show what happened to apps; -f goes on until Ctrl-C",
			More: "--since N: only the events after number N; --since 10m, 15:04 or 2006-01-02T15:04: those of\nthat time on. Without it: the last 50. With --json -f each line is an event, and its seq\nis where --since goes on.",
			run:  events,
		},
	}
}

const (
	defaultLogLines = 100
	whyLogLines     = 10
	defaultEvents   = 50

	// maxLogLine bounds one line of an answer in JSON; what is longer is cut into several.
	maxLogLine = 64 << 10
	// maxLogAnswer bounds all lines of an answer in JSON that is one value: the last ones stay.
	maxLogAnswer = 8 << 20
)

func logs(ctx context.Context, c *call) error {
	r := signal.LogsRequest{Lines: defaultLogLines}
	if err := c.options(option{name: "-f", flag: &r.Follow}, option{name: "-n", value: number(&r.Lines)}); err != nil {
		return err
	}
	id, err := c.onlyID(ctx)
	if err != nil {
		return err
	}
	switch {
	case !c.JSON:
		err = c.Host.Logs(ctx, id, r, term.NewCleaner(c.Out))
	case r.Follow:
		err = c.followLog(ctx, id, r)
	default:
		var got []string
		if got, err = c.logLines(ctx, id, r.Lines); err == nil {
			return c.answer(logAnswer{id, list(got)}, nil)
		}
	}
	if r.Follow && interrupted(ctx, err) {
		return nil
	}
	return c.explain(ctx, id, err)
}

type logAnswer struct {
	ID    signal.ID `json:"id"`
	Lines []string  `json:"lines"`
}

type logLine struct {
	ID   signal.ID `json:"id"`
	Line string    `json:"line"`
}

func (c *call) followLog(ctx context.Context, id signal.ID, r signal.LogsRequest) error {
	w := &lineWriter{each: func(line string) error { return c.answer(logLine{id, line}, nil) }}
	err := c.Host.Logs(ctx, id, r, w)
	return errors.Join(err, w.flush())
}

// logLines returns the last n lines of an app's log, 0: all; at most maxLogAnswer bytes.
func (c *call) logLines(ctx context.Context, id signal.ID, n int) ([]string, error) {
	var got []string
	total := 0
	w := &lineWriter{each: func(line string) error {
		got, total = append(got, line), total+len(line)
		for total > maxLogAnswer {
			total -= len(got[0])
			got = got[1:]
		}
		return nil
	}}
	err := c.Host.Logs(ctx, id, signal.LogsRequest{Lines: n}, w)
	return got, errors.Join(err, w.flush())
}

// interrupted: the person ended a command that follows something, which is how it ends well.
func interrupted(ctx context.Context, err error) bool {
	return err == nil || ctx.Err() != nil
}

// lineWriter calls each for every line, without its end.
type lineWriter struct {
	each func(string) error
	part []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		w.part, p = append(w.part, line...), rest
		for len(w.part) > maxLogLine {
			if err := w.each(string(w.part[:maxLogLine])); err != nil {
				return 0, err
			}
			w.part = append(w.part[:0], w.part[maxLogLine:]...)
		}
		if whole {
			if err := w.each(strings.TrimSuffix(string(w.part), "\r")); err != nil {
				return 0, err
			}
			w.part = w.part[:0]
		}
	}
	return n, nil
}

// flush passes on a last line that has no end.
func (w *lineWriter) flush() error {
	if len(w.part) == 0 {
		return nil
	}
	line := string(w.part)
	w.part = nil
	return w.each(line)
}

type whyAnswer struct {
	signal.App
	past
	Lines []string `json:"last_lines"`
}

func why(ctx context.Context, c *call) error {
	id, err := c.onlyID(ctx)
	if err != nil {
		return err
	}
	app, err := c.find(ctx, id)
	if err != nil {
		return err
	}
	got, err := c.logLines(ctx, id, whyLogLines)
	if err != nil {
		got = []string{"(the log cannot be read: " + err.Error() + ")"}
	}
	before, err := c.pastOf(ctx, id)
	if err != nil {
		return err
	}
	return c.answer(whyAnswer{app, before, list(got)}, func(w io.Writer) { c.printWhy(w, app, before, got) })
}

func (c *call) printWhy(w io.Writer, a signal.App, before past, last []string) {
	now := c.now()
	rows := [][]string{
		{"app", fmt.Sprintf("%s (ID %d)", nameOf(a), a.ID)},
		{"command", a.Command},
		{"state", string(a.State)},
	}
	if a.Member != "" {
		rows = slices.Insert(rows, 1, []string{"member of", fmt.Sprintf("group %s; the app is %s", a.Group, a.App)})
	}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	if a.ExitCode != nil {
		add("exit code", exitText(*a.ExitCode))
	}
	add("reason", a.Reason)
	add("status", a.Status)
	add("started", a.Started.Local().Format(time.DateTime)+", "+span(now.Sub(a.Started))+" ago")
	if a.Ended != nil {
		add("ended", a.Ended.Local().Format(time.DateTime)+", after "+span(a.Ended.Sub(a.Started)))
	}
	rows = append(rows, waits(a, now)...)
	add("how often", before.often(a))
	add("log", a.Log)
	printTable(w, c.Columns, []string{"", ""}, rows)
	for _, e := range before.Last {
		c.printEvent(w, told{e, a.Member})
	}
	for _, l := range last {
		fmt.Fprintln(w, "  | "+term.Clean(strings.ReplaceAll(l, "\t", "    ")))
	}
}

// exitText is the exit code with what it stands for.
func exitText(code int) string {
	names := map[int]string{
		126: "the program could not be executed", 127: "the program was not found",
		129: "SIGHUP", 130: "SIGINT", 131: "SIGQUIT", 132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS",
		136: "SIGFPE", 137: "SIGKILL", 139: "SIGSEGV", 141: "SIGPIPE", 143: "SIGTERM",
	}
	if n := names[code]; n != "" {
		return fmt.Sprintf("%d (%s)", code, n)
	}
	return fmt.Sprint(code)
}

func events(ctx context.Context, c *call) error {
	var follow bool
	var from since
	recent := defaultEvents
	read := func(s string) (err error) { recent = math.MaxInt; from, err = parseSince(s, c.now()); return err }
	if err := c.options(option{name: "-f", flag: &follow}, option{name: "--since", value: read}); err != nil {
		return err
	}
	if err := c.count(0, 0); err != nil {
		return err
	}
	got, last, err := c.recentEvents(ctx, from, recent)
	if err != nil {
		return err
	}
	known := NewNames(c.Host)
	if !follow {
		all := []told{}
		for _, e := range got {
			all = append(all, told{e, known.member(ctx, e)})
		}
		return c.answer(all, func(w io.Writer) {
			for _, e := range all {
				c.printEvent(w, e)
			}
		})
	}
	tell := func(e signal.Event) error {
		t := told{e, known.member(ctx, e)}
		return c.answer(t, func(w io.Writer) { c.printEvent(w, t) })
	}
	for _, e := range got {
		if err := tell(e); err != nil {
			return err
		}
	}
	if err := c.Host.Events(ctx, last, true, tell); !interrupted(ctx, err) {
		return err
	}
	return nil
}

// told is an event with what it does not say of its app.
type told struct {
	signal.Event
	Member string `json:"member,omitempty"` // of a group
}

// recentEvents returns the last n events that from admits, and the number of the last event of all.
func (c *call) recentEvents(ctx context.Context, from since, n int) (got []signal.Event, last uint64, err error) {
	last = from.seq
	err = c.Host.Events(ctx, from.seq, false, func(e signal.Event) error {
		last = max(last, e.Seq)
		if !from.admits(e) {
			return nil
		}
		if got = append(got, e); len(got) > n {
			got = got[1:]
		}
		return nil
	})
	return got, last, err
}

// printEvent writes an event on one row.
func (c *call) printEvent(w io.Writer, e told) {
	subject := e.App
	if e.Member != "" {
		subject = e.Member
	}
	if e.ID != 0 {
		subject = fmt.Sprintf("%d %s", e.ID, subject)
	}
	line := fmt.Sprintf("%6d  %s  %-10s  %s", e.Seq, e.Time.Local().Format(time.DateTime), e.Kind, subject)
	if e.Text != "" {
		line += ": " + e.Text
	}
	if len(e.Fields) > 0 && json.Valid(e.Fields) {
		line += " " + string(e.Fields)
	}
	if line = term.Clean(line); c.Columns > 0 {
		line = term.Truncate(line, c.Columns)
	}
	fmt.Fprintln(w, line)
}
