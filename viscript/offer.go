package viscript

import (
	"context"
	"fmt"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// What a terminal may be able to do beside what command.Terminal says.
type (
	// An Offerer shows suggestions beside the line. Its methods do not block.
	Offerer interface {
		// Offer shows items for a word that begins so many columns before the cursor; none end that.
		// False: nobody would see it.
		Offer(back int, items []signal.TermSuggestion) bool
		// Taken has the text of an item that was taken.
		Taken() <-chan string
	}
	// A Listener is told what runs at the terminal, "" for nothing, and whether that has it to itself.
	Listener interface{ Runs(line string, lent bool) }
	// A Reflower says whether the terminal wraps what stands in it anew when its width changes.
	Reflower interface{ Reflows() bool }
)

// maxListed is how many completions are listed; of more only the number is told.
const maxListed = 200

// suggestion is how a word could go on, with what that means, "" if that is plain.
type suggestion struct{ text, help string }

// offer is what a window shows beside the line.
type offer struct {
	from       int // offset in the text before the cursor; it is worth something while that text stays
	before     string
	candidates []suggestion
}

// suggest answers the prompt's Tab.
func (c *Console) suggest(ctx context.Context, before string) (int, []suggestion) {
	from, words := c.completions(ctx, before)
	out := make([]suggestion, 0, len(words))
	var offered map[string]string
	if from == 0 {
		offered = c.table.WordHelp(c.apps(ctx))
	}
	for _, w := range words {
		s := suggestion{text: w}
		if k := c.table.Lookup(w); k != nil && from == 0 {
			s.help = k.Help
		} else if from == 0 {
			s.help = offered[w]
		}
		out = append(out, s)
	}
	return from, out
}

// completeLine is Tab: what all candidates begin with is typed; when there is nothing of that, a
// window shows them, or they are listed.
func (s *session) completeLine(ctx context.Context) {
	before := s.editor.Before()
	from, candidates := s.complete(ctx, before)
	if len(candidates) == 0 {
		s.screen.bell()
		return
	}
	words := make([]string, len(candidates))
	for i, c := range candidates {
		words[i] = c.text
	}
	show := s.editor.Completed(from, words)
	if len(show) == 0 || len(show) > 1 && s.offer(from, before, candidates) {
		return
	}
	s.screen.accept(s.view(), "")
	if len(show) > maxListed {
		fmt.Fprintf(s.screen, "%d possibilities\n", len(show))
		return
	}
	fmt.Fprint(s.screen, layOut(show, s.columns()))
}

// offer shows candidates in a window; false where there is none.
func (s *session) offer(from int, before string, candidates []suggestion) bool {
	o, ok := s.tty.(Offerer)
	if !ok || from > len(before) {
		return false
	}
	items := make([]signal.TermSuggestion, 0, min(len(candidates), signal.MaxTermOffer))
	for _, c := range candidates[:cap(items)] {
		items = append(items, signal.TermSuggestion{Text: c.text, Help: c.help})
	}
	s.draw()
	if !o.Offer(term.Width(before[from:]), items) {
		return false
	}
	s.offered = offer{from, before, candidates}
	return true
}

// withdraw ends an offer: a key was pressed.
func (s *session) withdraw() {
	if len(s.offered.candidates) > 0 {
		s.offered = offer{}
		s.tty.(Offerer).Offer(0, nil) // it is one, since something was offered
	}
}

// taken is nil where nothing can be offered.
func (s *session) taken() <-chan string {
	if o, ok := s.tty.(Offerer); ok {
		return o.Taken()
	}
	return nil
}

// take types a candidate that was taken; another text, or one that comes late, counts for nothing.
func (s *session) take(text string) {
	o := s.offered
	s.withdraw()
	for _, c := range o.candidates {
		if c.text == text && s.editor.Before() == o.before {
			s.editor.Completed(o.from, []string{text})
			s.draw()
			return
		}
	}
}

// tell says what runs, to a terminal that wants to know.
func (s *session) tell(line string, lent bool) {
	if l, ok := s.tty.(Listener); ok {
		l.Runs(line, lent)
	}
}
