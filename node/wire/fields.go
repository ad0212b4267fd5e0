package wire

import (
	"encoding/binary"
	"errors"

	"github.com/skycoin/viscript/node/identity"
)

// ErrMalformed is what a Reader reports of bytes that break their format: too short, a
// length beyond its limit, a key that is none, or bytes left over.
var ErrMalformed = errors.New("wire: malformed message")

// Reader takes fields off the front of a message, big-endian. The first failure sticks:
// later calls return zero values, and Err or Done tells. It never panics and never
// allocates more than the message holds. Not for concurrent use.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads b, which the slices it returns alias.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// take returns the next n bytes, or nil after the failure it records.
func (r *Reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.fail()
		return nil
	}
	head := r.b[:n:n]
	r.b = r.b[n:]
	return head
}

func (r *Reader) fail() {
	if r.err == nil {
		r.err = ErrMalformed
	}
	r.b = nil
}

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads one byte that must be 0 or 1.
func (r *Reader) Bool() bool {
	v := r.U8()
	if v > 1 {
		r.fail()
	}
	return v == 1
}

// U16 reads two bytes.
func (r *Reader) U16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// U32 reads four bytes.
func (r *Reader) U32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 reads eight bytes.
func (r *Reader) U64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Fixed copies the next len(dst) bytes into dst.
func (r *Reader) Fixed(dst []byte) { copy(dst, r.take(len(dst))) }

// Bytes reads a u16 length, which must not exceed max, and that many bytes; the slice
// aliases the message.
func (r *Reader) Bytes(max int) []byte {
	n := int(r.U16())
	if n > max {
		r.fail()
		return nil
	}
	return r.take(n)
}

// String is Bytes as a string.
func (r *Reader) String(max int) string { return string(r.Bytes(max)) }

// Count reads a u16 number of elements, which must not exceed max; each element takes
// at least minLen bytes, so that a count never promises more than the message holds.
func (r *Reader) Count(max, minLen int) int {
	n := int(r.U16())
	if n > max || n*minLen > len(r.b) {
		r.fail()
		return 0
	}
	return n
}

// Key reads a public key and checks that it is one.
func (r *Reader) Key() identity.PubKey {
	b := r.take(identity.PubKeyLen)
	if b == nil {
		return identity.PubKey{}
	}
	k, err := identity.ParsePubKey(b)
	if err != nil {
		r.fail()
	}
	return k
}

// OptionalKey is Key, but 33 zero bytes stand for no key.
func (r *Reader) OptionalKey() identity.PubKey {
	if len(r.b) >= identity.PubKeyLen && identity.PubKey(r.b[:identity.PubKeyLen]).IsZero() {
		r.take(identity.PubKeyLen)
		return identity.PubKey{}
	}
	return r.Key()
}

// Sig reads a signature; it is verified elsewhere.
func (r *Reader) Sig() (s identity.Sig) {
	r.Fixed(s[:])
	return s
}

// Rest returns everything that is left.
func (r *Reader) Rest() []byte {
	b := r.b
	r.b = nil
	return b
}

// Len returns the number of bytes left.
func (r *Reader) Len() int { return len(r.b) }

// Err returns ErrMalformed after a failure.
func (r *Reader) Err() error { return r.err }

// Done returns ErrMalformed after a failure or when bytes are left over.
func (r *Reader) Done() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail()
	}
	return r.err
}

// AppendBytes appends a u16 length and the bytes. The caller keeps them within 65,535
// and within the limit of the field's reader.
func AppendBytes(dst, b []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(b)))
	return append(dst, b...)
}

// AppendString is AppendBytes for a string.
func AppendString(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

// AppendBool appends 0 or 1.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}
