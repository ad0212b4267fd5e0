//go:build linux

package terminals

import (
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// use opens a program of the list in .ci/tools.
func (b *bench) use(v *viewer, args ...string) (id string) {
	b.Helper()
	if _, err := exec.LookPath(args[0]); err != nil {
		b.Fatalf("%v: `make tools` installs it", err)
	}
	id = b.open(signal.TermNew{Args: args, Dir: b.TempDir(), Cols: 90, Rows: 30})
	v.until(id, func() bool { _, there := v.terms[id]; return there })
	v.watch(id)
	return id
}

func (v *viewer) gone(id string) {
	v.Helper()
	v.until("the end of "+id, func() bool { _, there := v.terms[id]; return !there })
}

// fresh is the environment of a user who has set up nothing, where text is UTF-8.
func fresh(t *testing.T) []string {
	home := t.TempDir()
	return []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "LC_ALL=C.UTF-8", "LESS=", "HTOPRC=", "EXINIT=", "VIMINIT="}
}

func TestVim(t *testing.T) {
	b := newBench(t, Config{Env: fresh(t)})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	dir := t.TempDir()
	file := filepath.Join(dir, "text")
	id := b.use(v, "vim", "--clean", "-n", file)
	v.until("the alternate screen", func() bool { return v.terms[id].Alt })
	v.sees(id, "[New]")
	v.Char(id, 'i')
	v.sees(id, "-- INSERT --")
	for _, r := range "héllo 世界" {
		v.Char(id, r)
	}
	v.Key(signal.TermKey{ID: id, Key: uint8(term.Enter)})
	v.Paste(id, "pasted\ntext")
	v.sees(id, "héllo 世界\npasted\ntext")
	v.Resize(id, 60, 20)
	v.until("the new size", func() bool { return v.shots[id].Rows == 20 })
	v.Key(signal.TermKey{ID: id, Key: uint8(term.Escape)})
	v.Input(id, []byte(":wq\r"))
	v.gone(id)
	if got, err := os.ReadFile(file); err != nil || string(got) != "héllo 世界\npasted\ntext\n" {
		t.Errorf("the file is %q, %v", got, err)
	}
}

func TestLess(t *testing.T) {
	b := newBench(t, Config{Env: fresh(t)})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(strings.Repeat("line\n", 500)+"the needle\n"+strings.Repeat("after\n", 50)), 0o600); err != nil {
		t.Fatal(err)
	}
	id := b.use(v, "less", file)
	v.sees(id, "line\nline")
	v.Input(id, []byte("/needle\r"))
	v.sees(id, "the needle\nafter")
	v.Key(signal.TermKey{ID: id, Key: uint8(term.PageUp)})
	v.until("a page up", func() bool { return !strings.Contains(text(v.shots[id]), "needle") })
	v.Char(id, 'q')
	v.gone(id)
}

func TestHtopAndMc(t *testing.T) {
	b := newBench(t, Config{Env: fresh(t)})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	htop, mc := b.use(v, "htop"), b.use(v, "mc", "-d", "-u")
	v.sees(htop, "PID")
	v.sees(htop, "F10Quit")
	v.sees(mc, "10Quit")
	v.until("the mouse", func() bool { return v.terms[htop].Mouse != signal.TermMouseOff })
	v.Resize(htop, 120, 40)
	v.Resize(mc, 100, 25)
	v.until("the new sizes", func() bool { return v.shots[htop].Cols == 120 && v.shots[mc].Cols == 100 })
	v.sees(htop, "F10Quit")
	v.sees(mc, "10Quit")
	v.Key(signal.TermKey{ID: htop, Key: uint8(term.F10)})
	v.gone(htop)
	v.Key(signal.TermKey{ID: mc, Key: uint8(term.F10)})
	v.gone(mc)
}

func TestShell(t *testing.T) {
	b := newBench(t, Config{Env: []string{"PS1=sh> ", "ENV="}})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	t.Setenv("SHELL", "/bin/sh")
	ours := make(chan os.Signal, 1) // as the daemon does: what a shell starts with & ignores Ctrl-C, and so would the programs here
	ossignal.Notify(ours, os.Interrupt)
	defer ossignal.Stop(ours)
	id := b.open(signal.TermNew{Shell: true})
	v.until(id, func() bool { return len(v.terms) == 1 })
	v.watch(id)
	v.sees(id, "sh>")
	v.Input(id, []byte("echo $TERM $VISCRIPT_TERM $((6*7))\r"))
	v.sees(id, "xterm-256color "+id+" 42")
	v.Input(id, []byte("sh -c 'echo begun $((3+4)); exec sleep 600'\r"))
	v.sees(id, "begun 7")                                                                        // by who has the terminal now
	v.Key(signal.TermKey{ID: id, Key: uint8(term.Character), Rune: 'c', Mods: uint8(term.Ctrl)}) // it reaches the program
	v.sees(id, "^C\n")
	v.until("its prompt", func() bool { return strings.HasSuffix(text(v.shots[id]), "sh>") })
	v.Input(id, []byte("echo back; exit 3\r"))
	v.gone(id) // a shell's last exit code is no failure of its own
}
