package secure

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// The WHO exchange: a question longer than its answer, so that nobody can use a service to
// multiply what he sends.
const (
	whoMagic    = "skywho/1"
	whoNonceLen = 32
	whoLen      = 128 // magic, nonce, zeros
	whoReplyLen = identity.PubKeyLen + identity.SigLen
	whoTag      = "skymesh/1 who"
)

// AskWho asks the service at the other end of a fresh connection for its key. The answer
// is signed with that key over our nonce; whether it is the right key only a pin or a
// person can tell. It takes at most 5 seconds. The caller closes nc, which is of no further use.
func AskWho(ctx context.Context, nc net.Conn) (identity.PubKey, error) {
	return askWithin(ctx, nc, handshakeTime)
}

func askWithin(ctx context.Context, nc net.Conn, limit time.Duration) (identity.PubKey, error) {
	question, nonce := appendWho(nil)
	var answer []byte
	err := within(ctx, nc, limit, func(context.Context) (err error) {
		if err = writeFrame(nc, question); err != nil {
			return err
		}
		answer, err = readFrame(nc, whoReplyLen)
		return err
	})
	if hungUp(err) {
		err = fmt.Errorf("it hung up without an answer: it is none of our services, or is busy: %w", err)
	}
	if err != nil {
		return identity.PubKey{}, fmt.Errorf("asking for the key: %w", err)
	}
	return parseWhoReply(answer, nonce)
}

func appendWho(dst []byte) (question, nonce []byte) {
	nonce = make([]byte, whoNonceLen)
	_, _ = rand.Read(nonce) // never fails
	start := len(dst)
	dst = append(append(dst, whoMagic...), nonce...)
	return append(dst, make([]byte, whoLen-(len(dst)-start))...), nonce
}

// parseWho returns the nonce of a WHO, and false for any other bytes.
func parseWho(b []byte) (nonce []byte, ok bool) {
	if len(b) != whoLen || string(b[:len(whoMagic)]) != whoMagic {
		return nil, false
	}
	rest := b[len(whoMagic):]
	nonce, padding := rest[:whoNonceLen], rest[whoNonceLen:]
	return nonce, bytes.Count(padding, []byte{0}) == len(padding)
}

func parseWhoReply(b, nonce []byte) (identity.PubKey, error) {
	if len(b) != whoReplyLen {
		return identity.PubKey{}, fmt.Errorf("%w: an answer to WHO of %d bytes", ErrHandshake, len(b))
	}
	key, err := identity.ParsePubKey(b[:identity.PubKeyLen])
	if err == nil {
		err = key.Verify(whoTag, nonce, identity.Sig(b[identity.PubKeyLen:]))
	}
	if err != nil {
		return identity.PubKey{}, fmt.Errorf("%w: answer to WHO: %w", ErrHandshake, err)
	}
	return key, nil
}

// answerWho sends key and signature; it always returns an error, ErrWho when all went well.
func answerWho(ctx context.Context, nc net.Conn, local *identity.Key, g *Guard, slot int, msg []byte) error {
	nonce, ok := parseWho(msg)
	if !ok {
		return fmt.Errorf("%w: malformed WHO", ErrHandshake)
	}
	if err := g.take(slot); err != nil {
		return err
	}
	var answer []byte
	err := g.compute(ctx, func() error {
		key, sig := local.Public(), local.Sign(whoTag, nonce)
		answer = append(key[:], sig[:]...)
		return nil
	})
	if err != nil {
		return err
	}
	if err := writeFrame(nc, answer); err != nil {
		return err
	}
	return ErrWho
}
