package control

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// TestRoutesAreKept: the source says which routes it uses, and shows those that the manager forgot.
func TestRoutesAreKept(t *testing.T) {
	m := newFakeManager(t)
	c, _ := newTestClient(t, m)
	one := SignRoute(m.key, "net", Route{Key: RouteKey{1}, Path: []identity.PubKey{pub(t, 1), pub(t, 3)}})
	two := SignRoute(m.key, "net", Route{Key: RouteKey{2}, Path: []identity.PubKey{pub(t, 1), pub(t, 3)}})
	three := SignRoute(m.key, "net", Route{Key: RouteKey{3}, Path: []identity.PubKey{pub(t, 1), pub(t, 3)}})
	var mu sync.Mutex
	var kept, recalled []RouteKey
	next := []Route{one, two, three}
	m.answer(func(_ context.Context, typ Type, body []byte) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		switch typ {
		case TypeRoute:
			r := next[0]
			next = next[1:]
			return r.Append(nil), nil
		case TypeKeep:
			list, err := ParseRoutes(body)
			kept = list
			return AppendRoutes(nil, append([]RouteKey{{99}}, list...)), err // it knows none, and asks for one that is not ours
		case TypeRecall:
			r, err := ParseRoute(body)
			if err == nil {
				err = r.Verify("net", m.key.Public())
			}
			recalled = append(recalled, r.Key)
			return nil, err
		}
		return nil, nil
	})
	c.cfg.Routes = func() []RouteKey { return []RouteKey{{1}, {2}, {50}} } // 3 is over, 50 is not from Route
	run(t, c.Run)
	for range 3 {
		if _, err := c.Route(longCtx(t), RouteRequest{Dst: pub(t, 3)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.CloseRoute(longCtx(t), RouteKey{2}); err != nil {
		t.Fatal(err)
	}
	(<-m.peers).Close() // the next connection begins with a keep
	for end := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) {
		mu.Lock()
		k, r := slices.Clone(kept), slices.Clone(recalled)
		mu.Unlock()
		// The first connection may have recalled some too, before the second route was closed.
		if slices.Contains(r, RouteKey{3}) || slices.Contains(r, RouteKey{50}) || slices.Contains(r, RouteKey{99}) {
			t.Fatalf("recalled %v", r)
		}
		if slices.Equal(k, []RouteKey{{1}}) && len(r) > 0 && r[len(r)-1] == (RouteKey{1}) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("kept %v, recalled %v; want the one in use", k, r)
		}
	}
	for end := time.Now().Add(wait); len(c.ourRoutes()) != 1; time.Sleep(5 * time.Millisecond) { // the answer is on its way
		if time.Now().After(end) {
			t.Fatalf("remembered: %v", c.ourRoutes())
		}
	}
}

func TestMember(t *testing.T) {
	m := newFakeManager(t)
	c, _ := newTestClient(t, m)
	if err := c.Member(longCtx(t), pub(t, 2)); CodeOf(err) != CodeUnavailable {
		t.Errorf("before there was a manager: %v", err)
	}
	m.mu.Lock()
	m.ask = true
	m.mu.Unlock()
	asked := make(chan identity.PubKey, 10)
	m.answer(func(_ context.Context, typ Type, body []byte) ([]byte, error) {
		if typ != TypeMember {
			return nil, nil
		}
		k, err := ParseKey(body)
		asked <- k
		if err == nil && k == pub(t, 3) {
			err = &Error{Code: CodeNotMember}
		}
		return nil, err
	})
	run(t, c.Run)
	for end := time.Now().Add(wait); !c.Status().Connected && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	for range 3 { // the first answer counts
		if err := c.Member(longCtx(t), pub(t, 2)); err != nil {
			t.Errorf("a member: %v", err)
		}
		if err := c.Member(longCtx(t), pub(t, 3)); CodeOf(err) != CodeNotMember {
			t.Errorf("a stranger: %v", err)
		}
	}
	if len(asked) != 2 {
		t.Errorf("asked %d times, want 2", len(asked))
	}
	now := time.Now()
	c.mu.Lock()
	for k, v := range c.verdicts { // as if all that had taken no time
		c.verdicts[k] = verdict{v.err, now}
	}
	c.mu.Unlock()
	for _, tt := range []struct {
		name  string
		key   identity.PubKey
		here  bool
		after time.Duration
		known bool
	}{
		{"member", pub(t, 2), true, memberFor / 2, true},
		{"member, old word", pub(t, 2), true, memberFor + time.Second, false},
		{"member, manager away", pub(t, 2), false, memberFor + time.Second, true},
		{"member, manager long away", pub(t, 2), false, memberAway + time.Second, false},
		{"stranger", pub(t, 3), true, strangerFor / 2, true},
		{"stranger, old word", pub(t, 3), false, strangerFor + time.Second, false},
		{"nobody", pub(t, 4), true, 0, false},
	} {
		if _, known := c.lastWord(tt.key, tt.here, now.Add(tt.after)); known != tt.known {
			t.Errorf("%s: known %v", tt.name, known)
		}
	}
	c.learn(false) // everybody may
	if err, known := c.lastWord(pub(t, 4), false, now); err != nil || !known {
		t.Errorf("an open network: %v, %v", err, known)
	}
	for i := range maxVerdicts + 10 {
		c.note(identity.PubKey{byte(i >> 8), byte(i)}, verdict{})
	}
	if n := len(c.verdicts); n > maxVerdicts {
		t.Errorf("%d verdicts are kept", n)
	}
}

// TestKeysForgets: garbage is never taken for a key, and what is met often stays.
func TestKeysForgets(t *testing.T) {
	k := new(Keys)
	good, bad := pub(t, 1), identity.PubKey{2, 0xff}
	for i := range bad {
		if i > 0 {
			bad[i] = 0xff // x beyond the field
		}
	}
	for range 3 {
		ok := true
		if got := k.read(wire.NewReader(good[:]), &ok); !ok || got != good {
			t.Fatalf("%v, %v", got, ok)
		}
		if got := k.read(wire.NewReader(bad[:]), &ok); ok || !got.IsZero() {
			t.Fatalf("%v was taken for a key", got)
		}
	}
	for i := range 3 * maxKeys {
		k.add(identity.PubKey{9, byte(i >> 16), byte(i >> 8), byte(i)})
		if i%1000 == 0 && !k.met(good) {
			t.Fatalf("forgotten after %d others", i)
		}
	}
	if len(k.now) > maxKeys || len(k.old) > maxKeys {
		t.Errorf("%d and %d keys", len(k.now), len(k.old))
	}
	ok := true
	if k.read(wire.NewReader(good[:10]), &ok); ok {
		t.Error("ten bytes were taken for a key")
	}
}

func TestReasonsHaveWords(t *testing.T) {
	if ReasonBroken.String() == ReasonBetter.String() || Reason(77).String() == "" {
		t.Error("reasons")
	}
	if !errors.Is(Errorf(CodeNotMember, "x"), &Error{Code: CodeNotMember}) || !needsPerson(&Error{Code: CodeNotMember}) {
		t.Error("a node that may not join would knock without end")
	}
}
