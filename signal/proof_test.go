package signal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestProofGolden(t *testing.T) {
	token := bytes.Repeat([]byte{1}, TokenLen)
	nc, ns := bytes.Repeat([]byte{2}, NonceLen), bytes.Repeat([]byte{3}, NonceLen)
	server, client := Proof(token, RoleServer, nc, ns), Proof(token, RoleClient, nc, ns)
	// python3: hmac.new(b"\1"*32, b"server\0" + b"\2"*32 + b"\3"*32, "sha256")
	const wantServer, wantClient = "89dfe9ed1471ceac360558a1df57ecdeb1464bd610ce14d99b0687ffc98cc9c9", "d91c5ab1147c75e3c1775f9df1bee2b6bbdb2a44a489a4c96d26d7fe28f1563c"
	if hex.EncodeToString(server) != wantServer || hex.EncodeToString(client) != wantClient {
		t.Fatalf("got %x, %x", server, client)
	}
	if !CheckProof(server, token, RoleServer, nc, ns) {
		t.Error("own proof not accepted")
	}
	for name, bad := range map[string]bool{
		"other role":     CheckProof(server, token, RoleClient, nc, ns),
		"nonces swapped": CheckProof(server, token, RoleServer, ns, nc),
		"other token":    CheckProof(server, ns, RoleServer, nc, ns),
		"cut":            CheckProof(server[:31], token, RoleServer, nc, ns),
		"empty":          CheckProof(nil, token, RoleServer, nc, ns),
		"short nonce":    CheckProof(Proof(token, RoleServer, nc, ns[:31]), token, RoleServer, nc, ns[:31]),
		"no token":       CheckProof(Proof(nil, RoleServer, nc, ns), nil, RoleServer, nc, ns),
	} {
		if bad {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestToken(t *testing.T) {
	token := NewToken()
	back, err := ParseToken(FormatToken(token))
	if err != nil || !bytes.Equal(back, token) {
		t.Fatalf("got %x, %v", back, err)
	}
	for _, bad := range []string{"", "\n", strings.Repeat("0", 63), strings.Repeat("0", 66), strings.Repeat("g", 64), strings.Repeat("0", 62)} {
		if _, err := ParseToken([]byte(bad)); !errors.Is(err, ErrToken) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestHexRefuses(t *testing.T) {
	for _, bad := range []string{`"0"`, `"xy"`, `7`, `["00"]`} {
		var h Hex
		if json.Unmarshal([]byte(bad), &h) == nil {
			t.Errorf("%s: accepted as %x", bad, h)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add(FormatToken(make([]byte, TokenLen)))
	f.Fuzz(func(t *testing.T, content []byte) {
		if token, err := ParseToken(content); err == nil && len(token) != TokenLen {
			t.Fatalf("token of %d bytes", len(token))
		}
	})
}
