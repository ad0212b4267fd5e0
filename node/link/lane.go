package link

import (
	"encoding/binary"
	"time"

	"github.com/skycoin/viscript/node/spare"
	"github.com/skycoin/viscript/node/wire"
)

// Memory units of a queue: a whole largest record fits the large one; a queue that holds little
// takes a small one, so that many routes with a record each cost little.
const (
	chunkLen = wire.MaxRecord
	smallLen = 4 << 10
)

// chunk holds records back to back in b[at:], in a list.
type chunk struct {
	next *chunk
	at   int // what has been taken
	b    []byte
}

var (
	chunks      = spare.New(16, func() *chunk { return &chunk{b: make([]byte, 0, chunkLen)} })
	smallChunks = spare.New(64, func() *chunk { return &chunk{b: make([]byte, 0, smallLen)} })
)

func (c *chunk) free() {
	c.next, c.at, c.b = nil, 0, c.b[:0]
	if cap(c.b) == smallLen {
		smallChunks.Put(c)
	} else {
		chunks.Put(c)
	}
}

// lane is a first-in first-out queue of whole records. Each remembers when it came, in the
// room for its tag. The zero value is empty.
type lane struct {
	head, last *chunk
	bytes      int
}

// stampLen is the length of the time in a record's tag.
const stampLen = 8

// needs is how much memory a record of n bytes would add.
func (q *lane) needs(n int) int {
	switch {
	case q.last != nil && len(q.last.b)+n <= cap(q.last.b):
		return 0
	case q.last == nil && n <= smallLen:
		return smallLen
	}
	return chunkLen
}

// push copies rec to the end.
func (q *lane) push(rec []byte, now time.Duration) {
	switch q.needs(len(rec)) {
	case smallLen:
		q.grow(smallChunks.Get())
	case chunkLen:
		q.grow(chunks.Get())
	}
	b := append(q.last.b, rec...)
	binary.BigEndian.PutUint64(b[len(b)-stampLen:], uint64(now))
	q.last.b = b
	q.bytes += len(rec)
}

func (q *lane) grow(c *chunk) {
	if q.last == nil {
		q.head = c
	} else {
		q.last.next = c
	}
	q.last = c
}

// take returns the oldest record and when it came; drop lets go of it.
func (q *lane) take() (rec []byte, came time.Duration) {
	n, _ := wire.Len(q.head.b[q.head.at:])
	rec = q.head.b[q.head.at : q.head.at+wire.LenLen+n]
	q.head.at += len(rec)
	q.bytes -= len(rec)
	return rec, time.Duration(binary.BigEndian.Uint64(rec[len(rec)-stampLen:]))
}

// drop frees memory that holds nothing any more, and tells how much.
func (q *lane) drop() (freed int) {
	c := q.head
	if c.at < len(c.b) {
		return 0
	}
	if q.head = c.next; q.head == nil {
		q.last = nil
	}
	freed = cap(c.b)
	c.free()
	return freed
}

// clear empties the lane and tells how many records it held and how much memory.
func (q *lane) clear() (records, freed int) {
	for q.bytes > 0 {
		q.take()
		freed += q.drop()
		records++
	}
	return records, freed
}
