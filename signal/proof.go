package signal

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Roles of a proof.
const (
	RoleServer = "server"
	RoleClient = "client"
)

// maxTokenFile bounds what is read of a token file: 64 digits and white space.
const maxTokenFile = 256

// ErrToken is returned for a token file that does not hold 64 hexadecimal digits.
var ErrToken = errors.New("signal: token file must hold 64 hexadecimal digits")

// Hex is bytes that travel as a string of lower-case hexadecimal digits.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("signal: hexadecimal text: %w", err)
	}
	*h = b
	return nil
}

// Proof is HMAC-SHA256 under token over role, a zero byte, and the two nonces, of NonceLen
// bytes each. The role keeps the answer of one side from being the other's.
func Proof(token []byte, role string, clientNonce, serverNonce []byte) []byte {
	mac := hmac.New(sha256.New, token)
	mac.Write([]byte(role))
	mac.Write([]byte{0})
	mac.Write(clientNonce)
	mac.Write(serverNonce)
	return mac.Sum(nil)
}

// CheckProof reports whether proof is Proof of the rest, in constant time; false for
// nonces or a token of the wrong length.
func CheckProof(proof, token []byte, role string, clientNonce, serverNonce []byte) bool {
	if len(token) != TokenLen || len(clientNonce) != NonceLen || len(serverNonce) != NonceLen {
		return false
	}
	return hmac.Equal(proof, Proof(token, role, clientNonce, serverNonce))
}

// NewNonce returns NonceLen random bytes.
func NewNonce() []byte { return random(NonceLen) }

// NewToken returns TokenLen random bytes.
func NewToken() []byte { return random(TokenLen) }

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails, crypto/rand
	return b
}

// FormatToken is the content of a token file: 64 hexadecimal digits and a newline.
func FormatToken(token []byte) []byte {
	return append(hex.AppendEncode(nil, token), '\n')
}

// ParseToken reads the content of a token file; white space around the digits is allowed.
func ParseToken(content []byte) ([]byte, error) {
	token, err := hex.AppendDecode(nil, bytes.TrimSpace(content))
	if err != nil || len(token) != TokenLen {
		return nil, ErrToken
	}
	return token, nil
}

// ReadToken reads a token file. It refuses one that is no regular file or that others may read.
func ReadToken(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hold us up
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("signal: token file %s has mode %v, want a regular file of mode 0600", path, info.Mode())
	}
	content, err := io.ReadAll(io.LimitReader(f, maxTokenFile))
	if err != nil {
		return nil, fmt.Errorf("reading token file: %w", err)
	}
	return ParseToken(content)
}
