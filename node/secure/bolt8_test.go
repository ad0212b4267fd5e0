package secure

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/flynn/noise"
	"github.com/skycoin/viscript/node/identity"
)

// The transport handshake vectors of Lightning's BOLT 8: the same curve and DH function as
// ours, with XK, ChaChaPoly and the prologue "lightning". BOLT 8 puts a version byte of 0
// in front of each Noise message.
const (
	boltActOne   = "036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6a"
	boltActTwo   = "02466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730ae"
	boltActThree = "b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139ba"
	boltSend     = "969ab31b4d288cedf6218839b27a3e2140827047f2c0f01bf5c04435d43511a9"
	boltRecv     = "bb9020b8965f4df047e07f955f3c4b88418984aadc5cdb35096b9ea8fa5c3442"
)

func boltSide(t *testing.T, initiator bool, static *identity.Key, ephemeral byte, peer []byte) *noise.HandshakeState {
	t.Helper()
	dh := &curve{static: static}
	hs, err := noise.NewHandshakeState(noise.Config{
		CipherSuite:   noise.NewCipherSuite(dh, noise.CipherChaChaPoly, noise.HashSHA256),
		Random:        bytes.NewReader(bytes.Repeat([]byte{ephemeral}, 32)),
		Pattern:       noise.HandshakeXK,
		Initiator:     initiator,
		Prologue:      []byte("lightning"),
		StaticKeypair: dh.staticPair(),
		PeerStatic:    peer,
	})
	if err != nil {
		t.Fatal(err)
	}
	return hs
}

func TestBolt8(t *testing.T) {
	ls, rs := keyOf(t, 0x11), keyOf(t, 0x21)
	remote := rs.Public()
	i := boltSide(t, true, ls, 0x12, remote[:])
	r := boltSide(t, false, rs, 0x22, nil)

	act1, _, _, err := i.WriteMessage(nil, nil)
	wantHex(t, "act one", act1, boltActOne, err)
	_, _, _, err = r.ReadMessage(nil, act1)
	wantHex(t, "act one read", nil, "", err)
	act2, _, _, err := r.WriteMessage(nil, nil)
	wantHex(t, "act two", act2, boltActTwo, err)
	_, _, _, err = i.ReadMessage(nil, act2)
	wantHex(t, "act two read", nil, "", err)
	act3, send, recv, err := i.WriteMessage(nil, nil)
	wantHex(t, "act three", act3, boltActThree, err)
	_, rRecv, rSend, err := r.ReadMessage(nil, act3)
	wantHex(t, "act three read", nil, "", err)

	for _, k := range []struct {
		name string
		cs   *noise.CipherState
		want string
	}{{"sending key", send, boltSend}, {"receiving key", recv, boltRecv},
		{"responder's receiving key", rRecv, boltSend}, {"responder's sending key", rSend, boltRecv}} {
		key := k.cs.UnsafeKey()
		wantHex(t, k.name, key[:], k.want, nil)
	}
	if pub := ls.Public(); !bytes.Equal(r.PeerStatic(), pub[:]) {
		t.Errorf("the responder learned %x, want %v", r.PeerStatic(), pub)
	}
}

func wantHex(t *testing.T, name string, got []byte, want string, err error) {
	t.Helper()
	if err != nil || hex.EncodeToString(got) != want {
		t.Fatalf("%s: %x, %v, want %s", name, got, err, want)
	}
}
