package relay

import "sync"

// blockLen is the unit of memory of what waits to be read.
const blockLen = 32 << 10

var blocks = sync.Pool{New: func() any { b := make([]byte, 0, blockLen); return &b }}

// inbox holds bytes that came and were not read. The zero value is empty. Not for concurrent use.
type inbox struct {
	list []*[]byte
	at   int // read of the first
}

func (q *inbox) empty() bool { return len(q.list) == 0 }

func (q *inbox) put(b []byte) {
	for len(b) > 0 {
		if n := len(q.list); n == 0 || len(*q.list[n-1]) == blockLen {
			q.list = append(q.list, blocks.Get().(*[]byte))
		}
		last := q.list[len(q.list)-1]
		n := min(len(b), blockLen-len(*last))
		*last = append(*last, b[:n]...)
		b = b[n:]
	}
}

func (q *inbox) take(p []byte) (n int) {
	for n < len(p) && len(q.list) > 0 {
		first := q.list[0]
		m := copy(p[n:], (*first)[q.at:])
		n += m
		if q.at += m; q.at == len(*first) {
			q.drop()
		}
	}
	return n
}

// drop lets go of the first block.
func (q *inbox) drop() {
	first := q.list[0]
	*first = (*first)[:0]
	blocks.Put(first)
	q.list[0], q.at = nil, 0
	if q.list = q.list[1:]; len(q.list) == 0 {
		q.list = nil
	}
}

func (q *inbox) clear() {
	for len(q.list) > 0 {
		q.drop()
	}
}
