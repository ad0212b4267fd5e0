//go:build linux

package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

func openTestLog(t *testing.T, path string, size uint64, count int) *logFile {
	t.Helper()
	l, err := openLogFile(path, signal.LogCaps{Size: size, Count: count})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l
}

func readLog(t *testing.T, path string) string {
	t.Helper()
	var all []byte
	for _, f := range LogFiles(path) {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return string(all)
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openTestLog(t, path, 1000, 3)
	var want bytes.Buffer
	for i := range 200 {
		var p bytes.Buffer
		for j := range i%7 + 1 {
			fmt.Fprintf(&p, "%d.%d %s\n", i, j, strings.Repeat("x", i%50))
		}
		want.Write(p.Bytes())
		if lost := l.write(p.Bytes()); lost != 0 {
			t.Fatalf("%d bytes lost", lost)
		}
	}
	files := LogFiles(path)
	if len(files) != 3 || files[0] != path+".2" || files[2] != path {
		t.Errorf("files %v", files)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || len(text) > 1000 || len(text) == 0 || text[len(text)-1] != '\n' {
			t.Errorf("%s: %d bytes, %v, or a line cut", f, len(text), err)
		}
	}
	if got := readLog(t, path); !strings.HasSuffix(want.String(), got) || len(got) < 2000 {
		t.Errorf("%d bytes are not the end of what was written", len(got))
	}
	// One file only, and fewer than before.
	l = openTestLog(t, path, 1000, 1)
	for range 100 {
		l.write([]byte(strings.Repeat("y", 99) + "\n"))
	}
	if files := LogFiles(path); len(files) != 1 || files[0] != path {
		t.Errorf("files %v", files)
	}
}

func TestLongLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openTestLog(t, path, 1000, 5)
	long := strings.Repeat("l", 5000) + "\n"
	text := "before\n" + long + "after\n"
	l.write([]byte(text))
	if got := readLog(t, path); got != text {
		t.Errorf("%d bytes, want %d", len(got), len(text))
	}
	endless := bytes.Repeat([]byte("e"), 3*lineSlack)
	for range 4 {
		l.write(endless)
	}
	for _, f := range LogFiles(path) {
		if info, err := os.Stat(f); err != nil || info.Size() > 1000+2*lineSlack {
			t.Errorf("%s: %v, %v", f, info.Size(), err)
		}
	}
}

func TestLogGoesOnBelow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	os.WriteFile(path, []byte("cut short"), 0o600)
	l := openTestLog(t, path, 1000, 2)
	l.write([]byte("next\n"))
	if got := readLog(t, path); got != "cut short\nnext\n" {
		t.Errorf("got %q", got)
	}
}

// The log or its folder is taken away: it is made again, and nobody waits.
func TestLogTakenAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	os.Mkdir(dir, 0o700)
	path := filepath.Join(dir, "log")
	l := openTestLog(t, path, 1000, 2)
	l.write([]byte("one\n"))
	for _, act := range []func(){
		func() { os.RemoveAll(dir) },
		func() { os.Rename(path, path+".away") },
	} {
		act()
		l.looked = time.Time{} // a second later
		l.write([]byte("two\n"))
		if got, err := os.ReadFile(path); err != nil || string(got) != "two\n" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// A folder that cannot be written, or a full disk: bytes are counted, and a line tells of
// them when it works again.
func TestLogFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openTestLog(t, path, 1000, 2)
	l.write([]byte("one\n"))
	l.looked = time.Now().Add(time.Hour) // no second passes here, however slow the machine is
	l.file.Close()
	if lost := l.write([]byte("gone\n")); lost != 5 {
		t.Errorf("%d lost", lost)
	}
	l.failed = time.Now().Add(time.Hour)
	if lost := l.write([]byte("gone too\n")); lost != 9 {
		t.Errorf("%d lost", lost)
	}
	l.failed = time.Time{} // a second later
	if lost := l.write([]byte("back\n")); lost != 0 {
		t.Errorf("%d lost", lost)
	}
	l.miss(7)
	l.write([]byte("end\n"))
	got := readLog(t, path)
	if !strings.HasPrefix(got, "one\n[viscript: 14 bytes of output are missing here: ") ||
		!strings.HasSuffix(got, "]\nback\n[viscript: 7 bytes of output are missing here: the log was too slow]\nend\n") {
		t.Errorf("got %q", got)
	}
}

// An app that prints more than the disk holds goes on to its end; what is there are whole lines.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting takes root")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no tmpfs: %s", out)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := shell(t, "seq 1000000; echo end")
	s.Log = filepath.Join(dir, "log")
	p := start(t, s)
	if e := wait(t, p); e.Code != 0 {
		t.Errorf("exit %+v", e)
	}
	<-p.gone
	text := readLog(t, s.Log)
	n, last, gap := 0, 0, false
	for line := range strings.Lines(text) {
		n++
		if strings.HasPrefix(line, "[viscript: ") {
			gap = true
			continue
		}
		was := last
		if _, err := fmt.Sscan(line, &last); err != nil || line != fmt.Sprintf("%d\n", last) || last <= was || last != was+1 && !gap {
			t.Fatalf("line %d is %q, after %d", n, line, was)
		}
		gap = false
	}
	if n < 100_000 {
		t.Errorf("%d lines on a disk of 1 MiB", n)
	}
	if p.Missed() == 0 {
		t.Error("nothing is said of what is missing")
	}
}

// 40 MB of lines, none lost, none cut.
func TestFlood(t *testing.T) {
	s := shell(t, "seq -f %099.0f 0 399999")
	s.Caps = signal.LogCaps{Size: 7 << 20, Count: 100}
	began := time.Now()
	p := start(t, s)
	wait(t, p)
	took := time.Since(began)
	<-p.gone
	text := readLog(t, s.Log)
	if p.Missed() > 0 {
		t.Logf("the disk was too slow: %d bytes are missing, and counted", p.Missed())
		return
	}
	if want := 400_000 * 100; len(text) != want {
		t.Fatalf("%d bytes, want %d", len(text), want)
	}
	want := bytes.Repeat([]byte{'0'}, 100)
	want[99] = '\n'
	for i := range 400_000 {
		if line := text[i*100 : i*100+100]; line != string(want) {
			t.Fatalf("line %d is %q", i, line)
		}
		for at := 98; at >= 0; at-- { // one more
			if want[at]++; want[at] <= '9' {
				break
			}
			want[at] = '0'
		}
	}
	t.Logf("%.0f MB/s", 40/took.Seconds())
}

func TestSayBetweenLines(t *testing.T) {
	goFile := filepath.Join(t.TempDir(), "go")
	s := shell(t, `printf 'half '; while test ! -e "$0"; do sleep 0.01; done; echo line; sleep 60`)
	s.Args = append(s.Args, goFile)
	p := start(t, s)
	eventually(t, "the half line is there", func() bool { return readLog(t, s.Log) == "half " })
	if !p.Say(t.Context(), "said") {
		t.Fatal("not said")
	}
	os.WriteFile(goFile, nil, 0o600)
	// Waited for the end of the line, or, on a slow machine, not any longer.
	eventually(t, "both", func() bool {
		text := readLog(t, s.Log)
		return text == "half line\nsaid\n" || text == "half \nsaid\nline\n"
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(slack); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}
