package vpn

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/packet"
)

func sampleWelcome() welcome {
	return welcome{
		Version: 1, Offload: packet.All, Port: 1194, MTU: 1500, KeepAlive: 10 * time.Second,
		Addrs: []netip.Prefix{prefix("10.5.0.2/32"), prefix("fd00::2/128")}, Gateways: []netip.Addr{netip.MustParseAddr("10.5.0.1")},
		DNS: []netip.Addr{netip.MustParseAddr("fd00::1")}, Routes: []netip.Prefix{prefix("192.0.2.0/24")},
	}
}

func TestMessagesGolden(t *testing.T) {
	h := hello{Version: 1, Offload: packet.All, Families: 3, Port: 77}
	h.Proof[0] = 9
	for name, c := range map[string]struct{ got, want string }{
		"hello": {hex.EncodeToString(appendMessage(nil, kindHello, h.append(nil))), "010025" + "010f03004d" + "09" + strings.Repeat("00", 31)},
		"welcome": {hex.EncodeToString(appendMessage(nil, kindWelcome, sampleWelcome().append(nil))), "020049" + "010f04aa05dc000a" +
			"0002" + "2000040a050002" + "800010fd000000000000000000000000000002" + "0001" + "00040a050001" + "0001" + "0010fd000000000000000000000000000001" +
			"0001" + "180004c0000200"},
		"refusal": {hex.EncodeToString(appendMessage(nil, kindRefusal, (&Refusal{Code: CodeFull, Text: "no"}).append(nil))), "030005" + "04" + "00026e6f"},
	} {
		if c.got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, c.got, c.want)
		}
	}
}

func TestMessagesRoundTrip(t *testing.T) {
	b := sampleWelcome().append(nil)
	w, err := parseWelcome(append(b, 1, 2, 3)) // of a later version
	if err != nil || !bytes.Equal(w.append(nil), b) {
		t.Errorf("%+v, %v", w, err)
	}
	for n := range b {
		if _, err := parseWelcome(b[:n]); err == nil {
			t.Errorf("%d of %d bytes of a welcome are taken", n, len(b))
		}
	}
	h := hello{Version: 1, Families: 1, Port: 3}.append(nil)
	for n := range h {
		if _, err := parseHello(h[:n]); err == nil {
			t.Errorf("%d of %d bytes of a hello are taken", n, len(h))
		}
	}
}

// What a hostile exit may name.
func TestWelcomesOfNoSense(t *testing.T) {
	for name, change := range map[string]func(*welcome){
		"no address":        func(w *welcome) { w.Addrs = nil },
		"a whole network":   func(w *welcome) { w.Addrs[0] = prefix("10.0.0.0/8") },
		"two of a family":   func(w *welcome) { w.Addrs[1] = prefix("10.5.0.3/32") },
		"loopback":          func(w *welcome) { w.Addrs[0] = prefix("127.0.0.1/32") },
		"multicast":         func(w *welcome) { w.Gateways[0] = netip.MustParseAddr("224.0.0.1") },
		"broadcast":         func(w *welcome) { w.Gateways[0] = netip.MustParseAddr("255.255.255.255") },
		"resolver on ::1":   func(w *welcome) { w.DNS[0] = netip.MustParseAddr("::1") },
		"mapped":            func(w *welcome) { w.DNS[0] = netip.MustParseAddr("::ffff:1.2.3.4") },
		"link-local":        func(w *welcome) { w.Addrs[1] = prefix("fe80::1/128") },
		"small MTU":         func(w *welcome) { w.MTU = 100 },
		"no keepalive":      func(w *welcome) { w.KeepAlive = 0 },
		"no port":           func(w *welcome) { w.Port = 0 },
		"too many routes":   func(w *welcome) { w.Routes = make([]netip.Prefix, maxRoutes+1) },
		"host bits in nets": func(w *welcome) { w.Routes[0] = netip.MustParsePrefix("192.0.2.1/24") },
	} {
		w := sampleWelcome()
		change(&w)
		if name == "too many routes" {
			for i := range w.Routes {
				w.Routes[i] = prefix("192.0.2.0/24")
			}
		}
		if _, err := parseWelcome(w.append(nil)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestRefusalsAreTold(t *testing.T) {
	for _, c := range []struct {
		r    Refusal
		want string
	}{
		{Refusal{Code: CodeFull}, "the VPN server refuses: no address is left"},
		{Refusal{Code: 99, Text: "\x1b[2J"}, `the VPN server refuses: code 99 ("\x1b[2J")`},
	} {
		if got := c.r.Error(); got != c.want {
			t.Errorf("got %s", got)
		}
	}
	long := &Refusal{Code: 1, Text: strings.Repeat("x", 1000)}
	if r, err := parseRefusal(long.append(nil)); err != nil || len(r.Text) != maxText {
		t.Errorf("%v, %v", r, err)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(uint8(kindHello), hello{Version: 1, Families: 3, Port: 7}.append(nil))
	f.Add(uint8(kindWelcome), sampleWelcome().append(nil))
	f.Add(uint8(kindRefusal), (&Refusal{Code: 1, Text: "x"}).append(nil))
	f.Add(uint8(kindPing), appendStamp(nil, 5))
	f.Fuzz(func(t *testing.T, k uint8, body []byte) {
		again := func(got []byte, err error) {
			if err == nil && !bytes.HasPrefix(body, got) {
				t.Fatalf("%x became %x", body, got)
			}
		}
		switch kind(k) {
		case kindHello:
			h, err := parseHello(body)
			again(h.append(nil), err)
		case kindWelcome:
			w, err := parseWelcome(body)
			again(w.append(nil), err)
		case kindRefusal:
			r, err := parseRefusal(body)
			if err == nil {
				again(r.append(nil), nil)
				_ = r.Error()
			}
		case kindPing:
			at, err := parseStamp(body)
			again(appendStamp(nil, at), err)
		}
		m := appendMessage(nil, kind(k), body[:min(len(body), maxMessage)])
		got, b, err := readMessage(bytes.NewReader(m), make([]byte, maxMessage))
		if err != nil || got != kind(k) || !bytes.Equal(b, body[:min(len(body), maxMessage)]) {
			t.Fatalf("%v %x, %v", got, b, err)
		}
		_ = fmt.Sprint(got)
	})
}

// FuzzRead: what is read of a stream is what was written, message by message.
func FuzzRead(f *testing.F) {
	two := appendMessage(appendMessage(nil, kindPing, appendStamp(nil, 5)), kindWelcome, sampleWelcome().append(nil))
	f.Add(two)
	f.Add(two[:len(two)-1])
	f.Add(appendMessage(nil, kindRefusal, nil))
	f.Add([]byte{1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		in, buf := bytes.NewReader(b), make([]byte, messageHeader+maxMessage)
		var again []byte
		for {
			k, body, err := readMessage(in, buf)
			if err != nil {
				break
			}
			again = appendMessage(again, k, body)
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%x is read as %x", b, again)
		}
	})
}
