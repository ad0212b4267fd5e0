package control

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Tags of the signatures made here.
const (
	tagNode   = "skymesh/node/1"
	tagApp    = "skymesh/app/1"
	tagAppBye = "skymesh/app-bye/1"
	tagHop    = "skymesh/hop/1"
	tagRoute  = "skymesh/route/1"
)

// InstanceLen is the length of the number that tells one process of a node from the next.
const InstanceLen = 16

// Instance names one process of a node; random.
type Instance [InstanceLen]byte

// NodeRecord is what a node says of itself. Times are kept to the millisecond.
type NodeRecord struct {
	Key     identity.PubKey
	Name    string   // HOSTNAME; may be ""; may end in the manager's domain
	Addrs   []string // HOST:PORT of its link listener, canonical, without repeats, at most MaxAddrs
	Connect bool     // whether the manager may name neighbours to it, and it to others
	Seq     uint64   // the highest wins
	Issued  time.Time
	Expires time.Time
	Sig     identity.Sig
}

// SignNode fills in key, times that are zero (now, and RecordLife later) and signature.
func SignNode(k *identity.Key, network string, r NodeRecord) NodeRecord {
	r.Key = k.Public()
	r.Issued, r.Expires = lifetime(r.Issued, r.Expires)
	r.Sig = k.Sign(tagNode, r.body(network))
	return r
}

// lifetime fills in times that are zero and trims both to what the wire carries.
func lifetime(issued, expires time.Time) (time.Time, time.Time) {
	if issued.IsZero() {
		issued = time.Now()
	}
	if expires.IsZero() {
		expires = issued.Add(RecordLife)
	}
	return trimTime(issued), trimTime(expires)
}

// Verify checks the fields' limits and that Key signed them for the network. It does not
// look at the clock. Errors wrap wire.ErrMalformed or are identity.ErrSignature.
func (r NodeRecord) Verify(network string) error {
	if err := r.check(); err != nil {
		return err
	}
	return r.Key.Verify(tagNode, r.body(network), r.Sig)
}

func (r NodeRecord) body(network string) []byte {
	return r.appendFields(wire.AppendString(nil, network))
}

// Append appends the record as it travels; its fields are within their limits.
func (r NodeRecord) Append(dst []byte) []byte {
	return append(r.appendFields(dst), r.Sig[:]...)
}

func (r NodeRecord) appendFields(dst []byte) []byte {
	dst = append(dst, r.Key[:]...)
	dst = wire.AppendString(dst, r.Name)
	dst = appendStrings(dst, r.Addrs)
	dst = wire.AppendBool(dst, r.Connect)
	dst = binary.BigEndian.AppendUint64(dst, r.Seq)
	dst = appendTime(dst, r.Issued)
	return appendTime(dst, r.Expires)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(list)))
	for _, s := range list {
		dst = wire.AppendString(dst, s)
	}
	return dst
}

func readAddrs(r *wire.Reader) []string {
	n := r.Count(MaxAddrs, 2)
	if n == 0 {
		return nil
	}
	addrs := make([]string, n)
	for i := range addrs {
		addrs[i] = r.String(MaxAddrLen)
	}
	return addrs
}

// ParseNode reads one record and nothing after it; the signature is not verified.
func ParseNode(b []byte) (NodeRecord, error) {
	r := wire.NewReader(b)
	ok := true
	rec := readNode(r, &ok)
	return rec, finish(r, ok, rec.check)
}

func readNode(r *wire.Reader, ok *bool) NodeRecord {
	return NodeRecord{
		Key:     r.Key(),
		Name:    r.String(MaxNameLen),
		Addrs:   readAddrs(r),
		Connect: r.Bool(),
		Seq:     r.U64(),
		Issued:  readTime(r, ok),
		Expires: readTime(r, ok),
		Sig:     r.Sig(),
	}
}

// finish ends the parsing of a message: everything read, every number a value, and the
// value itself within its rules.
func finish(r *wire.Reader, ok bool, check func() error) error {
	if err := r.Done(); err != nil {
		return err
	}
	if !ok {
		return wire.ErrMalformed
	}
	return check()
}

func (r NodeRecord) check() error {
	if r.Key.IsZero() {
		return malformed("a record without a key")
	}
	if r.Name != "" {
		if err := CheckName(r.Name); err != nil {
			return err
		}
	}
	if err := checkAddrs(r.Addrs); err != nil {
		return err
	}
	return checkLife(r.Issued, r.Expires)
}

func checkAddrs(addrs []string) error {
	if len(addrs) > MaxAddrs {
		return malformed("%d addresses, want at most %d", len(addrs), MaxAddrs)
	}
	for i, a := range addrs {
		c, err := CanonicalAddr(a)
		if err != nil {
			return err
		}
		if c != a {
			return malformed("address %q, want it written %q", a, c)
		}
		if slices.Contains(addrs[:i], a) {
			return malformed("address %s twice", a)
		}
	}
	return nil
}

func checkLife(issued, expires time.Time) error {
	if issued.IsZero() || expires.Before(issued) {
		return malformed("a record that expires before it is issued")
	}
	if expires.Sub(issued) > maxRecordLife {
		return malformed("a record for %s, want at most %s", expires.Sub(issued), maxRecordLife)
	}
	return nil
}

// CheckClock compares a time of issue with our clock. Errors: *Error with CodeStale.
func CheckClock(issued, now time.Time) error {
	if d := now.Sub(issued); d > MaxSkew || d < -MaxSkew {
		return Errorf(CodeStale, "clocks differ by %s, at most %s is allowed", d.Round(time.Second), MaxSkew)
	}
	return nil
}

// Register is the first message of a node.
type Register struct {
	Instance Instance
	Node     NodeRecord
}

// Append appends the body of the message.
func (m Register) Append(dst []byte) []byte {
	return m.Node.Append(append(dst, m.Instance[:]...))
}

// ParseRegister reads the body of the message.
func ParseRegister(b []byte) (m Register, err error) {
	r := wire.NewReader(b)
	ok := true
	r.Fixed(m.Instance[:])
	m.Node = readNode(r, &ok)
	return m, finish(r, ok, m.Node.check)
}
