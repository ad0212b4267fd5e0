package session

// replay remembers which numbers of a growing sequence were taken, over a sliding window of 64 per word, a power of
// two of them (RFC 6479's ring, so that sliding clears whole words). Numbers behind the window count as taken.
// Not for concurrent use.
type replay struct {
	words []uint64
	next  uint64 // one more than the highest number taken
}

func newReplay(words int) replay { return replay{words: make([]uint64, words)} }

// window is how far behind the highest number one may come.
func (r *replay) window() uint64 { return uint64(len(r.words)-1) * 64 }

// seen reports whether n was taken or lies behind the window.
func (r *replay) seen(n uint64) bool {
	switch {
	case n >= r.next:
		return false
	case r.next-n > r.window():
		return true
	}
	return r.words[n/64%uint64(len(r.words))]&(1<<(n%64)) != 0
}

// take marks n, which has not been seen.
func (r *replay) take(n uint64) {
	size := uint64(len(r.words))
	if n >= r.next {
		if r.next > 0 {
			r.slide((r.next-1)/64, n/64)
		}
		r.next = n + 1
	}
	r.words[n/64%size] |= 1 << (n % 64)
}

// slide clears the words after from, up to to.
func (r *replay) slide(from, to uint64) {
	size := uint64(len(r.words))
	if to-from >= size {
		clear(r.words)
		return
	}
	for w := from + 1; w <= to; w++ {
		r.words[w%size] = 0
	}
}
