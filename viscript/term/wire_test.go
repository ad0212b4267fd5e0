package term

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

// wireSample is a snapshot with something of everything.
func wireSample() *Snapshot {
	term := New(10, 3, Config{})
	term.Write([]byte("\x1b]2;title\x07\x1b]7;file:///\x07\x1b[31mre\x1b[4;58;5;9mu\x1b[m\x1b]8;id=i;http://h\x07日e\u0301\x1b]8;;\x07\r\n12345678\x1b[48;2;1;2;3m9日\x1b[?1003;1006h\x1b[3 q"))
	var s Snapshot
	term.Snapshot(&s)
	return &s
}

// TestWireBytes: old windows must understand new daemons, so these bytes stay.
func TestWireBytes(t *testing.T) {
	s := wireSample()
	want := []string{
		"028980800800000008687474703a2f2f68016914010201000001726507010100000100000010010000007504030200000001e697a5030365cc81000400000000",
		"0015000831323334353637380202030201023902",
		"001402020302010201e697a500080000000000000000",
	}
	for y := range want {
		if got := hex.EncodeToString(s.Lines[y].AppendWire(nil)); got != want[y] {
			t.Errorf("row %d: %s, want %s", y, got, want[y])
		}
	}
	for y := range s.Lines {
		p := s.Lines[y].AppendWire(nil)
		var r Row
		rest, err := r.Parse(append(p, 7))
		if err != nil || len(rest) != 1 {
			t.Fatalf("row %d: %v, %d bytes left", y, err, len(rest))
		}
		if err := sameRow(&r, &s.Lines[y]); err != nil {
			t.Errorf("row %d: %v", y, err)
		}
		for n := range p {
			if _, err := r.Parse(p[:n]); err == nil {
				t.Errorf("row %d: the first %d bytes are a row", y, n)
			}
		}
	}
}

func TestUpdates(t *testing.T) {
	p := wireSample().AppendUpdate(nil)
	var s Snapshot
	for n := range p {
		if err := s.Apply(p[:n]); err == nil {
			t.Errorf("the first %d bytes are a snapshot", n)
		}
	}
	if err := s.Apply(append(p[:len(p):len(p)], 0)); err == nil {
		t.Error("one byte more was accepted")
	}
	term := New(10, 3, Config{})
	var here, there Snapshot
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 400 {
		term.Write(randomOutput(r, 6))
		if i%50 == 49 {
			term.Resize(1+r.IntN(30), 1+r.IntN(12))
		}
		if !term.Snapshot(&here) {
			continue
		}
		if err := there.Apply(here.AppendUpdate(nil)); err != nil {
			t.Fatal(err)
		}
		if err := sameView(&there, &here); err != nil {
			t.Fatalf("after %d updates: %v", i, err)
		}
	}
}

// FuzzApply: no bytes do harm, and what is accepted is written the same again.
func FuzzApply(f *testing.F) {
	f.Add(wireSample().AppendUpdate(nil))
	s := wireSample()
	s.recolored = false // a short one is easier to change
	f.Add(s.AppendUpdate(nil))
	term := New(3, 1, Config{})
	var tiny Snapshot
	term.Snapshot(&tiny)
	tiny.recolored = false
	f.Add(tiny.AppendUpdate(nil))
	f.Fuzz(func(t *testing.T, p []byte) {
		var s Snapshot
		if s.Apply(p) != nil {
			return
		}
		var again Snapshot
		if err := again.Apply(s.AppendUpdate(nil)); err != nil {
			t.Fatal(err)
		}
		if err := sameView(&s, &again); err != nil {
			t.Fatal(err)
		}
		for y := range s.Lines {
			_ = s.Lines[y].String()
			for x := range s.Lines[y].Cells {
				s.Lines[y].Text(x)
				s.Lines[y].Link(x)
			}
		}
		s.Append(nil, false)
	})
}
