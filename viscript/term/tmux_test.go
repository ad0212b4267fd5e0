package term

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/*.golden from what tmux shows")

// A screenshot is what a terminal shows after the first bytes of a recording.
type screenshot struct {
	offset int
	text   string // what shows it: text, line ends and SGR sequences, line drawing in G1
}

const (
	goldCols = 80
	goldRows = 24
)

// recordings are testdata/*.raw, each with the offsets at which the screen is looked at.
func recordings(t *testing.T) map[string][]int {
	files, err := filepath.Glob("testdata/*.raw")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d recordings found, %v", len(files), err)
	}
	all := map[string][]int{}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".raw")
		for _, s := range strings.Fields(string(readFile(t, strings.TrimSuffix(f, ".raw")+".marks"))) {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = append(all[name], n)
		}
	}
	return all
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGolden compares the recordings with what tmux 3.3a showed for the same bytes.
func TestGolden(t *testing.T) {
	for name, marks := range recordings(t) {
		raw := readFile(t, "testdata/"+name+".raw")
		shots := parseGolden(t, readFile(t, "testdata/"+name+".golden"))
		if len(shots) != len(marks) {
			t.Fatalf("%s: %d screens, %d marks", name, len(shots), len(marks))
		}
		for _, s := range shots {
			compareShot(t, name, raw, s)
		}
	}
}

// TestTmux compares the recordings with tmux 3.3a where that is installed.
func TestTmux(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed")
	}
	if v, err := exec.Command("tmux", "-V").Output(); err != nil || strings.TrimSpace(string(v)) != "tmux 3.3a" {
		t.Skipf("it is %s, whose faults may be others: see notLikeTmux", v)
	}
	for name, marks := range recordings(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testTmux(t, name, marks)
		})
	}
}

func testTmux(t *testing.T, name string, marks []int) {
	raw := readFile(t, "testdata/"+name+".raw")
	shots := tmuxShots(t, raw, marks)
	for i, s := range shots {
		if notLikeTmux[fmt.Sprint(name, " ", s.offset)] != "" {
			shots[i] = ownShot(raw, s.offset)
		}
	}
	if *update {
		if err := os.WriteFile("testdata/"+name+".golden", formatGolden(shots), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range shots {
		compareShot(t, name, raw, s)
	}
}

func formatGolden(shots []screenshot) []byte {
	var b bytes.Buffer
	for _, s := range shots {
		fmt.Fprintf(&b, "== %d\n%s\n", s.offset, strings.ReplaceAll(s.text, "\r\n", "\n"))
	}
	return b.Bytes()
}

func parseGolden(t *testing.T, p []byte) []screenshot {
	var shots []screenshot
	for _, part := range strings.Split("\n"+string(p), "\n== ")[1:] {
		head, body, _ := strings.Cut(part, "\n")
		n, err := strconv.Atoi(head)
		if err != nil {
			t.Fatal(err)
		}
		body = strings.TrimSuffix(body, "\n")
		shots = append(shots, screenshot{n, strings.ReplaceAll(body, "\n", "\r\n")})
	}
	return shots
}

// tmuxShots shows the beginnings of raw in a tmux of its own, a window each.
func tmuxShots(t *testing.T, raw []byte, marks []int) []screenshot {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	tmux := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "tmux", append([]string{"-u", "-S", socket, "-f", "/dev/null"}, args...)...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TMUX=", "TERM=xterm-256color")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %s: %v: %s", args[0], err, out)
		}
		return string(out)
	}
	tmux("new-session", "-d", "-x", strconv.Itoa(goldCols), "-y", strconv.Itoa(goldRows), "sleep 600", ";",
		"set-option", "-g", "status", "off", ";", "set-option", "-g", "escape-time", "0", ";",
		"resize-window", "-x", strconv.Itoa(goldCols), "-y", strconv.Itoa(goldRows))
	defer exec.Command("tmux", "-S", socket, "kill-server").Run()
	var shots []screenshot
	for i, n := range marks {
		file := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(file, raw[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		// the size is checked before; the marker file says that all was written
		target := strings.TrimSpace(tmux("new-window", "-d", "-P", "-F", "#{window_id}",
			fmt.Sprintf("stty raw -echo; cat '%s'; : >'%s.done'; sleep 600", file, file)))
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if _, err := os.Stat(file + ".done"); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("tmux did not read the recording")
			}
		}
		shown := ""
		for same := 0; same < 3; time.Sleep(30 * time.Millisecond) { // it shows what it has read
			if text := tmux("capture-pane", "-p", "-e", "-N", "-t", target); text == shown {
				same++
			} else {
				shown, same = text, 0
			}
		}
		shown = strings.ReplaceAll(strings.TrimSuffix(shown, "\n"), "\n", "\r\n")
		shots = append(shots, screenshot{n, "\x1b)0" + shown})
		tmux("kill-window", "-t", target)
	}
	return shots
}

// notLikeTmux are the screens on which tmux 3.3a is wrong, or knows less: their golden is what this
// package shows, compared by hand with what vttest says should be seen.
var notLikeTmux = map[string]string{
	"vttest1 14002": "a backspace after the last column was written: tmux goes to the last one, a VT100 to the one before",
	"vttest2 17853": "DECSTBM in origin mode: tmux goes to the first line of the screen, not of the region",
	"vttest3 3272":  "tmux knows no British character set",
	"vttest3 4509":  "the same",
	"vttest3 7182":  "the same; and bytes that are no UTF-8 are dropped by tmux",
}

// compareShot compares text, and colours and attributes as far as tmux knows them.
func compareShot(t *testing.T, name string, raw []byte, s screenshot) {
	t.Helper()
	var got, want Snapshot
	showing(raw[:s.offset]).Snapshot(&got)
	showing([]byte(s.text)).Snapshot(&want)
	for y := range got.Lines {
		where := fmt.Sprintf("%s at %d, line %d", name, s.offset, y)
		if g, w := trimmed(&got.Lines[y]), trimmed(&want.Lines[y]); g != w {
			t.Errorf("%s:\n got %q\nwant %q", where, g, w)
		} else {
			compareStyles(t, where, &got.Lines[y], &want.Lines[y])
		}
	}
}

func showing(p []byte) *Terminal {
	t := New(goldCols, goldRows, Config{})
	t.Write(p)
	return t
}

func trimmed(r *Row) string { return strings.TrimRight(r.String(), " ") }

// ownShot is what this package shows, in the form of tmuxShots.
func ownShot(raw []byte, offset int) screenshot {
	var s Snapshot
	showing(raw[:offset]).Snapshot(&s)
	return screenshot{offset, string(s.Append(nil, false))}
}

func compareStyles(t *testing.T, where string, got, want *Row) {
	t.Helper()
	for x := range got.Cells {
		g, w := got.Cells[x], want.Cells[x]
		g.bg, w.bg = g.bg&^overlineBit, w.bg&^overlineBit // tmux 3.3a tells 5:3 for 53
		if g.Width() == 0 || w == (Cell{}) && strings.TrimSpace(got.Text(x)) == "" {
			continue // of the blanks at the end it tells nothing
		}
		if !g.SameStyle(w) {
			t.Errorf("%s, column %d: %q has %v %v %x %d, in tmux %v %v %x %d", where, x, got.Text(x), g.Foreground(), g.Background(),
				g.Attr(), g.Underline(), w.Foreground(), w.Background(), w.Attr(), w.Underline())
			return
		}
	}
}
