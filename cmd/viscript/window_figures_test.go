//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// eye is a client of the X server that presses keys and looks at pixels faster than programs can be started
// (X Window System Protocol, version 11; XTEST Extension Protocol, version 2.2).
type eye struct {
	t     *testing.T
	conn  net.Conn
	root  uint32
	xtest byte
}

func (s *stage) openEye() *eye {
	s.t.Helper()
	conn, err := net.Dial("unix", "/tmp/.X11-unix/X"+strings.TrimPrefix(s.display, ":"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	e := &eye{t: s.t, conn: conn}
	e.send([]byte{'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	head := e.receive(8)
	if head[0] != 1 {
		s.t.Fatal("the X server refuses")
	}
	body := e.receive(4 * int(binary.LittleEndian.Uint16(head[6:])))
	vendor := int(binary.LittleEndian.Uint16(body[16:]))
	screen := 32 + (vendor+3)&^3 + 8*int(body[21])
	e.root = binary.LittleEndian.Uint32(body[screen:])
	e.send(append([]byte{98, 0, 4, 0, 5, 0, 0, 0}, "XTEST\x00\x00\x00"...))
	e.xtest = e.receive(32)[9]
	return e
}

func (e *eye) send(p []byte) {
	e.t.Helper()
	if _, err := e.conn.Write(p); err != nil {
		e.t.Fatal(err)
	}
}

func (e *eye) receive(n int) []byte {
	e.t.Helper()
	p := make([]byte, n)
	_ = e.conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(e.conn, p); err != nil {
		e.t.Fatal(err)
	}
	return p
}

// press presses and releases a key.
func (e *eye) press(code byte) {
	e.t.Helper()
	for _, kind := range []byte{2, 3} {
		p := make([]byte, 36)
		p[0], p[1], p[2], p[4], p[5] = e.xtest, 2, 9, kind, code
		e.send(p)
	}
}

// look is the pixels of a region.
func (e *eye) look(x, y, w, h int) []byte {
	e.t.Helper()
	p := binary.LittleEndian.AppendUint32([]byte{73, 2, 5, 0}, e.root)
	for _, v := range []int{x, y, w, h} {
		p = binary.LittleEndian.AppendUint16(p, uint16(v))
	}
	e.send(binary.LittleEndian.AppendUint32(p, 0xffffffff))
	head := e.receive(32)
	for head[0] > 1 { // events that every client gets
		head = e.receive(32)
	}
	if head[0] == 0 {
		e.t.Fatalf("the X server answers with error %d", head[1])
	}
	return e.receive(4 * int(binary.LittleEndian.Uint32(head[4:])))
}

// changes waits until a region looks different.
func (e *eye) changes(from []byte, x, y, w, h int) []byte {
	e.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if now := e.look(x, y, w, h); !bytes.Equal(now, from) {
			return now
		}
	}
	e.t.Fatal("nothing changes")
	return nil
}

// keyX is the code of the key X on the keyboard of Xvfb.
const keyX = 53

// TestWindowFigures measures what docs/performance.md tells of the window: with FIGURES=1 only, the keys alone with
// FIGURES=keys.
func TestWindowFigures(t *testing.T) {
	if os.Getenv("FIGURES") == "" {
		t.Skip("it takes a minute of an idle machine; FIGURES=1 runs it")
	}
	s := newStage(t, map[string]any{"apps": map[string]any{}})
	s.open()
	e := s.openEye()
	flood := s.newTerm("sh", "-c", "while :; do seq 1 100000; done")
	typing := s.newTerm("sh", "-c", `stty raw -echo; printf '\033[?25lready\r\n'; exec perl -e '$|=1; while (sysread STDIN, $c, 1) { $n = 1-$n; print "\r", $n x 4 }'`)
	s.says(typing, "ready")
	s.focus(typing)
	if _, errs, code := s.exec("move_term", "76", "2"); code != exitOK {
		t.Fatal(errs)
	}
	l := s.term(typing, "is at the side", func(l signal.WindowTerm) bool { return l.X == 76 })
	t.Log("key to pixel while another terminal floods:   ", e.keys(l, 300))
	t.Log("of which the daemon, as another window sees it:", s.echoes(typing, 300))
	if _, errs, code := s.exec("close_term", flood); code != exitOK {
		t.Fatal(errs)
	}
	time.Sleep(time.Second)
	t.Log("key to pixel in a calm window:                ", e.keys(l, 300))

	if os.Getenv("FIGURES") == "keys" {
		s.quit()
		return
	}
	pid := s.windows()[0]
	time.Sleep(10 * time.Second) // the cursor rests
	before := ran(t, pid)
	time.Sleep(30 * time.Second)
	t.Logf("idle for 30 s: %v of processor time", ran(t, pid)-before)
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "RssAnon") {
			t.Log(strings.TrimSpace(line))
		}
	}
	s.quit()
	s.firstFrame(e)
}

// keys presses a key n times and tells how long it took until its character was seen.
func (e *eye) keys(l signal.WindowTerm, n int) string {
	left, top := cellAt(l, 0, 1)
	x, _ := strconv.Atoi(left)
	y, _ := strconv.Atoi(top)
	x, y = x-4, y-8
	const w, h = 32, 16 // four cells: more would keep the X server busy
	seen := e.look(x, y, w, h)
	var took []time.Duration
	for i := range n {
		time.Sleep(time.Duration(20+i%37) * time.Millisecond)
		begin := time.Now()
		e.press(keyX)
		seen = e.changes(seen, x, y, w, h)
		took = append(took, time.Since(begin))
	}
	return quantiles(took)
}

// echoes types a character n times and tells how long it took until a frame of the terminal came.
func (s *stage) echoes(id string, n int) string {
	frames := make(chan uint64, 1000)
	w, err := s.Window(s.t.Context(), signal.WindowParams{Name: "echoes"}, signal.WindowHandler{Event: func(e signal.TermEvent) {
		if e.Method == signal.MethodTermFrame && e.ID == id {
			frames <- e.Version
		}
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Close()
	w.Watch(id, true)
	var took []time.Duration
	for i := range n {
		w.Shown(id, <-frames)
		time.Sleep(time.Duration(20+i%37) * time.Millisecond)
		begin := time.Now()
		w.Char(id, 'x')
		f := <-frames
		took = append(took, time.Since(begin))
		frames <- f
	}
	return quantiles(took)
}

func quantiles(took []time.Duration) string {
	slices.Sort(took)
	at := func(part int) time.Duration { return took[len(took)*part/100].Round(100 * time.Microsecond) }
	return fmt.Sprintf("median %v, p90 %v, p99 %v, worst %v", at(50), at(90), at(99), took[len(took)-1].Round(time.Millisecond))
}

// firstFrame starts daemons with a window and tells how long it took until something was on the screen.
func (s *stage) firstFrame(e *eye) {
	s.settle("the screen is empty", func() error {
		if slices.Max(e.look(0, 0, 8, 8)) != slices.Min(e.look(0, 0, 8, 8)) {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	var took []time.Duration
	for range 5 {
		empty := e.look(0, windowHeight-30, 64, 30)
		begin := time.Now()
		s.begin()
		e.changes(empty, 0, windowHeight-30, 64, 30)
		took = append(took, time.Since(begin))
		s.quit()
		time.Sleep(time.Second)
	}
	slices.Sort(took)
	s.t.Logf("from the start of the daemon to the first picture: %v", took)
}

// ran is the processor time of a process.
func ran(t *testing.T, pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var user, system int
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100
}
