package session

import "github.com/skycoin/viscript/node/spare"

// Sizes of receive chunks: small ones for streams that say little.
const (
	smallChunk = 4 << 10
	largeChunk = maxData
)

// rchunk is a piece of received data: b[at:] is unread.
type rchunk struct {
	next *rchunk
	at   int
	b    []byte
}

func (c *rchunk) bytes() []byte { return c.b[c.at:] }

var (
	smallChunks = spare.New(64, func() *rchunk { return &rchunk{b: make([]byte, 0, smallChunk)} })
	largeChunks = spare.New(calmWindow/largeChunk, func() *rchunk { return &rchunk{b: make([]byte, 0, largeChunk)} })
)

func newChunk(want int) *rchunk {
	list := largeChunks
	if want <= smallChunk {
		list = smallChunks
	}
	c := list.Get()
	c.next, c.at, c.b = nil, 0, c.b[:0]
	return c
}

func release(c *rchunk) {
	if cap(c.b) == smallChunk {
		smallChunks.Put(c)
	} else {
		largeChunks.Put(c)
	}
}

// buffer is received data in order. Its length is bounded by the stream's credit. Not for concurrent use.
type buffer struct {
	head, last *rchunk
	n          int
}

// write copies b to the end.
func (q *buffer) write(b []byte) {
	q.n += len(b)
	for len(b) > 0 {
		if q.last == nil || len(q.last.b) == cap(q.last.b) {
			c := newChunk(len(b))
			if q.last == nil {
				q.head = c
			} else {
				q.last.next = c
			}
			q.last = c
		}
		room := min(len(b), cap(q.last.b)-len(q.last.b))
		q.last.b = append(q.last.b, b[:room]...)
		b = b[room:]
	}
}

// read moves data from the front to p.
func (q *buffer) read(p []byte) (n int) {
	for q.head != nil && n < len(p) {
		k := copy(p[n:], q.head.bytes())
		q.head.at += k
		n += k
		q.n -= k
		if len(q.head.bytes()) == 0 {
			release(q.pop())
		}
	}
	return n
}

// take removes the first chunk, which the caller releases.
func (q *buffer) take() *rchunk {
	c := q.pop()
	q.n -= len(c.bytes())
	return c
}

func (q *buffer) pop() *rchunk {
	c := q.head
	if q.head = c.next; q.head == nil {
		q.last = nil
	}
	return c
}

func (q *buffer) clear() {
	for q.head != nil {
		release(q.pop())
	}
	q.n = 0
}
