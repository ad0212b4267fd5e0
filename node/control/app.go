package control

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// AppRecord says that an app listens at a mesh port of a node. The node signs it.
type AppRecord struct {
	Name    string // unique in the tracker, first come, first kept; as CheckName
	Type    string // what it serves, such as "socks-server"; as CheckLabel
	Node    identity.PubKey
	Port    uint16 // on the mesh
	Issued  time.Time
	Expires time.Time
	Sig     identity.Sig
}

// SignApp fills in node, times that are zero (now, and RecordLife later) and signature.
func SignApp(k *identity.Key, network string, r AppRecord) AppRecord {
	r.Node = k.Public()
	r.Issued, r.Expires = lifetime(r.Issued, r.Expires)
	r.Sig = k.Sign(tagApp, r.body(network))
	return r
}

// Verify checks the fields' limits and that Node signed them for the network. It does not
// look at the clock. Errors wrap wire.ErrMalformed or are identity.ErrSignature.
func (r AppRecord) Verify(network string) error {
	if err := r.check(); err != nil {
		return err
	}
	return r.Node.Verify(tagApp, r.body(network), r.Sig)
}

func (r AppRecord) body(network string) []byte {
	return r.appendFields(wire.AppendString(nil, network))
}

// Append appends the record as it travels; its fields are within their limits.
func (r AppRecord) Append(dst []byte) []byte {
	return append(r.appendFields(dst), r.Sig[:]...)
}

func (r AppRecord) appendFields(dst []byte) []byte {
	dst = wire.AppendString(dst, r.Name)
	dst = wire.AppendString(dst, r.Type)
	dst = append(dst, r.Node[:]...)
	dst = binary.BigEndian.AppendUint16(dst, r.Port)
	dst = appendTime(dst, r.Issued)
	return appendTime(dst, r.Expires)
}

// ParseApp reads one record and nothing after it; the signature is not verified.
func ParseApp(b []byte) (AppRecord, error) {
	r := wire.NewReader(b)
	ok := true
	rec := readApp(r, &ok)
	return rec, finish(r, ok, rec.check)
}

func readApp(r *wire.Reader, ok *bool) AppRecord {
	return AppRecord{
		Name:    r.String(MaxNameLen),
		Type:    r.String(MaxLabelLen),
		Node:    r.Key(),
		Port:    r.U16(),
		Issued:  readTime(r, ok),
		Expires: readTime(r, ok),
		Sig:     r.Sig(),
	}
}

func (r AppRecord) check() error {
	if err := CheckName(r.Name); err != nil {
		return err
	}
	if err := CheckLabel(r.Type); err != nil {
		return err
	}
	if r.Node.IsZero() {
		return malformed("an app without a node")
	}
	return checkLife(r.Issued, r.Expires)
}

// AppRemoval takes a record back. The node signs it; it ends records issued no later than itself.
type AppRemoval struct {
	Name   string
	Node   identity.PubKey
	Issued time.Time
	Sig    identity.Sig
}

// SignAppRemoval fills in node, time of issue when it is zero, and signature.
func SignAppRemoval(k *identity.Key, network string, r AppRemoval) AppRemoval {
	r.Node = k.Public()
	if r.Issued.IsZero() {
		r.Issued = time.Now()
	}
	r.Issued = trimTime(r.Issued)
	r.Sig = k.Sign(tagAppBye, r.body(network))
	return r
}

// Verify checks the fields' limits and the signature, as AppRecord.Verify.
func (r AppRemoval) Verify(network string) error {
	if err := r.check(); err != nil {
		return err
	}
	return r.Node.Verify(tagAppBye, r.body(network), r.Sig)
}

func (r AppRemoval) body(network string) []byte {
	return r.appendFields(wire.AppendString(nil, network))
}

// Append appends the removal as it travels.
func (r AppRemoval) Append(dst []byte) []byte {
	return append(r.appendFields(dst), r.Sig[:]...)
}

func (r AppRemoval) appendFields(dst []byte) []byte {
	dst = wire.AppendString(dst, r.Name)
	dst = append(dst, r.Node[:]...)
	return appendTime(dst, r.Issued)
}

// ParseAppRemoval reads one removal; the signature is not verified.
func ParseAppRemoval(b []byte) (AppRemoval, error) {
	r := wire.NewReader(b)
	ok := true
	m := AppRemoval{Name: r.String(MaxNameLen), Node: r.Key(), Issued: readTime(r, &ok), Sig: r.Sig()}
	return m, finish(r, ok, m.check)
}

func (r AppRemoval) check() error {
	if r.Node.IsZero() || r.Issued.IsZero() {
		return malformed("a removal without node or time")
	}
	return CheckName(r.Name)
}

// AppQuery selects records; zero fields match all. Names are compared without case.
type AppQuery struct {
	Name string
	Type string
	Key  identity.PubKey // of the node
}

// Matches reports whether the query selects r.
func (q AppQuery) Matches(r AppRecord) bool {
	return (q.Name == "" || FoldName(q.Name) == FoldName(r.Name)) &&
		(q.Type == "" || q.Type == r.Type) &&
		(q.Key.IsZero() || q.Key == r.Node)
}

// Append appends the body of the message.
func (q AppQuery) Append(dst []byte) []byte {
	dst = wire.AppendString(dst, q.Name)
	dst = wire.AppendString(dst, q.Type)
	return append(dst, q.Key[:]...)
}

// ParseAppQuery reads the body of the message.
func ParseAppQuery(b []byte) (AppQuery, error) {
	r := wire.NewReader(b)
	q := AppQuery{Name: r.String(MaxNameLen), Type: r.String(MaxLabelLen), Key: r.OptionalKey()}
	return q, finish(r, true, q.check)
}

func (q AppQuery) check() error {
	if q.Name != "" {
		if err := CheckName(q.Name); err != nil {
			return err
		}
	}
	if q.Type != "" {
		return CheckLabel(q.Type)
	}
	return nil
}

// minApp is the least number of bytes of a record.
const minApp = 2 + 2 + identity.PubKeyLen + 2 + 8 + 8 + identity.SigLen

// AppendApps appends the answer to a query, at most MaxApps records.
func AppendApps(dst []byte, apps []AppRecord) []byte {
	apps = apps[:min(len(apps), MaxApps)]
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(apps)))
	for _, a := range apps {
		dst = a.Append(dst)
	}
	return dst
}

// ParseApps reads the answer to a query; signatures are not verified.
func ParseApps(b []byte) ([]AppRecord, error) {
	r := wire.NewReader(b)
	ok := true
	apps := make([]AppRecord, r.Count(MaxApps, minApp))
	for i := range apps {
		apps[i] = readApp(r, &ok)
	}
	return apps, finish(r, ok, func() error {
		if i := slices.IndexFunc(apps, func(a AppRecord) bool { return a.check() != nil }); i >= 0 {
			return apps[i].check()
		}
		return nil
	})
}
