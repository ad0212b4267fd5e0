package desktop

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestLayoutComesBack(t *testing.T) {
	a := newStage(t)
	a.feed()
	a.play("open 1 40x10; open 2 30x8; open 3 20x6 fixed; mods ctrl shift; key p; key l; key y; mods; type err; click task 1; press 2.tab; move +100,+130; release +0,+0; mods ctrl; wheel 3 2.tab")
	file := a.Layout()
	b := newStage(t)
	if err := b.Restore(file); err != nil {
		t.Fatal(err)
	}
	b.Terms([]Term{{ID: "1", Cols: 40, Rows: 10}, {ID: "2", Cols: 80, Rows: 24}, {ID: "3", Cols: 20, Rows: 6, Fixed: true}})
	b.check()
	if a.state() != b.state() {
		t.Errorf("got %s\nwant %s", b.state(), a.state())
	}
	if again := b.Layout(); string(again) != string(file) {
		t.Errorf("got %s\nwant %s", again, file)
	}
	if w := b.panelWindow(LogsContent, 0); w == nil || w.view.filter != "err" || b.theme.Name != "light" {
		t.Error("the filter or the theme is lost")
	}
	b.play("click task 0; key x") // order is in people's hands again
	before := b.state()
	b.Terms([]Term{{ID: "1", Cols: 40, Rows: 10}, {ID: "2", Cols: 30, Rows: 8}, {ID: "3", Cols: 20, Rows: 6, Fixed: true}})
	if b.state() != before {
		t.Errorf("coming back to the daemon moves windows: %s\nwas %s", b.state(), before)
	}
	c := newStage(t)
	c.play("open 1 40x10; open 2 30x8; open 3 20x6 fixed")
	if err := c.Restore(file); err != nil || c.state() != a.state() {
		t.Errorf("%v, onto windows that are there: %s", err, c.state())
	}
}

func TestHostileLayouts(t *testing.T) {
	many := `{"version":1,"windows":[` + strings.Repeat(`{"content":"App","app":1},`, 5000) + `{}]}`
	for file, bad := range map[string]bool{
		``: true, `null`: true, `[]`: true, `{`: true, `{"version":2}`: true, `{"version":1,"windows":[{"x":1e99}]}`: true,
		`{"version":1,"windows":[{"cols":1.5}]}`: true, strings.Repeat(" ", maxLayout+1): true,
		`{"version":1}`: false, `{"version":1,"theme":"\u0000","windows":null}`: false, many: false,
		`{"version":1,"windows":[{"content":"Terminal","term":"1","x":-3e38,"y":3e38,"cols":-5,"rows":99999999,"zoom":-1,"focused":true}]}`:   false,
		`{"version":1,"windows":[{"content":"Terminal","term":"1","x":3e38,"y":-3e38,"cols":99999,"rows":1,"zoom":1e30}]}`:                    false,
		`{"version":1,"windows":[{"content":"Logs","filter":"\u001b[2J","x":1e9},{"content":"Logs"},{"content":"?"},{"content":"Terminal"}]}`: false,
	} {
		s := newStage(t)
		s.play("open 1 40x10")
		before := s.state()
		err := s.Restore([]byte(file))
		if (err != nil) != bad || bad && (!errors.Is(err, ErrLayout) || s.state() != before) {
			t.Errorf("%.80q: %v, %s", file, err, s.state())
		}
		s.check()
		s.play("open 2 40x10; click 2.tab")
		if n := len(s.windows); n > maxWindows {
			t.Errorf("%d windows", n)
		}
	}
}

func FuzzRestore(f *testing.F) {
	s := newStage(&testing.T{})
	s.play("open 1 40x10; open 2 30x8; mods ctrl shift; key p; key m")
	f.Add(s.Layout())
	f.Add([]byte(`{"version":1,"windows":[{"content":"Terminal","term":"1","x":1,"zoom":2}]}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		s := newStage(t)
		s.play("open 1 40x10")
		if s.Restore(file) != nil {
			return
		}
		s.check()
		again := s.Layout()
		if err := s.Restore(again); err != nil {
			t.Fatalf("%v: %s", err, again)
		}
		if got := s.Layout(); string(got) != string(again) {
			t.Fatalf("a layout that was written changes when it is read:\n%s\n%s", again, got)
		}
	})
}

func BenchmarkLayout(b *testing.B) {
	d := crowd(b, 50)
	for b.Loop() {
		if err := d.Restore(d.Layout()); err != nil {
			b.Fatal(err)
		}
	}
}

// crowd is a desktop with n terminals.
func crowd(tb testing.TB, n int) *Desktop {
	tb.Helper()
	d := New(Config{})
	for i := range n {
		d.TermOpened(Term{ID: TermID(fmt.Sprint(i + 1)), Title: fmt.Sprintf("terminal number %d of many", i), Cols: 80, Rows: 24, Base: 1000})
	}
	return d
}
