package relay

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

const tagPresence = "skymesh/presence/1"

// Limits of a record, in bytes or elements.
const (
	MaxHomes    = 4
	MaxAddrs    = 16
	MaxServices = 16
	MaxAttrs    = 16
	MaxAddrLen  = 253 + 1 + 5
	MaxTypeLen  = 32  // of a service's type and an attribute's name
	MaxTextLen  = 128 // of a service's name and an attribute's value
	MaxRecord   = 4 << 10
)

// Times of records.
const (
	MaxLife = time.Hour
	MaxSkew = 5 * time.Minute // between the clocks of two parties
	// Life is what a client signs for; it renews at a third of that.
	Life      = 15 * time.Minute
	maxMillis = 253402300799999 // the year 9999
)

// TypeMessenger is the type of the service that a messenger is itself; its record's Addrs say where.
const TypeMessenger = "messenger"

// Record is what a key says of itself. Times are kept to the millisecond.
type Record struct {
	Key      identity.PubKey
	Seq      uint64 // the highest wins
	Issued   time.Time
	Expires  time.Time     // Issued: the key takes its record back
	Homes    []secure.Addr // messengers, with key and HOST:PORT
	Addrs    []string      // HOST:PORT where links are taken; may be left out
	Services []Service
	Attrs    []Attr
	Sig      identity.Sig
}

// Service is something that the key offers over the mesh.
type Service struct {
	Type, Name string // Type is not empty
	Port       uint16
}

// Valid reports whether the service fits a record: a type of lower-case letters, digits, dots, hyphens and underscores, a name of
// printable ASCII.
func (s Service) Valid() bool { return isWord(s.Type) && len(s.Type) <= MaxTypeLen && isText(s.Name) }

// Attr is a fact by which services are chosen, such as country=NL.
type Attr struct{ Name, Value string }

// Sign fills in key and signature. Times are the caller's.
func (r Record) Sign(k *identity.Key, network string) Record {
	r.Key = k.Public()
	r.Issued, r.Expires = trimTime(r.Issued), trimTime(r.Expires)
	r.Sig = k.Sign(tagPresence, r.body(network))
	return r
}

// Verify checks limits and signature; it does not look at the clock. Errors wrap wire.ErrMalformed or are
// identity.ErrSignature.
func (r Record) Verify(network string) error {
	if err := r.check(); err != nil {
		return err
	}
	return r.Key.Verify(tagPresence, r.body(network), r.Sig)
}

// Live reports whether the record holds at a time.
func (r Record) Live(now time.Time) bool { return now.Before(r.Expires) }

func (r Record) body(network string) []byte { return r.appendFields(wire.AppendString(nil, network)) }

// Append appends the record as it travels; its fields are within their limits.
func (r Record) Append(dst []byte) []byte { return append(r.appendFields(dst), r.Sig[:]...) }

func (r Record) appendFields(dst []byte) []byte {
	dst = append(dst, r.Key[:]...)
	dst = binary.BigEndian.AppendUint64(dst, r.Seq)
	dst = appendTime(dst, r.Issued)
	dst = appendTime(dst, r.Expires)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Homes)))
	for _, h := range r.Homes {
		dst = wire.AppendString(append(dst, h.Key[:]...), h.HostPort)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Addrs)))
	for _, a := range r.Addrs {
		dst = wire.AppendString(dst, a)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Services)))
	for _, s := range r.Services {
		dst = wire.AppendString(wire.AppendString(dst, s.Type), s.Name)
		dst = binary.BigEndian.AppendUint16(dst, s.Port)
	}
	return appendAttrs(dst, r.Attrs)
}

func appendAttrs(dst []byte, attrs []Attr) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(attrs)))
	for _, a := range attrs {
		dst = wire.AppendString(wire.AppendString(dst, a.Name), a.Value)
	}
	return dst
}

// ParseRecord reads one record and nothing after it; the signature is not verified.
func ParseRecord(b []byte) (Record, error) {
	if len(b) > MaxRecord {
		return Record{}, malformed("a record of %d bytes", len(b))
	}
	r := wire.NewReader(b)
	ok := true
	rec := readRecord(r, &ok)
	return rec, finish(r, ok, rec.check)
}

func readRecord(r *wire.Reader, ok *bool) (rec Record) {
	rec.Key = r.Key()
	rec.Seq = r.U64()
	rec.Issued = readTime(r, ok)
	rec.Expires = readTime(r, ok)
	for range r.Count(MaxHomes, identity.PubKeyLen+2) {
		rec.Homes = append(rec.Homes, secure.Addr{Key: r.Key(), HostPort: r.String(MaxAddrLen)})
	}
	for range r.Count(MaxAddrs, 2) {
		rec.Addrs = append(rec.Addrs, r.String(MaxAddrLen))
	}
	for range r.Count(MaxServices, 2+2+2) {
		rec.Services = append(rec.Services, Service{r.String(MaxTypeLen), r.String(MaxTextLen), r.U16()})
	}
	rec.Attrs = readAttrs(r)
	rec.Sig = r.Sig()
	return rec
}

func readAttrs(r *wire.Reader) (attrs []Attr) {
	for range r.Count(MaxAttrs, 2+2) {
		attrs = append(attrs, Attr{r.String(MaxTypeLen), r.String(MaxTextLen)})
	}
	return attrs
}

// finish ends the parsing of a message: everything read, every number a value, and the value within its rules.
func finish(r *wire.Reader, ok bool, check func() error) error {
	if err := r.Done(); err != nil {
		return err
	}
	if !ok {
		return wire.ErrMalformed
	}
	return check()
}

func (r Record) check() error {
	switch {
	case r.Key.IsZero():
		return malformed("a record without a key")
	case len(r.Homes) > MaxHomes || len(r.Addrs) > MaxAddrs || len(r.Services) > MaxServices:
		return malformed("a record with too many elements")
	case r.Issued.IsZero() || r.Expires.Before(r.Issued):
		return malformed("a record that expires before it is issued")
	case r.Expires.Sub(r.Issued) > MaxLife:
		return malformed("a record for %s, want at most %s", r.Expires.Sub(r.Issued), MaxLife)
	}
	for _, h := range r.Homes {
		if err := checkAddr(h.HostPort); err != nil {
			return err
		}
	}
	for i, a := range r.Addrs {
		if err := checkAddr(a); err != nil {
			return err
		}
		if slices.Contains(r.Addrs[:i], a) {
			return malformed("address %s twice", a)
		}
	}
	for _, s := range r.Services {
		if !s.Valid() {
			return malformed("service %.40q", s.Type)
		}
	}
	if err := checkAttrs(r.Attrs); err != nil {
		return err
	}
	if n := len(r.Append(nil)); n > MaxRecord {
		return malformed("a record of %d bytes, want at most %d", n, MaxRecord)
	}
	return nil
}

func checkAttrs(attrs []Attr) error {
	if len(attrs) > MaxAttrs {
		return malformed("%d attributes, want at most %d", len(attrs), MaxAttrs)
	}
	for i, a := range attrs {
		if !isWord(a.Name) || len(a.Name) > MaxTypeLen || !isText(a.Value) {
			return malformed("attribute %.40q", a.Name)
		}
		if slices.ContainsFunc(attrs[:i], func(b Attr) bool { return a.Name == b.Name }) {
			return malformed("attribute %s twice", a.Name)
		}
	}
	return nil
}

// Has reports whether the record has a service of a type ("": any record) and all attributes.
func (r Record) Has(kind string, attrs []Attr) bool {
	if kind != "" && !slices.ContainsFunc(r.Services, func(s Service) bool { return s.Type == kind }) {
		return false
	}
	for _, a := range attrs {
		if !slices.Contains(r.Attrs, a) {
			return false
		}
	}
	return true
}

func checkAddr(hostport string) error {
	a, err := secure.ParseAddr(hostport)
	if err != nil || a.HostPort != hostport {
		return malformed("address %.100q", hostport)
	}
	return nil
}

// isWord tells whether s can be a type or a name of an attribute: lower-case letters, digits, dots, hyphens, underscores.
func isWord(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return s != ""
}

// isText tells whether s is printable ASCII that fits.
func isText(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(s) <= MaxTextLen
}

// malformed says what is wrong with foreign bytes; it wraps wire.ErrMalformed.
func malformed(format string, args ...any) error {
	return fmt.Errorf("relay: "+format+": %w", append(args, wire.ErrMalformed)...)
}

func appendTime(dst []byte, t time.Time) []byte { return binary.BigEndian.AppendUint64(dst, millis(t)) }

func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(min(max(t.UnixMilli(), 0), maxMillis))
}

// readTime reads what appendTime wrote; ok becomes false when the number is no time.
func readTime(r *wire.Reader, ok *bool) time.Time {
	ms := r.U64()
	if ms > maxMillis {
		*ok = false
	}
	return fromMillis(min(ms, maxMillis))
}

func fromMillis(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

// trimTime drops what the wire does not carry.
func trimTime(t time.Time) time.Time { return fromMillis(millis(t)) }
