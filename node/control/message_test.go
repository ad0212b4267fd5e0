package control

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// testKey makes a key pair that is the same in every run.
func testKey(t testing.TB, n byte) *identity.Key {
	t.Helper()
	sec := make([]byte, identity.SecKeyLen)
	sec[31] = n
	k, err := identity.FromSecret(sec)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pub(t testing.TB, n byte) identity.PubKey { return testKey(t, n).Public() }

var testTime = time.UnixMilli(1_700_000_000_123)

func testNode(t testing.TB) NodeRecord {
	return SignNode(testKey(t, 1), "net", NodeRecord{
		Name: "node0", Addrs: []string{"10.0.0.1:9000", "[2001:db8::1]:9000"}, Connect: true, Seq: 7, Issued: testTime,
	})
}

func testApp(t testing.TB) AppRecord {
	return SignApp(testKey(t, 1), "net", AppRecord{Name: "sockssrv0", Type: "socks-server", Port: 1080, Issued: testTime})
}

func testHop(t testing.TB) Hop {
	return SignHop(testKey(t, 9), "net", Hop{
		Route: RouteKey{1, 2, 3}, Node: pub(t, 2), Src: pub(t, 1), Dst: pub(t, 3), Prev: pub(t, 1), Next: pub(t, 3),
		PrevIn: 11, PrevOut: 12, NextIn: 13, NextOut: 14, Issued: testTime,
	})
}

func testRoute(t testing.TB) Route {
	return SignRoute(testKey(t, 9), "net", Route{Key: RouteKey{5}, Path: []identity.PubKey{pub(t, 1), pub(t, 2), pub(t, 3)}, Issued: testTime})
}

// codec is one kind of message: a value of ours, and a parser that appends what it read.
type codec struct {
	name  string
	value []byte
	parse func(b []byte) ([]byte, error)
}

func again[T any](parse func([]byte) (T, error), add func(T) []byte) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		v, err := parse(b)
		if err != nil {
			return nil, err
		}
		return add(v), nil
	}
}

func codecs(t testing.TB) []codec {
	node, app, hop := testNode(t), testApp(t), testHop(t)
	bye := SignAppRemoval(testKey(t, 1), "net", AppRemoval{Name: "sockssrv0", Issued: testTime})
	query := AppQuery{Name: "a", Type: "b", Key: pub(t, 1)}
	ask := RouteRequest{Dst: pub(t, 3), MinHops: 1, MaxHops: 5, Via: []identity.PubKey{pub(t, 2)}, Avoid: []identity.PubKey{pub(t, 4), pub(t, 5)},
		Beside: []identity.PubKey{pub(t, 6)}, Instead: []identity.PubKey{pub(t, 2), pub(t, 3)}}
	route := testRoute(t)
	report := Report{Node: node, Links: []LinkReport{
		{Peer: pub(t, 2), RTT: 1500 * time.Microsecond, Jitter: 20 * time.Microsecond, Loss: maxLoss, Capacity: 1 << 40, Up: testTime, SentBytes: 1, RecvBytes: 2, Carrier: "tcp"}, {Peer: pub(t, 3)},
	}}
	near := []Neighbour{{Key: pub(t, 2), Addrs: []string{"example.org:1"}}, {Key: pub(t, 3)}}
	refusal := &Error{Code: CodeNoRoute, Text: "no such thing"}
	return []codec{
		{"node", node.Append(nil), again(ParseNode, func(v NodeRecord) []byte { return v.Append(nil) })},
		{"register", Register{Instance{9}, node}.Append(nil), again(ParseRegister, func(v Register) []byte { return v.Append(nil) })},
		{"report", report.Append(nil), again(ParseReport, func(v Report) []byte { return v.Append(nil) })},
		{"route request", ask.Append(nil), again(ParseRouteRequest, func(v RouteRequest) []byte { return v.Append(nil) })},
		{"route", route.Append(nil), again(ParseRoute, func(v Route) []byte { return v.Append(nil) })},
		{"report, keys met", report.Append(nil), again(new(Keys).ParseReport, func(v Report) []byte { return v.Append(nil) })},
		{"keep", AppendRoutes(nil, []RouteKey{{1}, {2}}), again(ParseRoutes, func(v []RouteKey) []byte { return AppendRoutes(nil, v) })},
		{"reroute", Reroute{RouteKey{3}, ReasonBetter}.Append(nil), again(ParseReroute, func(v Reroute) []byte { return v.Append(nil) })},
		{"ask", AppendAsk(nil, true), again(parseAsk, func(v bool) []byte { return AppendAsk(nil, v) })},
		{"route key", route.Key[:], again(ParseRouteKey, func(v RouteKey) []byte { return v[:] })},
		{"name", AppendText(nil, "node0.mysterious.network"), again(ParseName, func(v string) []byte { return AppendText(nil, v) })},
		{"node name", AppendText(nil, "node0"), again(parseNodeName, func(v string) []byte { return AppendText(nil, v) })},
		{"no node name", AppendText(nil, ""), again(parseNodeName, func(v string) []byte { return AppendText(nil, v) })},
		{"address", AppendText(nil, "10.0.0.1:9000"), again(ParseAddress, func(v string) []byte { return AppendText(nil, v) })},
		{"key", appendKey(nil, pub(t, 1)), again(parseKey, func(v identity.PubKey) []byte { return v[:] })},
		{"app", app.Append(nil), again(ParseApp, func(v AppRecord) []byte { return v.Append(nil) })},
		{"app removal", bye.Append(nil), again(ParseAppRemoval, func(v AppRemoval) []byte { return v.Append(nil) })},
		{"app query", query.Append(nil), again(ParseAppQuery, func(v AppQuery) []byte { return v.Append(nil) })},
		{"apps", AppendApps(nil, []AppRecord{app, app}), again(ParseApps, func(v []AppRecord) []byte { return AppendApps(nil, v) })},
		{"hop", hop.Append(nil), again(ParseHop, func(v Hop) []byte { return v.Append(nil) })},
		{"neighbours", AppendNeighbours(nil, near), again(ParseNeighbours, func(v []Neighbour) []byte { return AppendNeighbours(nil, v) })},
		{"error", refusal.append(nil), again(parseError, func(v *Error) []byte { return v.append(nil) })},
	}
}

func TestParseAppend(t *testing.T) {
	for _, c := range codecs(t) {
		got, err := c.parse(c.value)
		if err != nil || !bytes.Equal(got, c.value) {
			t.Errorf("%s: %x became %x, %v", c.name, c.value, got, err)
		}
		if _, err := c.parse(append(bytes.Clone(c.value), 0)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s with a byte more: %v", c.name, err)
		}
		for n := range len(c.value) {
			if _, err := c.parse(c.value[:n]); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%s cut to %d bytes: %v", c.name, n, err)
			}
		}
	}
}

func TestValuesSurvive(t *testing.T) {
	check := func(got, want any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
	n, err := ParseNode(testNode(t).Append(nil))
	check(n, testNode(t), err)
	a, err := ParseApp(testApp(t).Append(nil))
	check(a, testApp(t), err)
	h, err := ParseHop(testHop(t).Append(nil))
	check(h, testHop(t), err)
	r, err := ParseRoute(testRoute(t).Append(nil))
	check(r, testRoute(t), err)
	e := SignHop(testKey(t, 9), "", Hop{Route: RouteKey{1}, Node: pub(t, 1), Src: pub(t, 1), Dst: pub(t, 3), Next: pub(t, 3), NextIn: 1, NextOut: 2})
	h, err = ParseHop(e.Append(nil))
	check(h, e, err)
}

// TestGolden pins the bytes of version 1.
func TestGolden(t *testing.T) {
	k1 := "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	k2 := "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
	k3 := "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"
	stamp := "0000018bcfe5687b"
	life := "0000018bcfe6c80b"
	hop := testHop(t)
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"header", appendHeader(nil, TypeInstall, 0x01020304), "01" + "10" + "01020304"},
		{"node", testNode(t).appendFields(nil), k1 + "0005" + hex.EncodeToString([]byte("node0")) +
			"0002" + "000d" + hex.EncodeToString([]byte("10.0.0.1:9000")) + "0012" + hex.EncodeToString([]byte("[2001:db8::1]:9000")) +
			"01" + "0000000000000007" + stamp + life},
		{"app", testApp(t).appendFields(nil), "0009" + hex.EncodeToString([]byte("sockssrv0")) +
			"000c" + hex.EncodeToString([]byte("socks-server")) + k1 + "0438" + stamp + life},
		{"hop", hop.appendFields(nil), "01020300000000000000000000000000" + k2 + k1 + k3 + k1 + k3 +
			"0000000b" + "0000000c" + "0000000d" + "0000000e" + "000493e0" + stamp},
		{"route request", RouteRequest{Dst: pub(t, 1), MaxHops: 3, Via: []identity.PubKey{pub(t, 2)}}.Append(nil), k1 + "00" + "03" + "0001" + k2 + "000000000000"},
		{"query", AppQuery{Type: "x"}.Append(nil), "0000" + "0001" + "78" + strings.Repeat("00", 33)},
		{"refusal", failure(5, &Error{Code: CodeNameTaken, Text: "hi"}), "01ff00000005" + "000b" + "0002" + "6869"},
		{"route", testRoute(t).appendFields(nil), "05000000000000000000000000000000" + "0003" + k1 + k2 + k3 + stamp},
		{"keep", AppendRoutes(nil, []RouteKey{{7}}), "0001" + "07000000000000000000000000000000"},
		{"reroute", Reroute{RouteKey{7}, ReasonBroken}.Append(nil), "07000000000000000000000000000000" + "01"},
		{"ask", AppendAsk(nil, true), "01"},
		{"link", LinkReport{Peer: pub(t, 2), RTT: time.Millisecond, Jitter: 2 * time.Microsecond, Loss: 3, Capacity: 5, Up: testTime, SentBytes: 3, RecvBytes: 4, Carrier: "tcp"}.append(nil),
			k2 + "000003e8" + "00000002" + "00000003" + "0000000000000005" + stamp + "0000000000000003" + "0000000000000004" + "0003" + "746370"},
		// The signature is deterministic (RFC 6979), so it pins tag and body too.
		{"hop signature", hop.Sig[:], "13d6c57a6e94792e3735daec265ebd89d8fcfc6fcaa16918b0aa98515fb0cc33" +
			"188cd2810e6ef6cc9bacd34144b77ce655f4204bb04fdd359596283df8f1ae7b" + "00"},
	}
	for _, tt := range tests {
		if got := hex.EncodeToString(tt.got); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	if n := len(hop.Append(nil)); n != HopLen {
		t.Errorf("a hop of %d bytes, want %d", n, HopLen)
	}
}

func TestSignatures(t *testing.T) {
	node, app, hop := testNode(t), testApp(t), testHop(t)
	bye := SignAppRemoval(testKey(t, 1), "net", AppRemoval{Name: "x"})
	for name, err := range map[string]error{
		"node": node.Verify("net"), "app": app.Verify("net"), "hop": hop.Verify("net", pub(t, 9)), "route": testRoute(t).Verify("net", pub(t, 9)), "removal": bye.Verify("net"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	changed, port, other := node, app, hop
	detour := testRoute(t)
	detour.Path[1] = pub(t, 4)
	changed.Seq++
	port.Port++
	other.NextOut++
	for name, err := range map[string]error{
		"node, network":    node.Verify("other"),
		"node, seq":        changed.Verify("net"),
		"app, network":     app.Verify(""),
		"app, port":        port.Verify("net"),
		"hop, network":     hop.Verify("other", pub(t, 9)),
		"hop, key":         hop.Verify("net", pub(t, 1)),
		"route, network":   testRoute(t).Verify("other", pub(t, 9)),
		"route, key":       testRoute(t).Verify("net", pub(t, 1)),
		"route, path":      detour.Verify("net", pub(t, 9)),
		"hop, number":      other.Verify("net", pub(t, 9)),
		"removal, network": bye.Verify(""),
	} {
		if !errors.Is(err, identity.ErrSignature) {
			t.Errorf("%s: %v, want a bad signature", name, err)
		}
	}
}

func TestRefusedValues(t *testing.T) {
	node := func(change func(*NodeRecord)) error {
		r := testNode(t)
		change(&r)
		_, err := ParseNode(r.Append(nil))
		return err
	}
	hop := func(change func(*Hop)) error {
		h := testHop(t)
		change(&h)
		_, err := ParseHop(h.Append(nil))
		return err
	}
	app := func(change func(*AppRecord)) error {
		r := testApp(t)
		change(&r)
		_, err := ParseApp(r.Append(nil))
		return err
	}
	ask := func(q RouteRequest) error { _, err := ParseRouteRequest(q.Append(nil)); return err }
	links := func(l ...LinkReport) error {
		_, err := ParseReport(Report{testNode(t), l}.Append(nil))
		return err
	}
	a, b, c := pub(t, 1), pub(t, 2), pub(t, 3)
	tooLost := Report{testNode(t), []LinkReport{{Peer: b, Loss: maxLoss}}}.Append(nil)
	tooLost[len(tooLost)-minLink+identity.PubKeyLen+8]++
	_, lost := ParseReport(tooLost)
	for name, err := range map[string]error{
		"name with a space":      node(func(r *NodeRecord) { r.Name = "a b" }),
		"name of 64":             node(func(r *NodeRecord) { r.Name = strings.Repeat("a", 64) }),
		"unspecified v4":         node(func(r *NodeRecord) { r.Addrs = []string{"0.0.0.0:80"} }),
		"unspecified v6":         node(func(r *NodeRecord) { r.Addrs = []string{"[::]:80"} }),
		"port 0":                 node(func(r *NodeRecord) { r.Addrs = []string{"1.2.3.4:0"} }),
		"another spelling":       node(func(r *NodeRecord) { r.Addrs = []string{"EXAMPLE.org:80"} }),
		"address twice":          node(func(r *NodeRecord) { r.Addrs = []string{"1.2.3.4:1", "1.2.3.4:1"} }),
		"17 addresses":           node(func(r *NodeRecord) { r.Addrs = make([]string, 17) }),
		"expires before issued":  node(func(r *NodeRecord) { r.Expires = r.Issued.Add(-time.Second) }),
		"never expires":          node(func(r *NodeRecord) { r.Expires = r.Issued.Add(time.Hour) }),
		"no issue":               node(func(r *NodeRecord) { r.Issued = time.Time{} }),
		"app without name":       app(func(r *AppRecord) { r.Name = "" }),
		"app without type":       app(func(r *AppRecord) { r.Type = "" }),
		"hop to itself":          hop(func(h *Hop) { h.Next = h.Node }),
		"hop back":               hop(func(h *Hop) { h.Next = h.Prev }),
		"hop without next":       hop(func(h *Hop) { h.Next = identity.PubKey{} }),
		"hop, next without id":   hop(func(h *Hop) { h.NextIn = 0 }),
		"hop at src with prev":   hop(func(h *Hop) { h.Node = h.Src }),
		"hop at dst with next":   hop(func(h *Hop) { h.Node = h.Dst }),
		"hop in a ring":          hop(func(h *Hop) { h.Dst = h.Src }),
		"hop backwards":          hop(func(h *Hop) { h.Prev, h.Next = h.Dst, h.Src }),
		"hop without idle":       hop(func(h *Hop) { h.Idle = 0 }),
		"hop for ever":           hop(func(h *Hop) { h.Idle = 25 * time.Hour }),
		"route of 17":            ask(RouteRequest{Dst: a, MaxHops: 17}),
		"route min over max":     ask(RouteRequest{Dst: a, MinHops: 3, MaxHops: 2}),
		"route via its end":      ask(RouteRequest{Dst: a, Via: []identity.PubKey{a}}),
		"route avoids its end":   ask(RouteRequest{Dst: a, Avoid: []identity.PubKey{a}}),
		"route via and avoids":   ask(RouteRequest{Dst: a, Via: []identity.PubKey{b}, Avoid: []identity.PubKey{c, b}}),
		"route beside a circle":  ask(RouteRequest{Dst: a, Beside: []identity.PubKey{b, c, b}}),
		"route via one twice":    ask(RouteRequest{Dst: a, Via: []identity.PubKey{b, c, b}}),
		"route beside 18":        ask(RouteRequest{Dst: a, Beside: make([]identity.PubKey, MaxHops+2)}),
		"route instead of 18":    ask(RouteRequest{Dst: a, Instead: make([]identity.PubKey, MaxHops+2)}),
		"more than all lost":     lost,
		"link to itself":         links(LinkReport{Peer: a}),
		"link twice":             links(LinkReport{Peer: b}, LinkReport{Peer: b}),
		"carrier with a newline": links(LinkReport{Peer: b, Carrier: "a\nb"}),
	} {
		if !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v, want malformed", name, err)
		}
	}
}

// TestLargestMessagesFit holds the limits of fields against that of messages.
func TestLargestMessagesFit(t *testing.T) {
	node := testNode(t)
	node.Name = strings.Repeat("a", MaxNameLen)
	node.Addrs = make([]string, MaxAddrs)
	for i := range node.Addrs {
		node.Addrs[i] = strings.Repeat("a", MaxAddrLen)
	}
	report := Report{Node: node, Links: make([]LinkReport, MaxLinks)}
	for i := range report.Links {
		report.Links[i].Carrier = strings.Repeat("c", MaxCarrierLen)
	}
	app := testApp(t)
	app.Name, app.Type = strings.Repeat("a", MaxNameLen), strings.Repeat("a", MaxLabelLen)
	apps := make([]AppRecord, MaxApps)
	near := make([]Neighbour, MaxNeighbours)
	for i := range apps {
		apps[i] = app
	}
	for i := range near {
		near[i].Addrs = node.Addrs
	}
	for name, b := range map[string][]byte{
		"report": report.Append(nil), "apps": AppendApps(nil, apps), "neighbours": AppendNeighbours(nil, near),
		"keep": AppendRoutes(nil, make([]RouteKey, 2*MaxKept)),
	} {
		if headerLen+len(b) > MaxMessage {
			t.Errorf("%s: %d bytes", name, len(b))
		}
	}
}

func TestCanonicalAddr(t *testing.T) {
	tests := []struct{ in, want string }{
		{"127.0.0.1:80", "127.0.0.1:80"},
		{"[::ffff:1.2.3.4]:80", "1.2.3.4:80"},
		{"[2001:DB8:0::1]:080", "[2001:db8::1]:80"},
		{"Example.ORG:443", "example.org:443"},
		{":80", ""}, {"host", ""}, {"host:", ""}, {"host:0", ""}, {"host:65536", ""}, {"host:http", ""},
		{"[::]:80", ""}, {"0.0.0.0:80", ""}, {"[fe80::1%eth0]:80", ""}, {"a..b:80", ""}, {"a_b.c:1", "a_b.c:1"},
		{strings.Repeat("a", 300) + ":80", ""}, {"a b:80", ""}, {"::1:80", ""},
	}
	for _, tt := range tests {
		got, err := CanonicalAddr(tt.in)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q became %q, %v; want %q", tt.in, got, err, tt.want)
		}
		if tt.want != "" {
			if twice, _ := CanonicalAddr(got); twice != got {
				t.Errorf("%q is not stable: %q", got, twice)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	e := Errorf(CodeNoRoute, "to %s", "x")
	if !errors.Is(e, &Error{Code: CodeNoRoute}) || errors.Is(e, &Error{Code: CodeQuota}) || CodeOf(e) != CodeNoRoute {
		t.Error("a code is not recognised")
	}
	if e.Error() != "no route: to x" || (&Error{Code: 999}).Error() != "code 999" {
		t.Errorf("%v", e)
	}
	hostile := "a\x1b[2J\nb\xff" + strings.Repeat("é", MaxTextLen)
	clean := cleanText(hostile)
	if len(clean) > MaxTextLen || strings.ContainsAny(clean, "\x1b\n") || !utf8.ValidString(clean) || !strings.HasSuffix(clean, "é") {
		t.Errorf("%q", clean)
	}
	if e := asError(malformed("x")); e.Code != CodeBadRequest {
		t.Errorf("%v", e)
	}
	if e := asError(errors.New("disk /secret/path full")); e.Code != CodeInternal || e.Text != "" {
		t.Errorf("%v tells what it should not", e)
	}
}

func FuzzParse(f *testing.F) {
	list := codecs(f)
	rnd := rand.New(rand.NewPCG(1, 1))
	for i, c := range list {
		f.Add(uint8(i), c.value)
		broken := bytes.Clone(c.value)
		broken[rnd.IntN(len(broken))] ^= 1 << rnd.IntN(8)
		f.Add(uint8(i), broken)
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		c := list[int(which)%len(list)]
		got, err := c.parse(b)
		if err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Fatalf("%s: %v", c.name, err)
			}
			return
		}
		// Texts of errors are cleaned, so only they may change; once clean they stay.
		if c.name == "error" {
			b = got
			if got, err = c.parse(b); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, b) {
			t.Fatalf("%s: %x became %x", c.name, b, got)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add(appendHeader(nil, TypeInstall, 7))
	f.Add(failure(1, &Error{Code: CodeBusy}))
	f.Fuzz(func(t *testing.T, b []byte) {
		typ, id, body, err := parseHeader(b)
		if err == nil && !bytes.Equal(append(appendHeader(nil, typ, id), body...), b) {
			t.Fatalf("%x", b)
		}
	})
}
