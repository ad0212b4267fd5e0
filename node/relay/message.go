package relay

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Kind says what a request asks. Append-only; answers are Kind|0x80.
type Kind uint8

// The kinds, numbered as in the package comment.
const (
	KindPublish Kind = 1
	KindLookup  Kind = 2
	KindFind    Kind = 3
	KindWatch   Kind = 4
	KindPage    Kind = 5
	KindFollow  Kind = 6
	KindWelcome Kind = 64
	KindChanged Kind = 65

	AnswerBit   Kind = 0x80
	KindFailure Kind = 255
)

// Limits of requests.
const (
	MaxWatched  = 256 // keys
	MaxFound    = 32  // records in one answer
	maxAnswer   = 48 << 10
	messageHead = 4 + 1
	maxErrText  = 200
)

// Code is why a request failed. Append-only.
type Code uint16

// The codes.
const (
	CodeBadRequest Code = 1 // it makes no sense
	CodeBusy       Code = 2 // too many requests; later
	CodeStale      Code = 3 // the record is older than the one known, or its times do not fit the clock
	CodeSignature  Code = 4 // the record is not signed by its key for this network
	CodeDenied     Code = 5 // not for this client
	CodeFull       Code = 6 // no room for another record
	CodeInternal   Code = 7
)

var codeText = map[Code]string{
	CodeBadRequest: "bad request", CodeBusy: "busy", CodeStale: "stale record", CodeSignature: "bad signature", CodeDenied: "denied",
	CodeFull: "full", CodeInternal: "internal error",
}

// Failure is the error of a request that the messenger refused.
type Failure struct {
	Code Code
	Text string // for people; not to be trusted
}

func (f *Failure) Error() string {
	s := codeText[f.Code]
	if s == "" {
		s = fmt.Sprintf("code %d", f.Code)
	}
	if f.Text == "" {
		return "messenger: " + s
	}
	return fmt.Sprintf("messenger: %s: %.200s", s, f.Text)
}

// Failed makes a Failure.
func Failed(c Code, format string, args ...any) *Failure {
	return &Failure{Code: c, Text: fmt.Sprintf(format, args...)}
}

// CodeOf is the code of a Failure in err, 0 for none.
func CodeOf(err error) Code {
	var f *Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return 0
}

// AppendMessage appends the head of a request, an answer or a word of the messenger; the body follows.
func AppendMessage(dst []byte, id uint32, k Kind) []byte {
	return append(binary.BigEndian.AppendUint32(dst, id), byte(k))
}

// ParseMessage splits one; the body aliases b.
func ParseMessage(b []byte) (id uint32, k Kind, body []byte, err error) {
	if len(b) < messageHead {
		return 0, 0, nil, malformed("a message of %d bytes", len(b))
	}
	return binary.BigEndian.Uint32(b), Kind(b[4]), b[messageHead:], nil
}

// Append appends the body of a failure.
func (f *Failure) Append(dst []byte) []byte {
	text := f.Text[:min(len(f.Text), maxErrText)]
	return wire.AppendString(binary.BigEndian.AppendUint16(dst, uint16(f.Code)), text)
}

// ParseFailure reads the body of a failure.
func ParseFailure(b []byte) (*Failure, error) {
	r := wire.NewReader(b)
	f := &Failure{Code: Code(r.U16()), Text: r.String(maxErrText)}
	return f, r.Done()
}

// Welcome is the messenger's first word.
type Welcome struct {
	Public   string // HOST:PORT; "": the one that was dialed
	Observed string // IP:PORT from which the client seems to come
}

// Append appends the body.
func (m Welcome) Append(dst []byte) []byte {
	return wire.AppendString(wire.AppendString(dst, m.Public), m.Observed)
}

// ParseWelcome reads the body.
func ParseWelcome(b []byte) (m Welcome, err error) {
	r := wire.NewReader(b)
	m.Public, m.Observed = r.String(MaxAddrLen), r.String(MaxAddrLen)
	return m, finish(r, true, func() error {
		if m.Public == "" {
			return nil
		}
		return checkAddr(m.Public)
	})
}

// Query is what a find asks for.
type Query struct {
	Type  string // of a service; "": any
	Attrs []Attr
	After identity.PubKey // zero: from the first
	Limit int             // 1 to MaxFound
}

// Append appends the body.
func (q Query) Append(dst []byte) []byte {
	dst = appendAttrs(wire.AppendString(dst, q.Type), q.Attrs)
	return append(append(dst, q.After[:]...), byte(q.Limit))
}

// ParseQuery reads the body.
func ParseQuery(b []byte) (q Query, err error) {
	r := wire.NewReader(b)
	q.Type, q.Attrs, q.After, q.Limit = r.String(MaxTypeLen), readAttrs(r), r.OptionalKey(), int(r.U8())
	return q, finish(r, true, func() error {
		if q.Limit < 1 || q.Limit > MaxFound || q.Type != "" && !isWord(q.Type) {
			return malformed("a query for %d of %.40q", q.Limit, q.Type)
		}
		return checkAttrs(q.Attrs)
	})
}

// Found is a part of the records that were asked for.
type Found struct {
	Next    identity.PubKey // ask again with that as After; zero: that was all
	Records []Record
}

// Append appends the body.
func (m Found) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(append(dst, m.Next[:]...), uint16(len(m.Records)))
	for _, r := range m.Records {
		dst = r.Append(dst)
	}
	return dst
}

// Fits reports whether another record of n bytes fits an answer that holds sum bytes.
func Fits(sum, n int) bool { return sum+n <= maxAnswer }

// ParseFound reads the body; the signatures are not verified.
func ParseFound(b []byte) (m Found, err error) {
	r := wire.NewReader(b)
	ok := true
	m.Next = r.OptionalKey()
	for range r.Count(MaxFound, identity.PubKeyLen+8+8+8+4*2+identity.SigLen) {
		rec := readRecord(r, &ok)
		if r.Err() != nil || !ok {
			return Found{}, wire.ErrMalformed
		}
		if err := rec.check(); err != nil {
			return Found{}, err
		}
		m.Records = append(m.Records, rec)
	}
	return m, r.Done()
}

// AppendOne appends the answer to a lookup.
func AppendOne(dst []byte, rec Record, found bool) []byte {
	dst = wire.AppendBool(dst, found)
	if found {
		dst = rec.Append(dst)
	}
	return dst
}

// ParseOne reads the answer to a lookup.
func ParseOne(b []byte) (rec Record, found bool, err error) {
	r := wire.NewReader(b)
	if found = r.Bool(); !found {
		return Record{}, false, r.Done()
	}
	rec, err = ParseRecord(r.Rest())
	return rec, true, err
}

// AppendKeys appends the body of a watch, MaxWatched keys at most.
func AppendKeys(dst []byte, keys []identity.PubKey) []byte {
	keys = keys[:min(len(keys), MaxWatched)]
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(keys)))
	for _, k := range keys {
		dst = append(dst, k[:]...)
	}
	return dst
}

// ParseKeys reads the body of a watch. Keys that are none are not told: they will not be found.
func ParseKeys(b []byte) ([]identity.PubKey, error) {
	r := wire.NewReader(b)
	keys := make([]identity.PubKey, r.Count(MaxWatched, identity.PubKeyLen))
	for i := range keys {
		r.Fixed(keys[i][:])
	}
	return keys, r.Done()
}

// ParseKey reads the body of a lookup, and ParseAfter that of a page.
func ParseKey(b []byte) (identity.PubKey, error) {
	r := wire.NewReader(b)
	k := r.Key()
	return k, r.Done()
}

// ParseAfter reads a key that may be zero.
func ParseAfter(b []byte) (identity.PubKey, error) {
	r := wire.NewReader(b)
	k := r.OptionalKey()
	return k, r.Done()
}
