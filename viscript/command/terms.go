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

// Terminals are those of the daemon. A prefix is the id of a terminal or a leading part that no
// other one has.
type Terminals interface {
	Open(ctx context.Context, p signal.TermNew) (signal.Term, error)
	// CloseTerm returns when what the terminal held has ended.
	CloseTerm(ctx context.Context, prefix string) (signal.Term, error)
	Terms() []signal.Term
	// Text is what stands on the screen of a terminal, a string a row; nil if there is none.
	Text(id string) []string

	// The following need a window; without one the error says how to get it.
	Placed(ctx context.Context) ([]signal.WindowTerm, error)
	Focus(ctx context.Context, prefix string) (signal.Term, error)
	Defocus(ctx context.Context) error
	Move(ctx context.Context, x, y int) error
}

// IsTerm says whether a word is the id of a terminal: t and a number.
func IsTerm(word string) bool {
	n, err := strconv.ParseUint(strings.TrimPrefix(word, "t"), 10, 63)
	return err == nil && n > 0 && word == "t"+strconv.FormatUint(n, 10)
}

// NoTerm is for who asked for a terminal that is not among all.
func NoTerm(id string, all []signal.Term) error {
	if len(all) == 0 {
		return fmt.Errorf("no terminal has the id %s; there are none, `new_term` opens one", term.Clean(id))
	}
	var ids []string
	for _, t := range all[:min(len(all), maxListedApps)] {
		ids = append(ids, term.Clean(t.ID))
	}
	if len(all) > maxListedApps {
		ids = append(ids, "...")
	}
	return fmt.Errorf("no terminal has the id %s; `list_terms` shows them: %s", term.Clean(id), strings.Join(ids, ", "))
}

// aboutTerm explains the word TERM in the synopsis of a command.
const aboutTerm = "TERM: the id that list_terms shows, or a leading part of it that no other one has."

func termCommands() []*Command {
	return []*Command{
		{
			Name: "new_term", Aliases: []string{"nt"}, Args: "[--size COLSxROWS] [--fixed] [-s] [COMMAND...]",
			Help: "open a terminal in the daemon: with a prompt, or with a command in it",
			More: "-s: with your shell. --fixed: windows cannot resize it. Without --size it has 80 columns and\n24 rows. Windows show it, and `viscript attach TERM` does in any terminal. A command that\nfails stays in sight until Enter.",
			run:  newTerm,
		}, {
			Name: "close_term", Aliases: []string{"ct"}, Args: "TERM", Help: "close a terminal and end what runs in it",
			More: "The last one stays while a window shows it. " + aboutTerm, run: closeTerm, complete: completeTerm,
		}, {
			Name: "list_terms", Aliases: []string{"list_term", "lt"}, Args: "[-t]", Help: "list the terminals of the daemon; * marks the one with the keyboard",
			More: "-t: with what stands on their screens. Where there is a window, with the place in it: X and Y\nin characters, DEPTH 0 on top.", run: listTerms,
		}, {
			Name: "focus", Aliases: []string{"foc"}, Args: "TERM", Help: "give a terminal the keyboard, in the window",
			More: aboutTerm, run: focusTerm, complete: completeTerm,
		},
		{Name: "defocus", Help: "take the keyboard from all terminals, in the window", run: defocus},
		{
			Name: "move_term", Aliases: []string{"mt"}, Args: "X Y", Help: "put the terminal with the keyboard at column X and row Y of the window",
			run: moveTerm,
		},
		rpcCommand(),
	}
}

// terms are the terminals of the daemon.
func (c *call) terms() (Terminals, error) {
	if c.Terminals == nil {
		return nil, fmt.Errorf("%s: this console has no terminals of its own", c.cmd.Name)
	}
	return c.Terminals, nil
}

func newTerm(ctx context.Context, c *call) error {
	p, err := c.newTermOptions()
	if err != nil {
		return err
	}
	all, err := c.terms()
	if err != nil {
		return err
	}
	t, err := all.Open(ctx, p)
	if err != nil {
		return fmt.Errorf("%s: %w", c.cmd.Name, err)
	}
	return c.answer(t, func(w io.Writer) {
		fmt.Fprintf(w, "terminal %s (%dx%d): %s\n", t.ID, t.Cols, t.Rows, term.Clean(t.Title))
	})
}

// newTermOptions reads the options before the command; those behind its name are its own.
func (c *call) newTermOptions() (p signal.TermNew, err error) {
	n := 0
	for n < len(c.args) && len(c.args[n]) > 1 && c.args[n][0] == '-' && c.args[n] != "--" {
		if n++; c.args[n-1] == "--size" {
			n = min(n+1, len(c.args))
		}
	}
	p.Args = c.args[n:]
	if len(p.Args) > 0 && p.Args[0] == "--" {
		p.Args = p.Args[1:]
	}
	c.args = c.args[:n]
	err = c.options(option{name: "--fixed", flag: &p.Fixed}, option{name: "-s", flag: &p.Shell}, option{name: "--shell", flag: &p.Shell},
		option{name: "--size", value: func(s string) error { p.Cols, p.Rows, err = termSize(s); return err }})
	if err == nil && p.Shell && len(p.Args) > 0 {
		err = usagef("%s: -s, or a command, not both", c.cmd.Name)
	}
	return p, err
}

// termSize reads 80x24.
func termSize(s string) (cols, rows int, err error) {
	a, b, _ := strings.Cut(s, "x")
	cols, err1 := strconv.Atoi(a)
	rows, err2 := strconv.Atoi(b)
	if err1 != nil || err2 != nil || cols < 1 || rows < 1 || cols > signal.MaxTermCols || rows > signal.MaxTermRows {
		return 0, 0, fmt.Errorf("%q is no size from 1x1 to %dx%d", s, signal.MaxTermCols, signal.MaxTermRows)
	}
	return cols, rows, nil
}

// withTerm runs act with the terminals and the one argument, and says what was done.
func (c *call) withTerm(act func(Terminals, string) (signal.Term, error), done string) error {
	if err := c.count(1, 1); err != nil {
		return err
	}
	all, err := c.terms()
	if err != nil {
		return err
	}
	t, err := act(all, c.args[0])
	if err != nil {
		return fmt.Errorf("%s: %w", c.cmd.Name, err)
	}
	answer := struct {
		ID string `json:"id"`
	}{t.ID}
	return c.answer(answer, func(w io.Writer) {
		if done != "" {
			fmt.Fprintf(w, done, t.ID)
		}
	})
}

func closeTerm(ctx context.Context, c *call) error {
	return c.withTerm(func(all Terminals, id string) (signal.Term, error) { return all.CloseTerm(ctx, id) }, "terminal %s is closed\n")
}

func focusTerm(ctx context.Context, c *call) error {
	return c.withTerm(func(all Terminals, id string) (signal.Term, error) { return all.Focus(ctx, id) }, "")
}

func defocus(ctx context.Context, c *call) error {
	if err := c.count(0, 0); err != nil {
		return err
	}
	return c.inWindow(func(all Terminals) error { return all.Defocus(ctx) })
}

func moveTerm(ctx context.Context, c *call) error {
	if err := c.count(2, 2); err != nil {
		return err
	}
	x, err1 := strconv.ParseInt(c.args[0], 10, 32)
	y, err2 := strconv.ParseInt(c.args[1], 10, 32)
	if err1 != nil || err2 != nil {
		return usagef("%s: X and Y are whole numbers; usage: %s", c.cmd.Name, c.cmd.Synopsis())
	}
	return c.inWindow(func(all Terminals) error { return all.Move(ctx, int(x), int(y)) })
}

func (c *call) inWindow(act func(Terminals) error) error {
	all, err := c.terms()
	if err != nil {
		return err
	}
	if err := act(all); err != nil {
		return fmt.Errorf("%s: %w", c.cmd.Name, err)
	}
	return c.answer(struct{}{}, func(io.Writer) {})
}

// A termAnswer is a terminal as list_terms tells it, with its place where a window has it.
type termAnswer struct {
	signal.Term
	*placement
	Text []string `json:"text,omitempty"` // of the screen
}

// placement is what only a window knows.
type placement struct {
	Focused   bool    `json:"focused"`
	X         int     `json:"x"` // in characters of the desktop
	Y         int     `json:"y"`
	Zoom      float32 `json:"zoom"`
	Left      float32 `json:"left"` // of the frame, in window units
	Top       float32 `json:"top"`
	Width     float32 `json:"width"`
	Height    float32 `json:"height"`
	Depth     int     `json:"depth"`  // 0: on top
	Behind    uint64  `json:"behind"` // lines that are scrolled out below
	Selected  bool    `json:"selected"`
	Searching bool    `json:"searching"`
	Bell      bool    `json:"bell"`
}

func listTerms(ctx context.Context, c *call) error {
	var text bool
	if err := c.options(option{name: "-t", flag: &text}); err != nil {
		return err
	}
	if err := c.count(0, 0); err != nil {
		return err
	}
	all, err := c.terms()
	if err != nil {
		return err
	}
	answers := placedTerms(ctx, all)
	for i := range answers {
		if text {
			answers[i].Text = all.Text(answers[i].ID)
		}
	}
	return c.answer(answers, func(w io.Writer) {
		if len(answers) == 0 {
			fmt.Fprintln(w, "no terminals; `new_term` opens one")
			return
		}
		printTerms(w, c.Columns, answers)
	})
}

// placedTerms joins what the daemon and the window know; a window that does not answer is left out.
func placedTerms(ctx context.Context, all Terminals) []termAnswer {
	places := map[string]*placement{}
	if placed, err := all.Placed(ctx); err == nil {
		for _, p := range placed {
			places[p.ID] = &placement{
				p.Focused, p.X, p.Y, p.Zoom, p.Left, p.Top, p.Width, p.Height, p.Depth, p.Behind, p.Selected, p.Searching, p.Bell,
			}
		}
	}
	answers := []termAnswer{}
	for _, t := range all.Terms() {
		answers = append(answers, termAnswer{Term: t, placement: places[t.ID]})
	}
	return answers
}

func printTerms(w io.Writer, columns int, answers []termAnswer) {
	var rows [][]string
	for _, a := range answers {
		mark, place, depth := "", "", ""
		if p := a.placement; p != nil {
			place, depth = fmt.Sprintf("%d,%d", p.X, p.Y), strconv.Itoa(p.Depth)
			if p.Focused {
				mark = "*"
			}
		}
		size := fmt.Sprintf("%dx%d", a.Cols, a.Rows)
		if a.Fixed {
			size += " fixed"
		}
		rows = append(rows, []string{mark, a.ID, size, place, depth, strconv.Itoa(a.Viewers), a.Holds, a.Title})
	}
	printTable(w, columns, []string{"", "ID", "SIZE", "X,Y", ">DEPTH", ">VIEWERS", "HOLDS", "TITLE"}, rows)
	for _, a := range answers {
		if a.Text != nil {
			fmt.Fprintf(w, "--- %s\n", a.ID)
		}
		for _, l := range a.Text {
			fmt.Fprintln(w, term.Clean(l))
		}
	}
}

// completeTerm offers the ids of terminals.
func completeTerm(_ context.Context, e *Env, prev []string) []string {
	if len(prev) > 0 || e.Terminals == nil {
		return nil
	}
	var ids []string
	for _, t := range e.Terminals.Terms() {
		ids = append(ids, t.ID)
	}
	return slices.Clip(ids)
}
