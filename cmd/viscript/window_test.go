//go:build linux

package main

import (
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/gl"
)

// trackerConfig has one app, which the shipped roles give.
func trackerConfig(t *testing.T) map[string]any {
	return map[string]any{"apps": map[string]any{"apptracker": map[string]any{
		"path": "./meshnet-run-apptracker", "desc": "the app tracker", "default_args": []string{"127.0.0.1:" + freePorts(t, 1)[0]},
	}}}
}

func (s *stage) linkRoles() {
	if err := os.Symlink(s.path("viscript"), s.path("meshnet-run-apptracker")); err != nil {
		s.t.Fatal(err)
	}
}

// TestWindow is a person at the window, with keys, mouse and eyes.
func TestWindow(t *testing.T) {
	if testing.Short() {
		t.Skip("a display and a window take a while")
	}
	s := newStage(t, trackerConfig(t))
	s.linkRoles()
	s.open()
	for _, part := range []struct {
		name string
		test func(*stage)
	}{
		{"Types", typesCommands},
		{"Moves", movesTerminals},
		{"Resizes", resizesTerminals},
		{"Starts", startsFromTheMenu},
		{"Closes", closesTerminals},
		{"Copies", copiesText},
		{"Keys", keysReachPrograms},
		{"Panels", panelsAreFed},
		{"Hostile", hostileSequencesDoNothing},
		{"Sizes", sizesOfAllKinds},
		{"Company", twoWindowsAndAText},
		{"Crowd", fiftyTerminals},
	} {
		outer := s.t
		ok := t.Run(part.name, func(t *testing.T) {
			s.t = t
			defer func() { s.t = outer }()
			part.test(s)
		})
		if !ok {
			s.shot("failed-" + part.name)
			return // what comes after would only repeat it
		}
	}
	s.quit()
	s.settle("the window ends with its daemon", func() error {
		if left := s.windows(); len(left) > 0 {
			return fmt.Errorf("windows %v are left", left)
		}
		return nil
	})
}

func typesCommands(s *stage) {
	before := s.shot("desktop")
	l := s.term("t1", "has the focus", func(l signal.WindowTerm) bool { return l.Focused })
	s.says("t1", "viscript>")
	port := freePorts(s.t, 1)[0]
	s.types("s apptracker 127.0.0.1:"+port, "Return")
	s.says("t1", "Added external app (ID: 1, Command: ")
	s.settle("the app is ready", func() error {
		apps, err := s.List(s.t.Context())
		if err == nil && (len(apps) != 1 || apps[0].State != signal.Ready || !strings.HasSuffix(apps[0].Command, ":"+port)) {
			err = fmt.Errorf("%+v", apps)
		}
		return err
	})
	s.settle("the text is on the screen", func() error {
		if d := differ(before, s.shot(""), region(l)); d < 0.01 {
			return fmt.Errorf("%.4f of the terminal looks different", d)
		}
		return nil
	})
	s.shot("typed")
	s.types("nt sh -c 'echo opened; exec cat'", "Return")
	s.term("t2", "has the keyboard, since it was opened here", func(l signal.WindowTerm) bool { return l.Focused })
	s.types("echo", "Return", "ctrl+d")
	s.term("t1", "has it again", func(l signal.WindowTerm) bool { return l.Focused })
}

func movesTerminals(s *stage) {
	l := s.here("t1")
	before := s.shot("")
	s.drag(l.Left+60, l.Top+8, 83, 50)
	moved := s.term("t1", "was dragged", func(n signal.WindowTerm) bool { return n.X > l.X+7 && n.Y > l.Y })
	if int(moved.Left)%8 != 0 {
		s.t.Errorf("it is not on the grid: %+v", moved)
	}
	s.settle("it is elsewhere on the screen", func() error {
		if d := differ(before, s.shot(""), region(l)); d < 0.05 {
			return fmt.Errorf("%.3f looks different", d)
		}
		return nil
	})
	s.drag(moved.Left+100, moved.Top+100, -33, -21, "alt")
	s.term("t1", "was dragged by its body, by pixels", func(n signal.WindowTerm) bool { return n.Left == moved.Left-33 && n.Top == moved.Top-21 })
	if _, errs, code := s.exec("move_term", "4", "2"); code != exitOK {
		s.t.Fatal(errs)
	}
	s.term("t1", "was moved by a command", func(n signal.WindowTerm) bool { return n.X == 4 && n.Y == 2 })
}

func resizesTerminals(s *stage) {
	l := s.here("t1")
	s.drag(l.Left+l.Width-1, l.Top+l.Height/2, -80, 0)
	l = s.term("t1", "is narrower by its edge", func(n signal.WindowTerm) bool { return n.Cols == l.Cols-10 && n.Rows == l.Rows })
	s.drag(l.Left+l.Width/2, l.Top+l.Height-1, 0, 48)
	l = s.term("t1", "is taller by its edge", func(n signal.WindowTerm) bool { return n.Rows == l.Rows+3 && n.Cols == l.Cols })
	s.drag(l.Left+l.Width-1, l.Top+l.Height-1, 40, -32)
	l = s.term("t1", "has another size by its corner", func(n signal.WindowTerm) bool { return n.Cols == l.Cols+5 && n.Rows == l.Rows-2 })
	s.drag(l.Left+l.Width-1, l.Top+l.Height-1, -2000, -2000)
	s.term("t1", "is as small as can be", func(n signal.WindowTerm) bool { return n.Cols == 16 && n.Rows == 4 })
	small := s.here("t1")
	s.drag(small.Left+small.Width-1, small.Top+small.Height-1, 64*8, 20*16)
	s.term("t1", "is large again", func(n signal.WindowTerm) bool { return n.Cols == 80 && n.Rows == 24 })
	s.says("t1", "Added external app (ID: 1, Command: ") // wrapped and joined again
}

func startsFromTheMenu(s *stage) {
	apps := []desktop.App{{Name: "apptracker"}}
	x, y := s.menuPlace(desktop.OnStart, 0, apps)
	plain := s.shot("")
	s.click(x, y)
	menu := image.Rect(0, windowHeight-200, 200, windowHeight-40)
	s.settle("the menu is open", func() error {
		if d := differ(plain, s.shot("menu"), menu); d < 0.02 {
			return fmt.Errorf("%.3f looks different", d)
		}
		return nil
	})
	x, y = s.menuPlace(desktop.OnMenuItem, 0, apps)
	s.click(x, y)
	s.says("t1", "start apptracker")
	s.settle("the app was started", func() error {
		apps, err := s.List(s.t.Context())
		if err == nil && (len(apps) != 2 || apps[1].State != signal.Ready) {
			err = fmt.Errorf("%+v", apps)
		}
		return err
	})
	s.settle("the menu is closed", func() error {
		if d := differ(plain, s.shot(""), menu); d > 0.02 {
			return fmt.Errorf("%.3f looks different", d)
		}
		return nil
	})
}

func closesTerminals(s *stage) {
	s.types("", "ctrl+shift+t")
	s.shown(2)
	l := s.term("t3", "has the focus", func(l signal.WindowTerm) bool { return l.Focused })
	x, y := place(l.Left+l.Width-10, l.Top+10)
	s.click(x, y)
	s.settle("it is closed", func() error {
		list, err := s.lt()
		if err == nil && len(list) != 1 {
			err = fmt.Errorf("%+v", list)
		}
		return err
	})
	_, errs, code := s.exec("close_term", "t1")
	if code == exitOK || !strings.Contains(errs, "last") {
		s.t.Errorf("closing the last one: %d %s", code, errs)
	}
}

// selected is what X clients get for a selection.
func (s *stage) selected(which string) string {
	out, _ := s.x("xclip", "-o", "-selection", which).Output() // it fails while there is none
	return string(out)
}

func copiesText(s *stage) {
	id := s.newTerm("sh", "-c", "printf 'one lighthouse here\\r\\nhttps://example.org/a?b=c rest\\r\\n'; exec cat")
	s.says(id, "lighthouse")
	s.focus(id)
	l := s.here(id)
	x, y := cellAt(l, 6, 0)
	s.settle("the primary selection is the word that was clicked twice", func() error {
		s.click(x, y, "1", "1") // two clicks, where they come late
		var got string
		for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if got = s.selected("primary"); got == "lighthouse" {
				return nil
			}
		}
		return fmt.Errorf("it is %q", got)
	})
	s.term(id, "has a selection", func(l signal.WindowTerm) bool { return l.Selected })
	s.shot("selected")
	s.types("", "ctrl+shift+c")
	s.settle("the clipboard is the word", func() error {
		if got := s.selected("clipboard"); got != "lighthouse" {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	s.types("<", "ctrl+shift+v")
	s.types(">", "Return") // keys wait for what is pasted before them
	s.says(id, "<lighthouse>")
	const outside = "from outside\x1b[201~ end\x03"
	paste := s.x("xclip", "-i", "-selection", "primary")
	paste.Stdin = strings.NewReader(outside)
	if err := paste.Run(); err != nil {
		s.t.Fatal(err)
	}
	s.settle("the primary selection is another's", func() error { // it goes on in the background
		if got := s.selected("primary"); got != outside {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	s.click(x, y, "2")
	s.says(id, "from outside[201~ end")
	if _, errs, code := s.exec("close_term", id); code != exitOK {
		s.t.Fatal(errs)
	}
}

func keysReachPrograms(s *stage) {
	id := s.newTerm("sh", "-c", `trap 'echo got INT' INT; stty -echo; echo begun; while :; do sleep 0.05; done`)
	s.says(id, "begun")
	s.focus(id)
	s.types("", "ctrl+c")
	s.says(id, "got INT")
	raw := s.newTerm("sh", "-c", `stty raw -echo; echo begun; exec cat -v`)
	s.says(raw, "begun")
	s.focus(raw)
	s.types("", "Escape", "ctrl+a", "ctrl+Left", "alt+x", "F5", "Up", "shift+Tab")
	s.says(raw, "^[^A^[[1;5D^[x^[[15~^[[A^[[Z")
	if len(s.windows()) != 1 {
		s.t.Error("Escape has closed the window")
	}
	for _, id := range []string{id, raw} {
		if _, errs, code := s.exec("close_term", id); code != exitOK {
			s.t.Fatal(errs)
		}
	}
}

// panelsAreFed opens every panel; what they show is looked at by people in the pictures.
func panelsAreFed(s *stage) {
	s.focus("t1")
	s.types("", "Return") // the cursor is where it was at first
	base := s.shot("")
	for _, p := range []struct{ key, name string }{
		{"ctrl+shift+p", "processes"}, {"ctrl+shift+m", "mesh"}, {"ctrl+shift+l", "logs"}, {"ctrl+shift+k", "keys"},
	} {
		s.types("", p.key)
		s.settle("there is a panel: "+p.name, func() error {
			if d := differ(base, s.shot(""), base.Rect); d < 0.05 {
				return fmt.Errorf("%.3f looks different", d)
			}
			return nil
		})
		time.Sleep(1500 * time.Millisecond) // for the picture: a sample or two
		s.shot("panel-" + p.name)
		s.types("", "ctrl+shift+w")
		s.settle("it is closed: "+p.name, func() error {
			if d := differ(base, s.shot(""), base.Rect); d > 0.02 {
				return fmt.Errorf("%.3f looks different", d)
			}
			return nil
		})
	}
	s.focus("t1")
}

func hostileSequencesDoNothing(s *stage) {
	before := s.selected("clipboard")
	attack := strings.Join([]string{
		`\033]0;$(reboot)\007\033[21t`, // a title, and a report of it
		`\033]52;c;aG9zdGlsZQ==\007`,   // writes the clipboard
		`\033]52;c;?\007`,              // reads it
		`\033]8;;file:///etc/passwd\007x\033]8;;\007`,
		`\033P+q544e\033\\`, `\033[>0q`, // asks for names
		`\033]50;?\007`, `\033[8;1;1t`, `\033[3;0;0t`, `\033[2t`, // sizes, moves and hides the window
		`\033[?1003h\033[?1049h\033[999999999;999999999H\033[2147483647b`,
		`\377\376\300\200\355\240\200`, // no UTF-8
	}, "")
	id := s.newTerm("sh", "-c", `stty raw -echo; printf '`+attack+`'; sleep 1; printf '\033[?1049l\033[?1003l\033]2;calm\007done\r\n'; exec cat -v`)
	s.says(id, "done")
	s.focus(id)
	l := s.here(id)
	if l.Cols != 80 || l.Rows != 24 {
		s.t.Errorf("it has another size: %+v", l)
	}
	if got := s.selected("clipboard"); got != before {
		s.t.Errorf("the clipboard is %q", got)
	}
	s.types("mark")
	s.says(id, "mark")
	text, err := s.text(id)
	if err != nil || strings.Contains(text, "reboot") || strings.Contains(text, "aG9z") || strings.Contains(text, "hostile") {
		s.t.Errorf("something was typed at the program: %q, %v", text, err)
	}
	s.shot("hostile")
	// strings without an end, and a flood of bytes that mean nothing
	flood := s.newTerm("sh", "-c", `printf '\033]0;'; head -c 3000000 /dev/urandom; printf '\033\\\033c'; printf '\033]2;%0100000d\007' 7; echo over; exec cat`)
	s.says(flood, "over")
	for _, id := range []string{id, flood} {
		if _, errs, code := s.exec("close_term", id); code != exitOK {
			s.t.Fatal(errs)
		}
	}
}

// sizesOfAllKinds gives a terminal sizes that no hand would.
func sizesOfAllKinds(s *stage) {
	id := s.newTerm("sh", "-c", "seq 1 400; exec cat")
	s.says(id, "400")
	for _, size := range [][2]int{{1, 1}, {500, 200}, {2, 100}, {500, 1}, {80, 24}} {
		s.eyes.Resize(id, size[0], size[1])
		s.term(id, fmt.Sprint("is ", size), func(l signal.WindowTerm) bool { return l.Cols == size[0] && l.Rows == size[1] })
		s.shot(fmt.Sprintf("size-%dx%d", size[0], size[1]))
	}
	s.says(id, "\n400")
	if len(s.windows()) != 1 {
		s.t.Fatal("the window has gone")
	}
	if _, errs, code := s.exec("close_term", id); code != exitOK {
		s.t.Fatal(errs)
	}
}

// twoWindowsAndAText shows one terminal in two windows and in a terminal.
func twoWindowsAndAText(s *stage) {
	before := s.viewers("t1")
	second := s.x(s.path("viscript"), "gui", "--state", s.state, "--theme", "light")
	second.Dir = s.dir
	second.Stdout, second.Stderr = s.out, s.out
	if err := second.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		_ = second.Process.Signal(syscall.SIGTERM)
		if err := second.Wait(); err != nil {
			s.t.Errorf("the second window ended with %v", err)
		}
	}()
	text := sit(s.t, "attach", "--state", s.state, "t1")
	text.sees("viscript>")
	s.settle("two windows are open", func() error {
		if n := len(s.windows()); n != 2 {
			return fmt.Errorf("%d are", n)
		}
		if n := s.viewers("t1"); n != before+2 { // a process may have begun and not be a window yet
			return fmt.Errorf("%d show the terminal, there were %d", n, before)
		}
		return nil
	})
	text.types("version\r")
	s.says("t1", "viscript "+release)
	text.sees("viscript " + release)
	s.shot("two-windows")
}

func fiftyTerminals(s *stage) {
	for range 49 {
		s.newTerm()
	}
	s.shown(50)
	s.shot("fifty")
	s.focus("t1")
	s.types("", "Return")
	s.types("hosts", "Return")
	s.says("t1", "local")
}

// TestDisplayLost takes the display away again and again.
func TestDisplayLost(t *testing.T) {
	if testing.Short() {
		t.Skip("a display and a window take a while")
	}
	config := trackerConfig(t)
	config["apps"].(map[string]any)["sleeps"] = script("sleeps", "exec sleep 1000", nil)
	s := newStage(t, config)
	s.linkRoles()
	s.open()
	if _, errs, code := s.exec("start", "sleeps"); code != exitOK {
		t.Fatal(errs)
	}
	id := s.newTerm("sh", "-c", `for i in 1 2 3; do echo line $i; done; exec cat`)
	s.says(id, "line 3")
	apps, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for round := range displayRounds {
		s.killDisplay()
		s.settle("the window has ended", func() error {
			if left := s.windows(); len(left) > 0 {
				return fmt.Errorf("%v", left)
			}
			return nil
		})
		s.startDisplay()
		window := s.x(s.path("viscript"), "gui", "--state", s.state)
		window.Dir, window.Stdout, window.Stderr = s.dir, s.out, s.out
		if err := window.Start(); err != nil {
			t.Fatal(err)
		}
		s.shown(2)
		s.focus(id)
		word := fmt.Sprintf("round%d", round)
		s.types(word, "Return")
		s.says(id, word+"\n"+word)
		t.Cleanup(func() { _ = window.Process.Kill(); _ = window.Wait() })
	}
	text, err := s.text(id)
	if err != nil || !strings.HasPrefix(text, "line 1\nline 2\nline 3\nround0\n") {
		t.Errorf("%q, %v", text, err)
	}
	now, err := s.List(t.Context())
	if err != nil || len(now) != 1 || now[0].Pid != apps[0].Pid {
		t.Errorf("%+v were %+v, %v", now, apps, err)
	}
	if _, _, code := s.exec("shutdown", "sleeps"); code != exitOK {
		t.Error("the app does not end")
	}
	s.quit()
}

// TestWindowOutlivesDaemon kills the daemon, which its window tells of until there is another one, and tells what crashes. The
// window ends with whichever daemon ends in order; one that a person opened does not.
func TestWindowOutlivesDaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("a display and a window take a while")
	}
	s := newStage(t, map[string]any{"apps": map[string]any{"breaks": script("breaks", "sleep 1; exit 7", nil)}})
	s.open()
	windows := s.windows()
	calm := s.shot("")
	notices := image.Rect(windowWidth-380, 0, windowWidth, 120)
	if _, errs, code := s.exec("start", "breaks"); code != exitOK {
		t.Fatal(errs)
	}
	s.settle("the window tells of the crash", func() error {
		if d := differ(calm, s.shot("notice"), notices); d < 0.05 {
			return fmt.Errorf("%.3f looks different", d)
		}
		return nil
	})
	s.click(strconv.Itoa(windowWidth-200), "30") // to its page
	s.settle("its page is open", func() error {
		if d := differ(calm, s.shot("page"), image.Rect(100, 100, 700, 400)); d < 0.02 {
			return fmt.Errorf("%.3f looks different", d)
		}
		return nil
	})
	s.types("", "ctrl+shift+w")
	if _, errs, code := try(s.product("reexec", "--state", s.state)); code != exitOK {
		t.Fatal(errs)
	}
	s.settle("the daemon is another one", func() error {
		if _, ok := <-s.eyes.Done(); ok {
			return errors.New("it is not")
		}
		return nil
	})
	s.shown(1)
	s.crash()
	s.settle("the window says that the daemon has gone", func() error {
		if d := differ(calm, s.shot("gone"), notices); d < 0.05 {
			return fmt.Errorf("%.3f looks different", d)
		}
		return nil
	})
	s.open()
	s.settle("the window does not say so any more", func() error {
		if d := differ(calm, s.shot("back"), notices); d > 0.01 {
			return fmt.Errorf("%.3f looks different", d)
		}
		return nil
	})
	s.focus("t1")
	s.types("hosts", "Return")
	s.says("t1", "local")
	if now := s.windows(); len(now) != 1 || now[0] != windows[0] {
		t.Errorf("windows %v, there was %v", now, windows)
	}
	s.crash()
	s.launch() // without a display
	own := s.x(s.path("viscript"), "gui", "--state", s.state)
	own.Dir, own.Stdout, own.Stderr = s.dir, s.out, s.out
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = own.Process.Kill(); _ = own.Wait() }()
	s.shown(1)
	s.quit()
	s.settle("of the windows the one is left that a person opened", func() error {
		if left := s.windows(); len(left) != 1 || left[0] != own.Process.Pid {
			return fmt.Errorf("there are %v, want %d", left, own.Process.Pid)
		}
		return nil
	})
}

// TestNoDisplay starts the daemon where there is a DISPLAY but nothing behind it.
func TestNoDisplay(t *testing.T) {
	s := newSite(t, map[string]any{"apps": map[string]any{}})
	s.daemon = s.product("--state", s.state, "--config", "config.yaml", "--signal", "none")
	s.daemon.Env = append(s.daemon.Env, "DISPLAY=:54321")
	s.daemon.Stdout, s.daemon.Stderr = s.out, s.out
	if err := s.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	s.settle("the daemon says that there is no window", func() error {
		if said := s.said(); !strings.Contains(said, "no window: ") {
			return fmt.Errorf("it says %q", said)
		}
		return nil
	})
	if _, errs, code := s.exec("hosts"); code != exitOK {
		t.Error("it does not serve: ", errs)
	}
	cmd := s.product("gui", "--state", s.state)
	cmd.Env = append(cmd.Env, "DISPLAY=")
	if _, errs, code := try(cmd); code != exitFailed || !strings.Contains(errs, "window") {
		t.Errorf("gui: %d %q", code, errs)
	}
	if _, errs, code := try(s.product("gui", "--state", s.state, "--theme", "pink")); code != exitUsage || !strings.Contains(errs, "light") {
		t.Errorf("gui --theme pink: %d %q", code, errs)
	}
	if _, _, code := try(s.product("gui", "--state", filepath.Join(s.dir, "none"))); code != exitNoDaemon && gl.Built {
		t.Errorf("gui without a daemon: %d", code)
	}
	s.quit()
}
