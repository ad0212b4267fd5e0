package app

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
)

func tunnelKey(t testing.TB) identity.PubKey {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

func TestTunnelFrames(t *testing.T) {
	rules := packet.Rules{Accept: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("fd00::/64")}, Refuse: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	body := AppendRules(nil, rules)
	if got, want := hex.EncodeToString(body), "0002"+"00000400000000"+"400010fd000000000000000000000000000000"+"0001"+"0800040a000000"; got != want {
		t.Errorf("rules\ngot  %s\nwant %s", got, want)
	}
	if r, err := ParseRules(body); err != nil || !bytes.Equal(AppendRules(nil, r), body) {
		t.Errorf("rules: %+v, %v", r, err)
	}
	peer := tunnel.Peer{PeerID: tunnel.PeerID{Key: tunnelKey(t), Port: 7}, Prefixes: rules.Accept, Rate: 9}
	pb := AppendPeer(nil, peer)
	if p, err := ParsePeer(pb); err != nil || !bytes.Equal(AppendPeer(nil, p), pb) || p.Rate != 9 || p.PeerID != peer.PeerID {
		t.Errorf("peer: %+v, %v", p, err)
	}
	for n := range body {
		if _, err := ParseRules(body[:n]); err == nil {
			t.Errorf("%d of %d bytes of rules are taken", n, len(body))
		}
	}
	for n := range pb {
		if _, err := ParsePeer(pb[:n]); err == nil {
			t.Errorf("%d of %d bytes of a peer are taken", n, len(pb))
		}
	}
	for _, bad := range []string{"0001" + "2100040a000000" + "0000", "0001" + "0800040a000001" + "0000", "0001" + "0800030a0000" + "0000", "ffff0000"} {
		b, _ := hex.DecodeString(bad)
		if _, err := ParseRules(b); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestCountsComeInParts(t *testing.T) {
	key := tunnelKey(t)
	var peers []tunnel.PeerCount
	for i := range 2*countsPerFrame + 1 {
		peers = append(peers, tunnel.PeerCount{PeerID: tunnel.PeerID{Key: key, Port: uint16(i + 1)}, Count: tunnel.Count{Spoofed: uint64(i)}})
	}
	total := tunnel.Total{Malformed: 1, Unrouted: 2, Unknown: 3, Refused: 4}
	var got []tunnel.PeerCount
	for frames, rest := 1, peers; ; frames++ {
		var body []byte
		body, rest = AppendCounts(nil, total, rest)
		if len(body) > MaxBody {
			t.Fatalf("a frame of %d bytes", len(body))
		}
		n, list, more, err := ParseCounts(body)
		if err != nil || n != total || more != (frames < 3) {
			t.Fatalf("frame %d: %+v, more %v, %v", frames, n, more, err)
		}
		got = append(got, list...)
		if !more {
			break
		}
	}
	if len(got) != len(peers) || got[1000] != peers[1000] {
		t.Errorf("%d peers", len(got))
	}
	if _, _, _, err := ParseCounts([]byte{1}); err == nil {
		t.Error("a short frame is taken")
	}
}

func FuzzTunnelFrames(f *testing.F) {
	key := tunnelKey(f)
	f.Add(AppendRules(nil, packet.Rules{Accept: []netip.Prefix{netip.MustParsePrefix("fd00::/64")}}))
	f.Add(AppendPeer(nil, tunnel.Peer{PeerID: tunnel.PeerID{Key: key, Port: 7}, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/32")}}))
	body, _ := AppendCounts(nil, tunnel.Total{Refused: 1}, []tunnel.PeerCount{{PeerID: tunnel.PeerID{Key: key, Port: 7}}})
	f.Add(body)
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRules(b); err == nil && !bytes.Equal(AppendRules(nil, r), b) {
			t.Errorf("rules %x", b)
		}
		if p, err := ParsePeer(b); err == nil && !bytes.Equal(AppendPeer(nil, p), b) {
			t.Errorf("peer %x", b)
		}
		if total, list, more, err := ParseCounts(b); err == nil && !more {
			if again, _ := AppendCounts(nil, total, list); !bytes.Equal(again, b) {
				t.Errorf("counts %x", b)
			}
		}
	})
}
