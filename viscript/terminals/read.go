package terminals

import (
	"math"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

const (
	maxLines  = 1000    // read at once
	maxColumn = 1 << 16 // of a position
	textLines = 512     // whose text is taken at once
)

func noTerm(id string) error {
	return signal.Errorf(signal.CodeNoTerm, "no terminal has the id %.64q", id)
}

func position(p signal.TermPos) term.Pos {
	return term.Pos{Line: min(p.Line, math.MaxUint64>>1), X: max(0, min(p.X, maxColumn))}
}

func wirePosition(p term.Pos) signal.TermPos { return signal.TermPos{Line: p.Line, X: p.X} }

func (a *Terminals) search(p signal.TermSearch) (any, error) {
	t := a.get(p.ID)
	if t == nil {
		return nil, noTerm(p.ID)
	}
	if len(p.Text) > signal.MaxTermQuery {
		return nil, signal.Errorf(signal.CodeTooLarge, "a search for %d bytes, limit %d", len(p.Text), signal.MaxTermQuery)
	}
	from, to, ok := t.vt.Search(p.Text, position(p.From), p.Back, true)
	return signal.TermFound{Found: ok, From: wirePosition(from), To: wirePosition(to)}, nil
}

// lines reads rows until there are enough, or the answer is full.
func (a *Terminals) lines(p signal.TermLines) (any, error) {
	t := a.get(p.ID)
	if t == nil {
		return nil, noTerm(p.ID)
	}
	out := signal.TermRows{Epoch: t.vt.State().Epoch, Data: []byte{}}
	row := make([]term.Row, 1)
	for n := max(0, min(p.N, maxLines)); out.N < n && t.vt.Lines(min(p.From, math.MaxUint64>>1)+uint64(out.N), row) == 1; out.N++ {
		with := row[0].AppendWire(out.Data)
		if len(with) > signal.MaxTermPiece && out.N == 0 {
			row[0].DropExtras()
			with = row[0].AppendWire(out.Data)
		}
		if len(with) > signal.MaxTermPiece {
			break
		}
		out.Data = with
	}
	return out, nil
}

// text reads as much text as fits, in whole lines.
func (a *Terminals) text(p signal.TermRange) (any, error) {
	t := a.get(p.ID)
	if t == nil {
		return nil, noTerm(p.ID)
	}
	from, to := position(p.From), position(p.To)
	if to.Before(from) {
		from, to = to, from
	}
	left := from.X
	if first := t.vt.State().First; from.Line < first {
		if from.Line = first; !p.Block {
			from.X = 0
		}
	}
	if to.Before(from) {
		return signal.TermText{Data: []byte{}}, nil // it is gone
	}
	for n := uint64(textLines); ; n /= 2 {
		if to.Line-from.Line < n {
			if s := t.vt.Text(from, to, p.Block); len(s) <= signal.MaxTermPiece || n <= 1 {
				return signal.TermText{Data: []byte(s[:min(len(s), signal.MaxTermPiece)])}, nil
			}
			continue
		}
		next := term.Pos{Line: from.Line + n}
		var s string
		if p.Block {
			next.X = left
			s = t.vt.Text(from, term.Pos{Line: next.Line - 1, X: to.X}, true) + "\n"
		} else {
			s = t.vt.Text(from, next, false)
		}
		if len(s) <= signal.MaxTermPiece || n <= 1 {
			more := next.Line <= t.vt.State().Top+term.MaxRows
			return signal.TermText{Data: []byte(s[:min(len(s), signal.MaxTermPiece)]), More: more, From: wirePosition(next)}, nil
		}
	}
}

// Text is what stands on the screen of a terminal, a string a row; nil if there is none with that id.
func (a *Terminals) Text(id string) []string {
	t := a.get(id)
	if t == nil {
		return nil
	}
	s := t.vt.State()
	rows := make([]term.Row, s.Rows)
	text := []string{}
	for i := range t.vt.Lines(s.Top, rows) {
		text = append(text, rows[i].String())
	}
	return text
}
