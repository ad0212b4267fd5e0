package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/skycoin/viscript/signal"
)

// fakeTerms are two terminals, and a window on them if places is set.
type fakeTerms struct {
	places []signal.WindowTerm
	calls  []string
}

func (f *fakeTerms) note(format string, a ...any) error {
	f.calls = append(f.calls, fmt.Sprintf(format, a...))
	if f.places == nil {
		return signal.Errorf(signal.CodeUnavailable, "no window")
	}
	return nil
}

func (f *fakeTerms) Open(_ context.Context, p signal.TermNew) (signal.Term, error) {
	f.calls = append(f.calls, fmt.Sprintf("open %q %v %dx%d %v", p.Args, p.Shell, p.Cols, p.Rows, p.Fixed))
	return signal.Term{ID: "t3", Cols: 80, Rows: 24, Title: "\x1b[2Jnew"}, nil
}

func (f *fakeTerms) CloseTerm(_ context.Context, id string) (signal.Term, error) {
	f.calls = append(f.calls, "close "+id)
	return signal.Term{ID: id}, nil
}

func (f *fakeTerms) Terms() []signal.Term {
	return []signal.Term{
		{ID: "t1", Title: "viscript", Holds: signal.TermPrompt, Cols: 80, Rows: 24, Prompt: true, Viewers: 2},
		{ID: "t2", Title: "vim", Holds: signal.TermCommand, Command: "vim x", Cols: 100, Rows: 30, Fixed: true},
	}
}

func (f *fakeTerms) Text(id string) []string {
	if id == "t1" {
		return []string{"one", "two"}
	}
	return nil
}

func (f *fakeTerms) Placed(context.Context) ([]signal.WindowTerm, error) {
	return f.places, f.note("placed")
}

func (f *fakeTerms) Focus(_ context.Context, id string) (signal.Term, error) {
	return signal.Term{ID: id}, f.note("focus %s", id)
}

func (f *fakeTerms) Defocus(context.Context) error { return f.note("defocus") }

func (f *fakeTerms) Move(_ context.Context, x, y int) error { return f.note("move %d %d", x, y) }

func TestTerminals(t *testing.T) {
	b := newBench(t)
	b.run("lt", Failed) // a console without any
	all := &fakeTerms{}
	b.env.Terminals = all
	for line, want := range map[string]string{
		"nt":                            `open [] false 0x0 false`,
		"nt vim -R --size":              `open ["vim" "-R" "--size"] false 0x0 false`,
		"nt --fixed --size 90x40 -- -x": `open ["-x"] false 90x40 true`,
		"new_term --size=1x1 -s":        `open [] true 1x1 false`,
		"ct t2":                         `close t2`,
	} {
		all.calls = nil
		out, _ := b.run(line, OK)
		if !slices.Equal(all.calls, []string{want}) || strings.Contains(out, "\x1b") {
			t.Errorf("%s: calls %q, printed %q", line, all.calls, out)
		}
	}
	for _, line := range []string{"nt --size", "nt --size 5", "nt --size 1001x1", "nt -x", "nt -s ls", "ct", "ct a b", "mt 1", "mt a b", "focus", "defocus x", "lt x", "attach t1", "rpc", "rpc no", "rpc cft"} {
		b.run(line, Usage)
	}
	for _, line := range []string{"focus t1", "defocus", "mt 1 2"} {
		b.run(line, Failed) // without a window
	}
	_, errs := b.run("attach t9", Usage)
	has(t, errs, "attach: no terminal has the id t9; `list_terms` shows them: t1, t2\n")
	if got := b.json("lt"); strings.Contains(got, "focused") || !strings.HasPrefix(got, `[{"id":"t1","title":"viscript","holds":"prompt"`) {
		t.Error(got)
	}

	all.places, all.calls = []signal.WindowTerm{{ID: "t2", Focused: true, X: 3, Y: 4, Depth: 0}, {ID: "t9"}}, nil
	for _, line := range []string{"foc t1", "defocus", "move_term -3 40"} {
		b.run(line, OK)
	}
	if want := []string{"focus t1", "defocus", "move -3 40"}; !slices.Equal(all.calls, want) {
		t.Errorf("calls %q", all.calls)
	}
	out, _ := b.run("lt -t", OK)
	has(t, out, "*  t2  100x30 fixed  3,4", "--- t1\none\ntwo\n")
	has(t, b.json("list_terms"), `"viewers":0,"focused":true,"x":3,"y":4,`)
	if from, words := b.table.Complete(context.Background(), b.env, "close_term t"); from != 11 || !slices.Equal(words, []string{"t1", "t2"}) {
		t.Errorf("completed %d %q", from, words)
	}
}

func TestRPC(t *testing.T) {
	b := newBench(t)
	all := &fakeTerms{}
	b.env.Terminals = all
	b.run("start node", OK)
	has(t, b.json("rpc lp"), `{"id":"t2","type":"command","label":"vim x"},{"id":"1","type":"app","label":"node"}`)
	if got := b.json("r cft t1"); got != `[{"id":1,"owner":"t1","owner_type":"terminal","resource":"terminal.t1.keys","watchers":1},{"id":2,"owner":"t1","owner_type":"prompt","resource":"terminal.t1.screen","watchers":2}]` {
		t.Error(got)
	}
	b.run("rpc sett t", Failed)
	b.run("rpc setp 9", Failed)

	// a visit: the default ones stay chosen, errors do not end it, quit does
	var out strings.Builder
	var more []bool
	b.env.Lines = func(_ context.Context, _ Terminal, lead string, run func([]string, io.Writer) bool, complete func([]string) []string) {
		for _, line := range []string{"sett t2", "setp 1", "ltp", "lp", "cft", "nothing", "stp vi", "help", "clear", "q"} {
			more = append(more, run(strings.Fields(line), &out))
		}
		if lead != "rpc> " || !slices.Contains(complete(nil), "sett") || complete([]string{"sett"}) != nil {
			t.Error("lead or completion")
		}
	}
	o := Output{Out: io.Discard, Err: io.Discard, Terminal: lendNothing{}}
	if code := b.table.Run(context.Background(), b.env, []string{"rpc"}, o); code != OK {
		t.Errorf("exit code %d", code)
	}
	has(t, out.String(), "{t2}", "{1}", "terminal.t2.screen", "rpc has no command \"nothing\"", "terminal t3", "set the default task", clearScreen)
	if !slices.Equal(more, []bool{true, true, true, true, true, true, true, true, true, false}) {
		t.Errorf("it went on: %v", more)
	}
}

// lendNothing lends a terminal that nobody sits at.
type lendNothing struct{}

type noTerminal struct{ io.Writer }

func (noTerminal) Input() <-chan []byte     { return nil }
func (noTerminal) Size() (int, int)         { return 80, 24 }
func (noTerminal) Resized() <-chan struct{} { return nil }

func (lendNothing) Borrow(context.Context) (Terminal, func(), error) {
	return noTerminal{io.Discard}, func() {}, nil
}
