package route

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// keys are n public keys, ascending.
func keys(t testing.TB, n int) []identity.PubKey {
	t.Helper()
	list := make([]identity.PubKey, n)
	for i := range list {
		k, err := identity.FromSecret(bytes.Repeat([]byte{byte(i + 1)}, 32))
		if err != nil {
			t.Fatal(err)
		}
		list[i] = k.Public()
	}
	slices.SortFunc(list, func(a, b identity.PubKey) int { return bytes.Compare(a[:], b[:]) })
	return list
}

func samples(t testing.TB) []Terms {
	k := keys(t, 16)
	return []Terms{
		{},
		{MinHops: 2, MaxHops: 2},
		{MinHops: 1},
		{MaxHops: 16},
		{MinHops: 2, MaxHops: 5, Via: []identity.PubKey{k[3], k[1]}, Avoid: k[4:6]},
		{Via: k[:8], Avoid: k[8:]},
	}
}

func TestCheck(t *testing.T) {
	k := keys(t, 10)
	for name, c := range map[string]struct {
		t  Terms
		ok bool
	}{
		"nothing":            {Terms{}, true},
		"three links":        {Terms{MinHops: 3, MaxHops: 3}, true},
		"via and avoid":      {Terms{Via: k[:2], Avoid: k[2:4]}, true},
		"too many links":     {Terms{MinHops: MaxHops + 1}, false},
		"more than at most":  {Terms{MinHops: 3, MaxHops: 2}, false},
		"via two in two":     {Terms{MaxHops: 2, Via: k[:2]}, false},
		"via nine":           {Terms{Via: k[:9]}, false},
		"avoid nine":         {Terms{Avoid: k[:9]}, false},
		"via one twice":      {Terms{Via: []identity.PubKey{k[0], k[0]}}, false},
		"via what it avoids": {Terms{Via: k[:1], Avoid: k[:1]}, false},
	} {
		if err := c.t.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMet(t *testing.T) {
	k := keys(t, 6)
	at := func(i ...int) (list []identity.PubKey) {
		for _, i := range i {
			list = append(list, k[i])
		}
		return list
	}
	for name, c := range map[string]struct {
		t    Terms
		path []identity.PubKey
		ok   bool
	}{
		"anything":            {Terms{}, at(0, 1), true},
		"no path":             {Terms{}, at(0), false},
		"direct, two asked":   {Terms{MinHops: 2}, at(0, 1), false},
		"two":                 {Terms{MinHops: 2, MaxHops: 2}, at(0, 2, 1), true},
		"three, two at most":  {Terms{MaxHops: 2}, at(0, 2, 3, 1), false},
		"passed in order":     {Terms{Via: at(2, 3)}, at(0, 2, 4, 3, 1), true},
		"passed out of order": {Terms{Via: at(3, 2)}, at(0, 2, 4, 3, 1), false},
		"not passed":          {Terms{Via: at(5)}, at(0, 2, 1), false},
		"the end is passed":   {Terms{Via: at(2, 1)}, at(0, 2, 1), true},
		"not avoided":         {Terms{Avoid: at(2)}, at(0, 2, 1), false},
		"the end not avoided": {Terms{Avoid: at(1)}, at(0, 2, 1), false},
	} {
		if err := c.t.Met(c.path); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRoundTrips(t *testing.T) {
	for _, c := range samples(t) {
		b := c.Append(nil)
		r := wire.NewReader(b)
		got, err := Read(r)
		if err != nil || r.Done() != nil || got.String() != c.String() {
			t.Errorf("%v came back as %v, %v", c, got, err)
		}
		for n := range b {
			if _, err := Read(wire.NewReader(b[:n])); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%d of %d bytes of %v were taken: %v", n, len(b), c, err)
			}
		}
		if got, err := Parse(c.String()); err != nil || got.String() != c.String() {
			t.Errorf("%q came back as %v, %v", c, got, err)
		}
	}
	k := keys(t, 2)
	twice := Terms{Avoid: []identity.PubKey{k[1], k[0], k[1]}}
	if got, err := Read(wire.NewReader(twice.Append(nil))); err != nil || !slices.Equal(got.Avoid, k) || got.String() != twice.String() {
		t.Errorf("nodes to avoid came back as %v, %v", got.Avoid, err)
	}
}

func TestGolden(t *testing.T) {
	k := keys(t, 3)
	c := Terms{MinHops: 2, MaxHops: 4, Via: k[2:], Avoid: []identity.PubKey{k[1], k[0]}}
	if got, want := hex.EncodeToString(c.Append(nil)), "0204"+"01"+k[2].String()+"02"+k[0].String()+k[1].String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := c.String(), "--min-hops 2 --max-hops 4 --via "+k[2].String()+" --avoid "+k[0].String()+","+k[1].String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c = Terms{MinHops: 2, MaxHops: 2, Via: k[:1]}
	if got, want := c.Brief(nil), "--hops 2 --via "+k[0].Short(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestHostile(t *testing.T) {
	k := keys(t, 2)
	key := func(i int) string { return string(k[i][:]) }
	for name, text := range map[string]string{
		"nine to pass":   "\x00\x00\x09" + strings.Repeat(key(0), 9) + "\x00",
		"descending":     "\x00\x00\x00\x02" + key(1) + key(0),
		"avoided twice":  "\x00\x00\x00\x02" + key(0) + key(0),
		"no key":         "\x00\x00\x01" + strings.Repeat("\xff", 33) + "\x00",
		"zeros":          "\x00\x00\x01" + strings.Repeat("\x00", 33) + "\x00",
		"3 at least, 2":  "\x03\x02\x00\x00",
		"17 links":       "\x11\x00\x00\x00",
		"pass and avoid": "\x00\x00\x01" + key(0) + "\x01" + key(0),
	} {
		if got, err := Read(wire.NewReader([]byte(text))); err == nil {
			t.Errorf("%s was taken: %v", name, got)
		}
	}
	for _, text := range []string{
		"--hops", "--hops 0", "--hops 256", "--hops x", "--hops 17", "--via x", "--what 2", "--min-hops 3 --max-hops 2", "--via " + strings.Repeat(k[0].String()+",", 9) + k[1].String(),
	} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q was taken: %v", text, got)
		}
	}
}

func TestJoin(t *testing.T) {
	k := keys(t, 9)
	via := func(i ...int) (t Terms) {
		for _, i := range i {
			t.Via = append(t.Via, k[i])
		}
		return t
	}
	for name, c := range map[string]struct {
		a, b, want Terms
		err        string // in the error; "": none
	}{
		"nothing":               {Terms{}, Terms{}, Terms{}, ""},
		"the node's":            {Terms{MinHops: 2}, Terms{}, Terms{MinHops: 2}, ""},
		"the app's":             {Terms{}, Terms{MinHops: 2}, Terms{MinHops: 2}, ""},
		"the stricter numbers":  {Terms{MinHops: 2, MaxHops: 6}, Terms{MinHops: 3, MaxHops: 4}, Terms{MinHops: 3, MaxHops: 4}, ""},
		"most of the app":       {Terms{MinHops: 2}, Terms{MaxHops: 4}, Terms{MinHops: 2, MaxHops: 4}, ""},
		"avoid both":            {Terms{Avoid: k[:2]}, Terms{Avoid: k[1:3]}, Terms{Avoid: k[:3]}, ""},
		"pass both":             {via(0, 1), via(2), via(0, 1, 2), ""},
		"pass in common":        {via(0, 1, 2), via(3, 1, 4), via(0, 3, 1, 2, 4), ""},
		"order contradicts":     {via(0, 1), via(1, 0), Terms{}, "before another node, and after it"},
		"numbers contradict":    {Terms{MaxHops: 2}, Terms{MinHops: 3}, Terms{}, "--min-hops 3 against --max-hops 2: at least 3"},
		"pass what is avoided":  {Terms{Avoid: k[:1]}, via(0), Terms{}, "again or not at all"},
		"too many to pass":      {via(0, 1, 2, 3), via(4, 5, 6, 7, 8), Terms{}, "more than 8"},
		"too many for the hops": {Terms{MaxHops: 2}, via(4, 5), Terms{}, "need more than 2 links"},
		"a foolish app":         {Terms{}, Terms{MinHops: 3, MaxHops: 1}, Terms{}, "at least 3"},
	} {
		got, err := Join(c.a, c.b)
		switch {
		case c.err == "" && (err != nil || got.String() != c.want.String()):
			t.Errorf("%s: %v, %v", name, got, err)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %v, %v; want an error with %q", name, got, err, c.err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range samples(f) {
		f.Add(c.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(b)
		c, err := Read(r)
		if err != nil || r.Done() != nil {
			return
		}
		if !bytes.Equal(c.Append(nil), b) {
			t.Errorf("%x is a second encoding of %v", b, c)
		}
		if got, err := Parse(c.String()); err != nil || got.String() != c.String() {
			t.Errorf("%q: %v, %v", c, got, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, c := range samples(f) {
		f.Add(c.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		if got, err := Parse(c.String()); err != nil || got.String() != c.String() {
			t.Errorf("%q: %v, %v", c, got, err)
		}
		if got, err := Read(wire.NewReader(c.Append(nil))); err != nil || got.String() != c.String() {
			t.Errorf("%q in bytes: %v, %v", c, got, err)
		}
	})
}
