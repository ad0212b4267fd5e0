package secure

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/flynn/noise"
	"github.com/skycoin/viscript/node/identity"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should happen at once.
const patience = 30 * time.Second

func newKey(t testing.TB) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// keyOf is the key whose secret is 32 times b.
func keyOf(t testing.TB, b byte) *identity.Key {
	t.Helper()
	k, err := identity.FromSecret(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// linkConfig and controlConfig have the patience of tests: a machine that stands still for five seconds fails no handshake.
func linkConfig(k *identity.Key) Config {
	return Config{Local: k, Kind: KindLink, Network: "test", limit: patience}
}

func controlConfig(k *identity.Key) Config {
	return Config{Local: k, Kind: KindControl, limit: patience}
}

// hasty is a config with the time limit that users have.
func hasty(c Config) Config {
	c.limit = 0
	return c
}

// pair is the two sides of a handshake that nothing was sent in yet.
func pair(t testing.TB, initiator, responder *identity.Key) (i, r *Handshake) {
	t.Helper()
	i, err := NewInitiator(linkConfig(initiator), responder.Public())
	if err != nil {
		t.Fatal(err)
	}
	r, err = NewResponder(linkConfig(responder))
	if err != nil {
		t.Fatal(err)
	}
	return i, r
}

// start and next are Start and Next that must go well.
func start(t testing.TB, h *Handshake) []byte {
	t.Helper()
	msg, err := h.Start()
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func next(t testing.TB, h *Handshake, msg []byte) []byte {
	t.Helper()
	reply, _, err := h.Next(msg)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// remac gives a changed message 1 the mac of an insider.
func remac(h *Handshake, msg []byte) []byte {
	body := msg[:len(msg)-macLen]
	return append(bytes.Clone(body), mac1(h.macKey, body)...)
}

// fixedNoise is the Noise state of a side that holds k, says it is claim, and draws the
// ephemeral key whose secret is 32 times ephemeral. It is the responder's where remote is zero.
func fixedNoise(t testing.TB, k *identity.Key, claim identity.PubKey, ephemeral byte, remote identity.PubKey) *noise.HandshakeState {
	t.Helper()
	dh := &curve{static: k}
	cfg := noise.Config{
		CipherSuite:           noise.NewCipherSuite(dh, noise.CipherAESGCM, noise.HashSHA256),
		Random:                bytes.NewReader(bytes.Repeat([]byte{ephemeral}, 32)),
		Pattern:               noise.HandshakeXK,
		Prologue:              linkConfig(k).prologue(),
		PresharedKeyPlacement: 3,
		StaticKeypair:         dh.staticPair(),
	}
	cfg.StaticKeypair.Public = claim[:]
	if !remote.IsZero() {
		cfg.Initiator, cfg.PeerStatic = true, remote[:]
	}
	state, err := noise.NewHandshakeState(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// listen serves each connection to a loopback port with serve, which it waits for.
func listen(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		running := make(chan struct{}, 1000)
		n := 0
		for {
			nc, err := l.Accept()
			if err != nil {
				break
			}
			n++
			go func() {
				serve(nc)
				nc.Close()
				running <- struct{}{}
			}()
		}
		for range n {
			<-running
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}
