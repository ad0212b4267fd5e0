package relay

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

func testKey(t testing.TB, n byte) *identity.Key {
	t.Helper()
	k, err := identity.FromSecret(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sample(t testing.TB) Record {
	k := testKey(t, 1)
	at := time.UnixMilli(1_800_000_000_000)
	return Record{
		Seq: 7, Issued: at, Expires: at.Add(Life),
		Homes:    []secure.Addr{{Key: testKey(t, 2).Public(), HostPort: "messenger.example:5998"}},
		Addrs:    []string{"192.0.2.1:5000"},
		Services: []Service{{"socks-server", "exit", 1080}, {"messenger", "", 0}},
		Attrs:    []Attr{{"country", "NL"}},
	}.Sign(k, "net")
}

func TestRecordRoundTrip(t *testing.T) {
	r := sample(t)
	if err := r.Verify("net"); err != nil {
		t.Fatal(err)
	}
	b := r.Append(nil)
	got, err := ParseRecord(b)
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Fatalf("%+v, %v, want %+v", got, err, r)
	}
	for n := range b {
		if _, err := ParseRecord(b[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := ParseRecord(append(b, 0)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("a byte left over: %v", err)
	}
	const head = "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f" + // key
		"0000000000000007" + "000001a3185c5000" + "000001a3186a0ba0" // seq, issued, expires
	if got := hex.EncodeToString(b[:57]); got != head {
		t.Errorf("begins with %s, want %s", got, head)
	}
}

func TestRecordIsBoundToItsSigner(t *testing.T) {
	r := sample(t)
	for name, change := range map[string]func(*Record){
		"seq":     func(r *Record) { r.Seq++ },
		"expires": func(r *Record) { r.Expires = r.Expires.Add(time.Second) },
		"home":    func(r *Record) { r.Homes = nil },
		"address": func(r *Record) { r.Addrs = []string{"192.0.2.2:5000"} },
		"service": func(r *Record) { r.Services = r.Services[:1] },
		"attr":    func(r *Record) { r.Attrs = []Attr{{"country", "DE"}} },
		"key":     func(r *Record) { r.Key = testKey(t, 3).Public() },
	} {
		bad := r
		change(&bad)
		if err := bad.Verify("net"); !errors.Is(err, identity.ErrSignature) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if err := r.Verify("other"); !errors.Is(err, identity.ErrSignature) {
		t.Errorf("for another network: %v", err)
	}
}

func TestRecordLimits(t *testing.T) {
	long := strings.Repeat("x", MaxTextLen+1)
	for name, change := range map[string]func(*Record){
		"no key":          func(r *Record) { r.Key = identity.PubKey{} },
		"too long a life": func(r *Record) { r.Expires = r.Issued.Add(MaxLife + time.Second) },
		"over before":     func(r *Record) { r.Expires = r.Issued.Add(-time.Second) },
		"no issue":        func(r *Record) { r.Issued = time.Time{} },
		"an address":      func(r *Record) { r.Addrs = []string{"here"} },
		"not canonical":   func(r *Record) { r.Addrs = []string{"EXAMPLE.org:1"} },
		"twice":           func(r *Record) { r.Addrs = []string{"192.0.2.1:1", "192.0.2.1:1"} },
		"home":            func(r *Record) { r.Homes[0].HostPort = "x" },
		"a type":          func(r *Record) { r.Services = []Service{{"Socks", "", 0}} },
		"no type":         func(r *Record) { r.Services = []Service{{"", "x", 0}} },
		"a name":          func(r *Record) { r.Services = []Service{{"a", "\x1b[2J", 0}} },
		"a long name":     func(r *Record) { r.Services = []Service{{"a", long, 0}} },
		"attr twice":      func(r *Record) { r.Attrs = []Attr{{"a", "1"}, {"a", "2"}} },
		"a long value":    func(r *Record) { r.Attrs = []Attr{{"a", long}} },
		"many attrs":      func(r *Record) { r.Attrs = make([]Attr, MaxAttrs+1) },
		"many addrs":      func(r *Record) { r.Addrs = make([]string, MaxAddrs+1) },
	} {
		r := sample(t)
		change(&r)
		if err := r.check(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHas(t *testing.T) {
	r := sample(t)
	for _, tt := range []struct {
		kind  string
		attrs []Attr
		want  bool
	}{
		{"", nil, true}, {"socks-server", nil, true}, {"vpn-server", nil, false},
		{"", []Attr{{"country", "NL"}}, true}, {"messenger", []Attr{{"country", "DE"}}, false},
	} {
		if got := r.Has(tt.kind, tt.attrs); got != tt.want {
			t.Errorf("Has(%q, %v) = %v", tt.kind, tt.attrs, got)
		}
	}
}

func TestFrameGolden(t *testing.T) {
	key := testKey(t, 1).Public()
	head := hex.EncodeToString(key[:])
	for _, tt := range []struct {
		name, want string
		got        []byte
	}{
		{"open", head + "80000005" + "01" + "00040000", AppendWord(nil, key, 5|fromAcceptor, WordOpen, 256<<10)},
		{"credit", head + "00000005" + "03" + "0000000100000000", AppendWord(nil, key, 5, WordCredit, 1<<32)},
		{"reset", head + "00000000" + "04" + "04", AppendWord(nil, key, 0, WordReset, uint64(ResetDropped))},
		{"record", "000017" + "03" + "00000009" + "6869" + strings.Repeat("00", 16), AppendRecord(nil, wire.Handshake, 9, []byte("hi"))},
		{"request", "00000007" + "02", AppendMessage(nil, 7, KindLookup)},
		{"failure", "0003" + "0002" + "6e6f", Failed(CodeStale, "no").Append(nil)},
		{"welcome", "0003" + "613a31" + "0009" + "312e322e332e343a35", Welcome{"a:1", "1.2.3.4:5"}.Append(nil)},
		{"query", "0001" + "78" + "0001" + "0001" + "61" + "0001" + "62" + head + "20", Query{Type: "x", Attrs: []Attr{{"a", "b"}}, After: key, Limit: 32}.Append(nil)},
		{"keys", "0001" + head, AppendKeys(nil, []identity.PubKey{key})},
		{"found", strings.Repeat("00", 33) + "0000", Found{}.Append(nil)},
		{"one", "00", AppendOne(nil, Record{}, false)},
	} {
		if got := hex.EncodeToString(tt.got); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// parsers are all that read foreign bytes; each gives the bytes back that it read.
var parsers = map[string]func(b []byte) (again []byte, err error){
	"record": func(b []byte) ([]byte, error) { r, err := ParseRecord(b); return r.Append(nil), err },
	"word": func(b []byte) ([]byte, error) {
		w, v, err := ParseWord(b)
		return AppendWord(nil, identity.PubKey{}, 0, w, v)[HeadLen:], err
	},
	"head": func(b []byte) ([]byte, error) {
		key, c, rest, ok := SplitHead(b)
		if !ok {
			return nil, wire.ErrMalformed
		}
		return append(AppendHead(nil, identity.PubKey(key), c), rest...), nil
	},
	"message": func(b []byte) ([]byte, error) {
		id, k, body, err := ParseMessage(b)
		return append(AppendMessage(nil, id, k), body...), err
	},
	"failure": func(b []byte) ([]byte, error) { f, err := ParseFailure(b); return f.Append(nil), err },
	"welcome": func(b []byte) ([]byte, error) { w, err := ParseWelcome(b); return w.Append(nil), err },
	"query":   func(b []byte) ([]byte, error) { q, err := ParseQuery(b); return q.Append(nil), err },
	"found":   func(b []byte) ([]byte, error) { f, err := ParseFound(b); return f.Append(nil), err },
	"one": func(b []byte) ([]byte, error) {
		r, found, err := ParseOne(b)
		return AppendOne(nil, r, found), err
	},
	"keys":  func(b []byte) ([]byte, error) { k, err := ParseKeys(b); return AppendKeys(nil, k), err },
	"key":   func(b []byte) ([]byte, error) { k, err := ParseKey(b); return k[:], err },
	"after": func(b []byte) ([]byte, error) { k, err := ParseAfter(b); return k[:], err },
}

func seeds(t testing.TB) map[string][]byte {
	r := sample(t)
	return map[string][]byte{
		"record": r.Append(nil), "word": AppendWord(nil, r.Key, 1, WordAccept, 9)[HeadLen:], "head": AppendHead(nil, r.Key, 7),
		"message": AppendMessage(nil, 1, KindFind), "failure": Failed(CodeBusy, "later").Append(nil), "welcome": Welcome{"a:1", "b"}.Append(nil),
		"query": Query{Type: "socks-server", Attrs: r.Attrs, After: r.Key, Limit: 3}.Append(nil),
		"found": Found{Next: r.Key, Records: []Record{r, r}}.Append(nil), "one": AppendOne(nil, r, true),
		"keys": AppendKeys(nil, []identity.PubKey{r.Key, r.Key}), "key": r.Key[:], "after": make([]byte, 33),
	}
}

func TestParsersAndTruncation(t *testing.T) {
	for name, b := range seeds(t) {
		parse := parsers[name]
		again, err := parse(b)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: %x became %x, %v", name, b, again, err)
		}
		if name == "head" || name == "message" {
			b = b[:min(len(b), HeadLen)]
		}
		for n := range b {
			if _, err := parse(b[:n]); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%s: %d of %d bytes: %v", name, n, len(b), err)
			}
		}
	}
}

func fuzz(f *testing.F, name string) {
	f.Add(seeds(f)[name])
	f.Fuzz(func(t *testing.T, b []byte) {
		if again, err := parsers[name](b); err == nil && !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

func FuzzRecord(f *testing.F) {
	r := sample(f)
	r.Attrs, r.Addrs = append(r.Attrs, Attr{"kind", ""}, Attr{"zone", "a b"}), append(r.Addrs, "quic:[2001:db8::1]:5000")
	r.Services, r.Homes = append(r.Services, Service{"web", "page", 80}), nil
	f.Add(r.Append(nil))
	fuzz(f, "record")
}
func FuzzWord(f *testing.F)    { fuzz(f, "word") }
func FuzzHead(f *testing.F)    { fuzz(f, "head") }
func FuzzMessage(f *testing.F) { fuzz(f, "message") }
func FuzzFailure(f *testing.F) { fuzz(f, "failure") }
func FuzzWelcome(f *testing.F) { fuzz(f, "welcome") }
func FuzzQuery(f *testing.F)   { fuzz(f, "query") }
func FuzzFound(f *testing.F)   { fuzz(f, "found") }
func FuzzOne(f *testing.F)     { fuzz(f, "one") }
func FuzzKeys(f *testing.F)    { fuzz(f, "keys") }
func FuzzKey(f *testing.F)     { fuzz(f, "key") }
func FuzzAfter(f *testing.F)   { fuzz(f, "after") }
