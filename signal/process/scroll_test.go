//go:build linux

package process

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// takeAll is a log that follows until there is nothing more for it.
func takeAll(s *scroll, part bool) (text []byte, lost uint64) {
	buf := make([]byte, 1000)
	for {
		n, l, _, _ := s.takeForLog(buf, part)
		text, lost = append(text, buf[:n]...), lost+l
		if n == 0 {
			return text, lost
		}
	}
}

func TestScrollGivesTheLogEverything(t *testing.T) {
	s := newScroll()
	random := rand.New(rand.NewPCG(1, 2))
	var want, got bytes.Buffer
	for i := range 2000 {
		line := fmt.Appendf(nil, "%d %s\n", i, strings.Repeat("x", random.IntN(3000)))
		want.Write(line)
		cut := random.IntN(len(line))
		s.write(line[:cut])
		text, lost := takeAll(s, false)
		if lost > 0 {
			t.Fatalf("%d bytes lost", lost)
		}
		got.Write(text)
		s.write(line[cut:])
	}
	text, _ := takeAll(s, true)
	got.Write(text)
	if !bytes.Equal(want.Bytes(), got.Bytes()) {
		t.Errorf("%d bytes came out of %d, or others", got.Len(), want.Len())
	}
	if len(s.buf) > maxScroll {
		t.Errorf("%d bytes held", len(s.buf))
	}
}

func TestScrollKeepsPartsOfLines(t *testing.T) {
	s := newScroll()
	s.write([]byte("one\ntwo"))
	if text, _ := takeAll(s, false); string(text) != "one\n" {
		t.Errorf("got %q", text)
	}
	if _, _, rest, over := s.takeForLog(make([]byte, 10), false); !rest || over {
		t.Errorf("rest %v over %v", rest, over)
	}
	if text, _ := takeAll(s, true); string(text) != "two" {
		t.Errorf("got %q", text)
	}
	s.write([]byte("end"))
	s.finish()
	if text, _ := takeAll(s, false); string(text) != "end" {
		t.Errorf("got %q after the end", text)
	}
	if _, _, _, over := s.takeForLog(nil, false); !over {
		t.Error("not over")
	}
}

// A log that stands still costs the app one wait; then it misses whole lines, and they are counted.
func TestScrollDoesNotWaitForEver(t *testing.T) {
	s := newScroll()
	s.stall = 20 * time.Millisecond
	line := []byte(strings.Repeat("y", 99) + "\n")
	began, n := time.Now(), 3*maxScroll/len(line)
	for range n {
		s.write(line)
	}
	if took := time.Since(began); took > slack/2 {
		t.Errorf("writing took %v", took)
	}
	text, lost := takeAll(s, false)
	if lost == 0 || int(lost)+len(text) != n*len(line) || lost%uint64(len(line)) != 0 {
		t.Errorf("%d lost and %d taken of %d", lost, len(text), n*len(line))
	}
	s.write(line)
	if text, lost := takeAll(s, false); lost != 0 || !bytes.Equal(text, line) {
		t.Errorf("after it caught up: %d lost, %q", lost, text)
	}
}

func TestViewers(t *testing.T) {
	s := newScroll()
	for i := range 3 * scrollLines / 2 {
		fmt.Fprintf(writer(s.write), "%d\n", i)
		takeAll(s, false)
	}
	v := s.view()
	defer s.leave(v)
	buf := make([]byte, 100)
	n, missed, over := s.next(v, buf)
	if want := fmt.Sprintf("%d\n", scrollLines/2); missed != 0 || over || !strings.HasPrefix(string(buf[:n]), want) {
		t.Errorf("begins with %.20q, want %q; %d missed", buf[:n], want, missed)
	}
	for range 2 * maxScroll / 1000 {
		s.write([]byte(strings.Repeat("z", 999) + "\n"))
		takeAll(s, false)
	}
	n, missed, _ = s.next(v, buf)
	if missed == 0 || n == 0 || buf[0] != 'z' {
		t.Errorf("an overtaken viewer: %d missed, %.20q", missed, buf[:n])
	}
	s.finish()
	seen := n
	for {
		n, missed, over := s.next(v, buf)
		if seen += n; missed > 0 {
			t.Fatalf("%d missed twice", missed)
		}
		if over {
			break
		}
	}
	if seen > lagLeft || seen < lagLeft-1000 {
		t.Errorf("%d bytes left for one that was overtaken", seen)
	}
	if w := s.view(); w.at != s.start && s.buf[(w.at-1)%uint64(len(s.buf))] != '\n' {
		t.Error("a new viewer begins within a line")
	}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

func BenchmarkScroll(b *testing.B) {
	s := newScroll()
	p := bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), 600)
	buf := make([]byte, pumpPiece)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		s.write(p)
		for n := 1; n > 0; {
			n, _, _, _ = s.takeForLog(buf, false)
		}
	}
}
