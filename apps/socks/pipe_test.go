package socks

import (
	"bytes"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"
)

// source gives pieces of the sizes listed, then ends with err.
type source struct {
	sizes []int
	err   error
	asked []int // sizes of the buffers it was handed
}

func (s *source) Read(b []byte) (int, error) {
	s.asked = append(s.asked, len(b))
	if len(s.sizes) == 0 {
		return 0, s.err
	}
	n := min(s.sizes[0], len(b))
	s.sizes = s.sizes[1:]
	return n, nil
}

func TestCopyHalfSizesItsBuffer(t *testing.T) {
	src := &source{sizes: []int{100, smallBuffer, largeBuffer, shortRead, shortRead - 1, 5}, err: io.EOF}
	var count atomic.Uint64
	if err := copyHalf(io.Discard, src, &count, &buffers{}, nil); err != nil {
		t.Fatal(err)
	}
	want := []int{smallBuffer, smallBuffer, largeBuffer, largeBuffer, largeBuffer, smallBuffer, smallBuffer}
	if len(src.asked) != len(want) {
		t.Fatalf("asked %v", src.asked)
	}
	for i := range want {
		if src.asked[i] != want[i] {
			t.Fatalf("asked %v, want %v", src.asked, want)
		}
	}
	if count.Load() != 100+smallBuffer+largeBuffer+shortRead+shortRead-1+5 {
		t.Errorf("counted %d", count.Load())
	}
}

// taker is an io.ReaderFrom that reads with its own buffer and notes how often it was called.
type taker struct {
	io.Writer
	calls int
	err   error
}

func (r *taker) ReadFrom(src io.Reader) (int64, error) {
	r.calls++
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, src, make([]byte, 32<<10))
	return n, errors.Join(err, r.err)
}

func TestBursts(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name  string
		sizes []int
		end   error // of the source
		taker error
		want  error
		calls int
		count int
	}{
		{"never much", []int{1, 100, smallBuffer - 1}, io.EOF, nil, nil, 0, 100 + smallBuffer},
		{"much to the end", []int{smallBuffer, 32 << 10, 32 << 10}, io.EOF, nil, nil, 1, smallBuffer + 64<<10},
		{"two bursts", []int{smallBuffer, 32 << 10, 5, 6, smallBuffer, 20 << 10, 7}, io.EOF, nil, nil, 2, 2*smallBuffer + 52<<10 + 18},
		{"source breaks in a burst", []int{smallBuffer, 32 << 10}, broken, nil, broken, 1, smallBuffer + 32<<10},
		{"source breaks at once", []int{smallBuffer}, broken, nil, broken, 1, smallBuffer},
		{"taker breaks", []int{smallBuffer, 5}, io.EOF, broken, broken, 1, smallBuffer + 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dst := &taker{Writer: io.Discard, err: tt.taker}
			var count atomic.Uint64
			err := copyHalf(dst, &source{sizes: tt.sizes, err: tt.end}, &count, &buffers{}, dst)
			if !errors.Is(err, tt.want) || dst.calls != tt.calls || count.Load() != uint64(tt.count) {
				t.Fatalf("%v after %d calls and %d bytes, want %v, %d, %d", err, dst.calls, count.Load(), tt.want, tt.calls, tt.count)
			}
		})
	}
}

// short takes less than it is given.
type short struct{ err error }

func (s short) Write(b []byte) (int, error) { return len(b) / 2, s.err }

func TestCopyHalfFails(t *testing.T) {
	broken := errors.New("broken")
	var count atomic.Uint64
	if err := copyHalf(io.Discard, &source{sizes: []int{10}, err: broken}, &count, &buffers{}, nil); !errors.Is(err, broken) {
		t.Errorf("read error: %v", err)
	}
	if err := copyHalf(short{broken}, &source{sizes: []int{10}}, &count, &buffers{}, nil); !errors.Is(err, broken) {
		t.Errorf("write error: %v", err)
	}
	if err := copyHalf(short{}, &source{sizes: []int{10}}, &count, &buffers{}, nil); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("short write: %v", err)
	}
	if count.Load() != 10+5+5 {
		t.Errorf("counted %d", count.Load())
	}
}

// What a copy allocates does not grow with what it reads. The bound leaves room for buffers that the pool has dropped, and for what
// others allocate meanwhile.
func TestCopyHalfDoesNotAllocate(t *testing.T) {
	const reads = 256
	from, reader := &buffers{}, bytes.NewReader(make([]byte, reads*largeBuffer))
	src := struct{ io.Reader }{reader}
	var count atomic.Uint64
	perCopy := testing.AllocsPerRun(5, func() {
		_, _ = reader.Seek(0, io.SeekStart)
		_ = copyHalf(io.Discard, src, &count, from, nil)
	})
	if count.Load() < 5*reads*largeBuffer || perCopy > reads/4 {
		t.Errorf("%v allocations per copy of %d reads, %d bytes in all", perCopy, reads, count.Load())
	}
}

// BenchmarkCopyHalf moves bytes over two loopback connections; what it costs beyond the two
// ends' own system calls is one read and one write per 64 KiB.
func BenchmarkCopyHalf(b *testing.B) {
	inNear, inFar, err := tcpPair()
	if err != nil {
		b.Fatal(err)
	}
	outNear, outFar, err := tcpPair()
	if err != nil {
		b.Fatal(err)
	}
	defer outNear.Close()
	defer outFar.Close()
	go func() { _, _ = io.Copy(io.Discard, struct{ io.Reader }{outFar}) }()
	done := make(chan struct{})
	var count atomic.Uint64
	go func() {
		defer close(done)
		_ = copyHalf(outNear, inFar, &count, &buffers{}, nil)
		inFar.Close()
	}()
	chunk := make([]byte, 1<<20)
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := inNear.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	inNear.Close()
	<-done
}

func TestTableListIsBounded(t *testing.T) {
	table := newTable(2*maxListed, 0, nil)
	for range maxListed + 10 {
		if _, ok := table.open([33]byte{}, "peer", func() {}); !ok {
			t.Fatal("refused")
		}
	}
	if got := len(table.list()); got != maxListed {
		t.Errorf("%d listed", got)
	}
}

func TestSweep(t *testing.T) {
	table := newTable(10, 0, nil)
	ended := map[string]bool{}
	now := time.Now()
	enter := func(name string, connected bool) *entry {
		e, _ := table.open([33]byte{}, name, func() { ended[name] = true })
		e.connected.Store(connected)
		return e
	}
	busy := enter("busy", true)
	enter("idle", true)
	enter("dialing", false)
	busy.up.Add(1)
	table.sweep(now.Add(50*time.Minute), time.Hour)
	busy.down.Add(1)
	table.sweep(now.Add(70*time.Minute), time.Hour)
	if len(ended) != 1 || !ended["idle"] {
		t.Errorf("ended %v", ended)
	}
}
