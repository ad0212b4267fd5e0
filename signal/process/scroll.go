//go:build linux

package process

import (
	"bytes"
	"sync"
	"time"
)

// Bounds of what is kept of an app's output in memory.
const (
	firstScroll = 4 << 10
	maxScroll   = 1 << 20 // bytes; a power of two times firstScroll
	scrollLines = 10_000
	// stallTime is how long the app's output waits, once, for a log that cannot follow. Then
	// output goes on and the log misses some, until it has caught up.
	stallTime = 500 * time.Millisecond
	// lagLeft is what a viewer that was overtaken still gets of the past.
	lagLeft = 64 << 10
)

// scroll is the end of an app's output: a ring of bytes, written by one goroutine, read by
// the log and by viewers at their own pace. Offsets count from the first byte ever written.
//
// The writer never waits for viewers: one that is overtaken misses some. It waits for the
// log, stallTime at most; then the log misses some, whole lines, and lost counts them.
type scroll struct {
	stall time.Duration
	log   chan struct{} // something for the log to take, or it is over; capacity 1
	room  chan struct{} // the log took something; capacity 1

	mu      sync.Mutex // guards the following
	buf     []byte     // byte i of the output is at i % len(buf)
	end     uint64     // of the output so far
	start   uint64     // of what buf still holds
	logged  uint64     // what the log has taken, from start on
	wrote   uint64     // what it was done with when it came for more
	lost    uint64     // bytes the log has missed
	behind  bool       // the log has not caught up since it missed some
	over    bool       // there will be no more
	viewers map[*viewer]bool
}

// viewer is where one reader of a scroll is.
type viewer struct {
	wake chan struct{} // capacity 1
	at   uint64
}

func newScroll() *scroll {
	return &scroll{
		stall: stallTime,
		log:   make(chan struct{}, 1), room: make(chan struct{}, 1),
		viewers: make(map[*viewer]bool),
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write adds to the output.
func (s *scroll) write(p []byte) {
	for len(p) > 0 {
		n := s.put(p)
		if p = p[n:]; n == 0 && !s.awaitRoom() {
			s.skip()
		}
	}
}

// put adds as much of p as the log leaves room for.
func (s *scroll) put(p []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.growLocked(len(p))
	n := min(len(p), len(s.buf)-int(s.end-s.logged))
	for left := p[:n]; len(left) > 0; {
		c := copy(s.buf[s.end%uint64(len(s.buf)):], left)
		s.end += uint64(c)
		left = left[c:]
	}
	if held := uint64(len(s.buf)); s.end-s.start > held {
		s.start = s.end - held
	}
	if n > 0 {
		s.wakeLocked()
	}
	return n
}

// growLocked makes room for n more bytes beside what is held, up to maxScroll in all.
func (s *scroll) growLocked(n int) {
	held := int(s.end - s.start)
	want := max(firstScroll, len(s.buf))
	for want < maxScroll && want < held+n {
		want *= 2
	}
	if want == len(s.buf) {
		return
	}
	grown := make([]byte, want)
	for at := s.start; at < s.end; {
		piece := s.pieceLocked(at, s.end)
		for len(piece) > 0 {
			c := copy(grown[at%uint64(want):], piece)
			at += uint64(c)
			piece = piece[c:]
		}
	}
	s.buf = grown
}

// pieceLocked is what lies in one piece of the bytes from at to end.
func (s *scroll) pieceLocked(at, end uint64) []byte {
	i := at % uint64(len(s.buf))
	return s.buf[i:min(uint64(len(s.buf)), i+end-at)]
}

func (s *scroll) wakeLocked() {
	poke(s.log)
	for v := range s.viewers {
		poke(v.wake)
	}
}

// awaitRoom is false when the log is too slow to wait for.
func (s *scroll) awaitRoom() bool {
	s.mu.Lock()
	behind := s.behind
	s.mu.Unlock()
	if behind {
		return false
	}
	late := time.NewTimer(s.stall)
	defer late.Stop()
	select {
	case <-s.room:
		return true
	case <-late.C:
		return false
	}
}

// skip takes half a ring of lines away from the log.
func (s *scroll) skip() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end-s.logged < uint64(len(s.buf)) {
		return // there is room after all
	}
	to := s.lineLocked(s.logged + uint64(len(s.buf))/2)
	s.lost += to - s.logged
	s.logged, s.behind = to, true
}

// lineLocked is the start of the first line at or after at, or at itself where there is none.
func (s *scroll) lineLocked(at uint64) uint64 {
	for i := max(at, s.start); i < s.end; {
		piece := s.pieceLocked(i, s.end)
		if n := bytes.IndexByte(piece, '\n'); n >= 0 {
			return i + uint64(n) + 1
		}
		i += uint64(len(piece))
	}
	return at
}

// takeForLog copies the next of the output into buf. It stops at the end of a line where it
// can: what comes after the last newline is taken with part only, when buf is full
// without one, or at the end. lost is what the log has missed before it; rest: there is a
// part of a line left.
func (s *scroll) takeForLog(buf []byte, part bool) (n int, lost uint64, rest, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote = s.logged
	lost, s.lost = s.lost, 0
	n = s.copyLocked(buf, s.logged)
	if line := bytes.LastIndexByte(buf[:n], '\n') + 1; line > 0 || n < len(buf) && !part && !s.over {
		n = line
	}
	s.logged += uint64(n)
	if s.logged == s.end {
		s.behind = false
	}
	if n > 0 {
		poke(s.room)
	}
	return n, lost, s.logged < s.end, s.over && s.logged == s.end
}

// written tells whether the log is done with all that there is.
func (s *scroll) written() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrote == s.end
}

func (s *scroll) copyLocked(buf []byte, at uint64) int {
	n := 0
	for n < len(buf) && at < s.end {
		c := copy(buf[n:], s.pieceLocked(at, s.end))
		n += c
		at += uint64(c)
	}
	return n
}

// finish says that there will be no more.
func (s *scroll) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.wakeLocked()
}

// view adds a viewer, which begins with the last lines of what is held.
func (s *scroll) view() *viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &viewer{wake: make(chan struct{}, 1), at: s.lastLinesLocked(scrollLines)}
	s.viewers[v] = true
	return v
}

func (s *scroll) leave(v *viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.viewers, v)
}

// lastLinesLocked is where the last n lines begin.
func (s *scroll) lastLinesLocked(n int) uint64 {
	if s.start == s.end {
		return s.end
	}
	for at := s.end - 1; at > s.start; at-- { // the newline at the very end begins no line
		if s.buf[(at-1)%uint64(len(s.buf))] != '\n' {
			continue
		}
		if n--; n == 0 {
			return at
		}
	}
	if s.start == 0 {
		return 0
	}
	return s.lineLocked(s.start)
}

// next copies what the viewer has not seen into buf; missed is what it never will, because
// it was overtaken. over: there will be no more.
func (s *scroll) next(v *viewer, buf []byte) (n int, missed uint64, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.at < s.start {
		to := s.lineLocked(max(s.start, s.end-min(s.end, lagLeft)))
		missed = to - v.at
		v.at = to
	}
	n = s.copyLocked(buf, v.at)
	v.at += uint64(n)
	return n, missed, s.over && v.at == s.end
}
