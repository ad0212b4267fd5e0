package chat

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/messenger/chat/ratchet"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/wire"
)

const (
	// maxSessions bounds the ratchets with one device: both ends may have greeted, and greeted again.
	maxSessions = 4
	maxState    = 256 << 10                  // of one ratchet, in bytes
	openingLife = prekeyLife + 2*mailbox.TTL // longer than the secret that it needs
)

// errForeign: bytes of somebody else that are nothing for us; they are dropped.
var errForeign = errors.New("chat: it does not open")

// pairing is one ratchet with a device; the one in front of the list is sent with.
type pairing struct {
	id      [32]byte // SHA-256 of the opening
	opening []byte   // ours, until the device has answered; then nil
	ratchet *ratchet.Session
}

func deviceKey(v *vault, a mailbox.Address) token {
	return v.token("device", a.Owner[:], binary.BigEndian.AppendUint32(nil, a.Device))
}

func (t tx) pairings(with mailbox.Address) ([]pairing, error) {
	k := deviceKey(t.v, with)
	b, err := t.get(sessionBucket, k[:])
	if err != nil || b == nil {
		return nil, err
	}
	return parsePairings(b)
}

func (t tx) savePairings(with mailbox.Address, list []pairing) error {
	k := deviceKey(t.v, with)
	return t.put(sessionBucket, k[:], appendPairings(nil, list[:min(len(list), maxSessions)]))
}

func appendPairings(dst []byte, list []pairing) []byte {
	for _, p := range list {
		dst = wire.AppendBytes(append(dst, p.id[:]...), p.opening)
		state := p.ratchet.AppendTo(nil)
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(state))), state...)
	}
	return dst
}

func parsePairings(b []byte) (list []pairing, err error) {
	r := wire.NewReader(b)
	for r.Len() > 0 {
		var p pairing
		r.Fixed(p.id[:])
		p.opening = slices.Clone(r.Bytes(prekey.OpeningLen))
		n := int(r.U32())
		if r.Err() != nil || n > maxState || n > r.Len() {
			return nil, wire.ErrMalformed
		}
		state := make([]byte, n)
		r.Fixed(state)
		if p.ratchet, err = ratchet.Parse(state); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, r.Done()
}

// greet begins a ratchet with a device, with a prekey that it has left.
func (e *Engine) greet(t tx, with mailbox.Address, pre []byte) error {
	p, err := prekey.Parse(pre)
	if err != nil || p.Device != with.Device {
		return errForeign
	}
	opening, r, err := prekey.Greet(e.cfg.Key, e.self.Device, with.Owner, p, e.now())
	if err != nil {
		return err
	}
	list, err := t.pairings(with)
	if err != nil {
		return err
	}
	return t.savePairings(with, slices.Insert(list, 0, pairing{sha256.Sum256(opening), opening, r}))
}

// seal makes the bodies that carry contents to a device, in order; the ratchet goes on in t.
func (e *Engine) seal(t tx, to mailbox.Address, contents [][]byte) ([][]byte, error) {
	list, err := t.pairings(to)
	if err != nil || len(list) == 0 {
		return nil, errors.Join(err, errForeign)
	}
	p := &list[0]
	bodies := make([][]byte, 0, len(contents))
	for _, c := range contents {
		kind := byte(ratchetBody)
		if len(p.opening) > 0 {
			kind = openingBody
		}
		body := append(appendBody(nil, kind, e.self), p.opening...)
		if body, err = p.ratchet.Seal(body, c, bound(e.self, to)); err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
	}
	return bodies, t.savePairings(to, list)
}

// unseal opens what a device sent with a ratchet that we have.
func (e *Engine) unseal(t tx, from mailbox.Address, message []byte) ([]byte, error) {
	list, err := t.pairings(from)
	if err != nil {
		return nil, err
	}
	for i := range list {
		text, err := list[i].ratchet.Open(nil, message, bound(from, e.self))
		if err != nil {
			continue
		}
		p := list[i]
		p.opening = nil
		list = slices.Insert(slices.Delete(list, i, i+1), 0, p)
		return text, t.savePairings(from, list)
	}
	return nil, errForeign
}

// meet opens what came with an opening: of a ratchet that we have, or of a new one, which is kept only if wanted (nil: always) says nil to the text.
func (e *Engine) meet(t tx, from mailbox.Address, rest []byte, wanted func([]byte) error) ([]byte, error) {
	if len(rest) < prekey.OpeningLen+ratchet.Overhead {
		return nil, errForeign
	}
	opening, message := rest[:prekey.OpeningLen], rest[prekey.OpeningLen:]
	id := [32]byte(sha256.Sum256(opening))
	list, err := t.pairings(from)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(list, func(p pairing) bool { return p.id == id }) {
		return e.unseal(t, from, message)
	}
	if t.has(openedBucket, id[:]) {
		return nil, errForeign
	}
	r, err := e.take(t, from, opening)
	if err != nil {
		return nil, err
	}
	text, err := r.Open(nil, message, bound(from, e.self))
	if err != nil {
		return nil, errForeign
	}
	if wanted != nil {
		if err := wanted(text); err != nil {
			return nil, err
		}
	}
	if err := e.spend(t, opening, id); err != nil {
		return nil, err
	}
	return text, t.savePairings(from, slices.Insert(list, 0, pairing{id: id, ratchet: r}))
}

// take is the ratchet that an opening leads to, if its sender is who the envelope says.
func (e *Engine) take(t tx, from mailbox.Address, opening []byte) (*ratchet.Session, error) {
	device, number, err := prekey.Wanted(opening)
	if err != nil || device != e.self.Device {
		return nil, errForeign
	}
	var secrets [][]byte
	if number != 0 {
		b, err := t.get(prekeyBucket, prekeyKey(number))
		if err != nil {
			return nil, err
		}
		secrets = [][]byte{b}
	} else if secrets, err = t.lasting(); err != nil {
		return nil, err
	}
	for _, b := range secrets {
		s, err := prekey.ParseSecret(b)
		if err != nil {
			continue
		}
		sender, r, err := s.Meet(e.self.Owner, opening)
		if err == nil && (mailbox.Address{Owner: sender.Key, Device: sender.Device}) == from {
			return r, nil
		}
	}
	return nil, errForeign
}

// spend forgets a prekey that was used, or remembers the opening, when the prekey stays.
func (e *Engine) spend(t tx, opening []byte, id [32]byte) error {
	_, number, err := prekey.Wanted(opening)
	if err != nil {
		return errForeign
	}
	e.restock()
	if number != 0 {
		return t.drop(prekeyBucket, prekeyKey(number))
	}
	return t.put(openedBucket, id[:], binary.BigEndian.AppendUint64(nil, uint64(e.now().Add(openingLife).Unix())))
}

func prekeyKey(number uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte("number"), number)
}

// lasting are the secrets of prekeys 0 that may still be used, the newest first.
func (t tx) lasting() (list [][]byte, err error) {
	err = t.each(prekeyBucket, []byte("lasting"), func(_, b []byte) (bool, error) {
		list = append(list, b)
		return true, nil
	})
	slices.Reverse(list)
	return list, err
}
