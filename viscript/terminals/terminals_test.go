//go:build linux

package terminals

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

func TestTwoWindowsSeeTheSame(t *testing.T) {
	b := newBench(t, Config{})
	one, two := b.look(signal.WindowParams{Desktop: true}, signal.WindowHandler{}), b.look(signal.WindowParams{}, signal.WindowHandler{})
	id := one.order[0] // a desktop is never empty
	if id != "t1" || len(one.order) != 1 {
		t.Fatalf("terminals %v", one.order)
	}
	one.watch(id)
	one.sees(id, "ready")
	one.Char(id, 'a')
	one.Paste(id, "bc\x1b[31md\n")
	one.sees(id, "abc[31md")
	two.watch(id) // later: its first frame is whole
	two.sees(id, "abc[31md")
	two.Input(id, []byte("EF"))
	one.sees(id, "EF")
	two.sees(id, "EF")
	if one.screen(id) != two.screen(id) {
		t.Errorf("one sees\n%s\ntwo sees\n%s", one.screen(id), two.screen(id))
	}
	two.Watch(id, false)
	two.until("one viewer", func() bool { return two.terms[id].Viewers == 1 })
	one.Char(id, 'G')
	one.sees(id, "EFG")
	if strings.Contains(two.screen(id), "G") {
		t.Error("a frame came after watching had ended")
	}
}

func TestOpenChangeClose(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{Desktop: true}, signal.WindowHandler{})
	got, err := v.New(within(t), signal.TermNew{Args: []string{"sh", "-c", `printf '\033]0;first\007\007'; read x; printf '\033]52;c;aGk=\007\033[?1003h\033[?1049h'; read y`}, Cols: 40, Rows: 10, Fixed: true})
	if err != nil {
		t.Fatal(err)
	}
	id := got.ID
	if e := v.heard(signal.MethodTermOpened); e.ID != id || e.Term.Cols != 40 || !e.Term.Fixed || e.Term.Prompt || e.Term.Holds != signal.TermCommand {
		t.Errorf("opened %+v", e.Term)
	}
	v.until("the title", func() bool { return v.terms[id].Title == "first" })
	v.heard(signal.MethodTermBell)
	v.Resize(id, 20, 5) // it is fixed
	v.Input(id, []byte("go\r"))
	if c := v.heard(signal.MethodTermClipboard); c.ID != id || string(c.Clipboard.Text) != "hi" || c.Clipboard.Target != "c" {
		t.Errorf("clipboard %+v", c.Clipboard)
	}
	v.until("the alternate screen and the mouse", func() bool {
		now := v.terms[id]
		return now.Alt && now.Mouse == signal.TermMouseMotion && now.Cols == 40
	})
	v.Mouse(signal.TermMouse{ID: id, Action: uint8(term.Press), Button: uint8(term.LeftButton), X: 3, Y: 4})
	v.Input(id, []byte("end\r"))
	if e := v.heard(signal.MethodTermClosed); e.ID != id {
		t.Errorf("closed %q", e.ID)
	}
	if err := v.CloseTerm(within(t), "t1"); signal.CodeOf(err) != signal.CodeLastTerm {
		t.Errorf("closing the last one: %v", err)
	}
	if err := v.CloseTerm(within(t), id); signal.CodeOf(err) != signal.CodeNoTerm {
		t.Errorf("closing it again: %v", err)
	}
	b.open(signal.TermNew{})
	if err := v.CloseTerm(within(t), "t1"); err != nil {
		t.Errorf("closing one of two: %v", err)
	}
	v.until("its end", func() bool { _, there := v.terms["t1"]; return !there })
}

func TestRefused(t *testing.T) {
	b := newBench(t, Config{})
	for name, c := range map[string]struct {
		p    signal.TermNew
		code signal.Code
	}{
		"no such program": {signal.TermNew{Args: []string{"no-such-program"}}, signal.CodeStart},
		"no such folder":  {signal.TermNew{Args: []string{"true"}, Dir: "/nowhere"}, signal.CodeStart},
		"nul":             {signal.TermNew{Args: []string{"a\x00b"}}, signal.CodeParams},
		"empty":           {signal.TermNew{Args: []string{""}}, signal.CodeParams},
		"too large":       {signal.TermNew{Cols: 1001}, signal.CodeParams},
		"negative":        {signal.TermNew{Rows: -1}, signal.CodeParams},
		"long":            {signal.TermNew{Args: []string{strings.Repeat("x", 5000)}}, signal.CodeTooLarge},
		"both":            {signal.TermNew{Args: []string{"true"}, Shell: true}, signal.CodeParams},
	} {
		if _, err := b.Open(within(t), c.p); signal.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(b.Terms()); n != 0 {
		t.Errorf("%d terminals", n)
	}
	for range signal.MaxTerms {
		b.open(signal.TermNew{Cols: 2, Rows: 2})
	}
	if _, err := b.Open(within(t), signal.TermNew{}); signal.CodeOf(err) != signal.CodeBusy {
		t.Errorf("one too many: %v", err)
	}
	if _, err := b.CloseTerm(within(t), "t"); signal.CodeOf(err) != signal.CodeNoTerm {
		t.Errorf("ambiguous: %v", err)
	}
	if _, err := b.CloseTerm(within(t), "t25"); err != nil {
		t.Errorf("t25, though t250 is there: %v", err)
	}
}

func TestLeave(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{Desktop: true}, signal.WindowHandler{})
	v.watch("t1")
	v.Input("t1", []byte{4})
	v.sees("t1", "this is the last terminal")
	two := b.open(signal.TermNew{})
	v.heard(signal.MethodTermOpened)
	v.Input("t1", []byte{4})
	v.heard(signal.MethodTermClosed)
	v.watch(two)
	v.sees(two, "ready")
	b.open(signal.TermNew{Args: []string{"true"}}) // ends by itself
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		got := b.Terms()
		if len(got) == 1 && got[0].ID == two {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("left: %v", got)
		}
	}
}

func TestLastProgramLeavesAPrompt(t *testing.T) {
	b := newBench(t, Config{})
	b.open(signal.TermNew{Args: []string{"sh", "-c", "read x"}})
	v := b.look(signal.WindowParams{Desktop: true}, signal.WindowHandler{})
	v.Input("t1", []byte("\r"))
	e := v.heard(signal.MethodTermOpened)
	if e.ID != "t2" || !e.Term.Prompt {
		t.Errorf("opened %+v", e.Term)
	}
}

func TestFailureStaysInSight(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	id := b.open(signal.TermNew{Args: []string{"sh", "-c", "echo why; exit 7"}})
	v.heard(signal.MethodTermOpened)
	v.watch(id)
	v.sees(id, "sh has ended: exit code 7; Enter closes this terminal")
	if !strings.HasPrefix(v.screen(id), "why\n") {
		t.Errorf("the screen is %q", v.screen(id))
	}
	v.Input(id, []byte("x"))
	v.Input(id, []byte("\r"))
	v.heard(signal.MethodTermClosed)
}

// TestLastWordsAreSeen: what a program said before its end is shown, however late it is read, and though another process keeps the
// terminal open.
func TestLastWordsAreSeen(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	id := b.open(signal.TermNew{Args: []string{"sh", "-c", "sleep 2 & echo pid $$; read x; sleep 0.2; echo last words; exit 7"}})
	v.heard(signal.MethodTermOpened)
	v.watch(id)
	v.sees(id, "pid ")
	var pid int
	if _, err := fmt.Sscanf(v.screen(id), "pid %d", &pid); err != nil {
		t.Fatal(err)
	}
	held := b.get(id)
	held.writes.Lock() // whoever reads is busy with what was written before
	v.Input(id, []byte("\r"))
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(fmt.Sprint("/proc/", pid)); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the program does not end")
		}
	}
	time.Sleep(2 * drainTime)
	held.writes.Unlock()
	v.sees(id, "last words\n\nsh has ended: exit code 7")
}

// TestCloseEndsTheGroup closes terminals whose programs ignore what a terminal's end tells them.
func TestCloseEndsTheGroup(t *testing.T) {
	b := newBench(t, Config{})
	dir := t.TempDir()
	script := `trap '' HUP TERM; (trap '' HUP TERM; echo $$; exec sleep 600) & echo $$ > ` + dir + `/pid; echo $! >> ` + dir + `/pid; wait`
	id := b.open(signal.TermNew{Args: []string{"sh", "-c", script}})
	var pids []string
	for end := time.Now().Add(patience); len(pids) < 2; time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(dir + "/pid")
		if pids = strings.Fields(string(text)); time.Now().After(end) {
			t.Fatal("the program does not begin")
		}
	}
	if _, err := b.CloseTerm(within(t), id); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if err != nil || strings.Contains(string(stat), ") Z ") {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("process %s lives on: %s", pid, stat)
			}
		}
	}
}

func TestRestore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "terminals.json")
	a := New(Config{Prompt: echo, File: file})
	a.Restore() // there is none
	for _, p := range []signal.TermNew{{Cols: 33, Rows: 11}, {Args: []string{"sleep", "600"}}, {Fixed: true}} {
		if _, err := a.Open(within(t), p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.CloseTerm(within(t), "t3"); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if _, err := a.Open(within(t), signal.TermNew{}); signal.CodeOf(err) != signal.CodeStopping {
		t.Errorf("opened after the end: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	a = New(Config{Prompt: echo, File: file})
	a.Restore()
	got := a.Terms()
	if len(got) != 1 || got[0].ID != "t1" || got[0].Cols != 33 || got[0].Rows != 11 {
		t.Errorf("restored %+v", got)
	}
	if next, err := a.Open(within(t), signal.TermNew{}); err != nil || next.ID != "t4" {
		t.Errorf("the next one: %+v, %v", next, err)
	}
	a.Close()
	for _, bad := range []string{"", "{", `{"version":2}`, `{"version":1,"last":-1,"prompts":[{"id":"x"},{"id":"t0"},{"id":"t01","cols":1,"rows":1},{"id":"t5","cols":0,"rows":1},{"id":"t7","cols":9999,"rows":1}]}`} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		a = New(Config{Prompt: echo, File: file})
		a.Restore()
		if got := a.Terms(); len(got) != 0 {
			t.Errorf("%s: %v", bad, got)
		}
		a.Close()
	}
}

func TestDesktopIsAsked(t *testing.T) {
	b := newBench(t, Config{})
	b.Terminals.patience = patience
	if _, err := b.Placed(within(t)); !errors.Is(err, error(ErrNoWindow)) {
		t.Errorf("without a window: %v", err)
	}
	b.look(signal.WindowParams{}, signal.WindowHandler{})
	if err := b.Defocus(within(t)); signal.CodeOf(err) != signal.CodeUnavailable {
		t.Errorf("with a text client only: %v", err)
	}
	focused := make(chan string, 1)
	slow := make(chan struct{})
	one := b.look(signal.WindowParams{Desktop: true}, signal.WindowHandler{
		List:    func(context.Context) ([]signal.WindowTerm, error) { return []signal.WindowTerm{{ID: "t1", X: 1}}, nil },
		Focus:   func(_ context.Context, id string) error { focused <- id; return nil },
		Defocus: func(ctx context.Context) error { <-slow; return nil },
	})
	b.look(signal.WindowParams{Desktop: true}, signal.WindowHandler{
		List: func(context.Context) ([]signal.WindowTerm, error) { return []signal.WindowTerm{{ID: "t1", X: 2}}, nil },
		Move: func(_ context.Context, x, y int) error {
			return signal.Errorf(signal.CodeCommand, "no terminal has the focus")
		},
	})
	if placed, err := b.Placed(within(t)); err != nil || len(placed) != 1 || placed[0].X != 2 {
		t.Errorf("the newest window: %v, %v", placed, err)
	}
	if err := b.Move(within(t), 1, 2); signal.CodeOf(err) != signal.CodeCommand {
		t.Errorf("the window's own error: %v", err)
	}
	one.Focus("t1", true)
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if placed, err := b.Placed(within(t)); err == nil && placed[0].X == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the window that is used is not asked")
		}
	}
	if _, err := b.Focus(within(t), "t1"); err != nil || <-focused != "t1" {
		t.Errorf("focus: %v", err)
	}
	if _, err := b.Focus(within(t), "t9"); signal.CodeOf(err) != signal.CodeNoTerm {
		t.Errorf("focus of none: %v", err)
	}
	b.Terminals.patience = 200 * time.Millisecond
	begin := time.Now()
	if err := b.Defocus(within(t)); signal.CodeOf(err) != signal.CodeTimeout || time.Since(begin) < b.Terminals.patience {
		t.Errorf("a window that hangs: %v after %v", err, time.Since(begin))
	}
	close(slow)
}

func TestOffer(t *testing.T) {
	b := newBench(t, Config{})
	b.open(signal.TermNew{})
	text := b.look(signal.WindowParams{}, signal.WindowHandler{})
	text.watch("t1")
	text.Input("t1", []byte("wo\t")) // one write: the prompt takes it as text
	text.sees("t1", "wo")
	text.Input("t1", []byte("\t"))
	text.sees("t1", "nobody")
	v := b.look(signal.WindowParams{Desktop: true}, signal.WindowHandler{})
	v.watch("t1")
	v.sees("t1", "nobody")
	v.Key(signal.TermKey{ID: "t1", Key: uint8(term.Tab)})
	o := v.heard(signal.MethodTermOffer).Offer
	if len(o.Items) != 2 || o.Items[1].Help != "2" || o.At.Line != 1 {
		t.Errorf("offered %+v", o)
	}
	v.Take("t1", "two")
	v.sees("t1", "<two>")
}
