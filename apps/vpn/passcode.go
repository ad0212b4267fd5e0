package vpn

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"github.com/skycoin/viscript/node/identity"
)

// stretch makes guessing a passcode from a proof dear (PBKDF2, RFC 8018); proofs reach only the server that a client means to use.
const stretch = 200_000

// minPasscode is the least length of a passcode in bytes, maxPasscode the most.
const (
	minPasscode = 8
	maxPasscode = 1024
)

// Passcode is a secret that a server asks of its clients beside their keys. nil: none.
type Passcode struct{ text []byte }

// LoadPasscode reads the first line of a file that only its owner may read.
func LoadPasscode(path string) (*Passcode, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("passcode: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("passcode: %s may be read by others: chmod 600 %[1]s", path)
	}
	if st.Size() > maxPasscode {
		return nil, fmt.Errorf("passcode: %s is longer than %d bytes", path, maxPasscode)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("passcode: %w", err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) < minPasscode {
		return nil, fmt.Errorf("passcode: the first line of %s is shorter than %d bytes", path, minPasscode)
	}
	return &Passcode{line}, nil
}

// prover makes the proofs for one server.
type prover struct{ key []byte }

// prover stretches the passcode for a server; it takes some tens of milliseconds.
func (p *Passcode) prover(server identity.PubKey) (*prover, error) {
	if p == nil {
		return nil, nil
	}
	key, err := pbkdf2.Key(sha256.New, string(p.text), append([]byte("viscript vpn passcode 1"), server[:]...), stretch, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("passcode: %w", err)
	}
	return &prover{key}, nil
}

// proof shows that we know the passcode. It is good for one client at one server only, whose keys the session has proven, so it may
// be the same each time. Without a passcode it is zero.
func (p *prover) proof(client identity.PubKey) (out [proofLen]byte) {
	if p == nil {
		return out
	}
	m := hmac.New(sha256.New, p.key)
	m.Write([]byte("client"))
	m.Write(client[:])
	return [proofLen]byte(m.Sum(nil))
}

var errPasscode = errors.New("vpn: wrong passcode")

// check compares a client's proof.
func (p *prover) check(client identity.PubKey, proof [proofLen]byte) error {
	want := p.proof(client)
	if p != nil && !hmac.Equal(want[:], proof[:]) {
		return errPasscode
	}
	return nil
}
