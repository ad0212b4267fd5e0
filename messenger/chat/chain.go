package chat

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/chat/senderkey"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// sendingState is our chain in a group, and who has it.
type sendingState struct {
	Chain  []byte
	Epoch  uint64
	Shared []identity.PubKey
}

// pushGroup seals a content for all members; those who do not have our chain get it first.
func (e *Engine) pushGroup(t tx, id group.Hash, c *content, r ref) error {
	g, err := e.state(t, id)
	if err != nil {
		return err
	}
	k := t.v.groupToken(id)
	var s sendingState
	found, err := t.load(sendingBucket, k[:], &s)
	if err != nil {
		return err
	}
	var chain *senderkey.Sending
	if found && s.Epoch == g.Epoch() {
		if chain, err = senderkey.ParseSending(s.Chain); err != nil {
			return err
		}
	}
	if chain == nil || chain.Spent(e.now()) {
		chain = senderkey.New(senderkey.Place{Group: id, Epoch: g.Epoch(), Member: e.self.Owner, Device: e.self.Device}, e.now())
		s = sendingState{Epoch: g.Epoch()}
	}
	if err := e.shareChain(t, g, chain, &s); err != nil {
		return err
	}
	sealed, err := chain.Seal(nil, c.append(nil))
	if err != nil {
		return err
	}
	s.Chain = chain.AppendTo(nil)
	for _, m := range g.Members() {
		if m.Key != e.self.Owner {
			if err := t.pushOut(outItem{to: m.Key, group: true, ref: r, bytes: sealed}); err != nil {
				return err
			}
		}
	}
	return t.save(sendingBucket, k[:], s)
}

func parseSending(b []byte) (s sendingState, err error) {
	err = json.Unmarshal(b, &s)
	return s, err
}

func (e *Engine) shareChain(t tx, g *group.Group, chain *senderkey.Sending, s *sendingState) error {
	for _, m := range g.Members() {
		if m.Key == e.self.Owner || slices.Contains(s.Shared, m.Key) {
			continue
		}
		c := content{kind: shareKind, id: newID(), time: e.now(), group: g.ID(), epoch: g.Epoch(), length: g.Len(), share: chain.Share()}
		if err := t.pushOut(outItem{to: m.Key, bytes: c.append(nil)}); err != nil {
			return err
		}
		s.Shared = append(s.Shared, m.Key)
	}
	return nil
}

// takeShare takes in a member's chain. One that our log does not explain waits for the log.
func (e *Engine) takeShare(in *inbox, from mailbox.Address, c *content) error {
	g, err := e.state(in.t, c.group)
	if err != nil && !errors.Is(err, ErrNoGroup) {
		return err
	}
	member := false
	if err == nil {
		_, member = g.Member(from.Owner)
	}
	if !member {
		if p, found, err := in.t.contact(from.Owner); err != nil || !found || p.Request {
			return errors.Join(err, errForeign)
		}
		raw := append(appendBody(nil, ratchetBody, from), c.append(nil)...)
		if err := e.park(in.t, "share", c.group[:], raw); err != nil {
			return err
		}
		return e.ask(in.t, from.Owner, c.group)
	}
	place := senderkey.Place{Group: c.group, Epoch: c.epoch, Member: from.Owner, Device: from.Device}
	chain, err := senderkey.Receive(place, c.share)
	if err != nil {
		return errForeign
	}
	name := chain.Name()
	k := in.t.v.token("chain", name[:])
	if in.t.has(chainBucket, k[:]) {
		return nil
	}
	if err := errors.Join(in.t.put(chainBucket, k[:], chain.AppendTo(nil)), e.limitChains(in.t, place, k)); err != nil {
		return err
	}
	if c.length > g.Len() {
		if err := e.ask(in.t, from.Owner, c.group); err != nil {
			return err
		}
	}
	return e.unpark(in, "chain", name[:])
}

// limitChains forgets the oldest chain of a device in a group when there are too many.
func (e *Engine) limitChains(t tx, p senderkey.Place, newest token) error {
	k := t.v.token("chains", p.Group[:], p.Member[:], binary.BigEndian.AppendUint32(nil, p.Device))
	var list []token
	if _, err := t.load(chainBucket, k[:], &list); err != nil {
		return err
	}
	list = append(list, newest)
	for len(list) > maxChains {
		if err := t.drop(chainBucket, list[0][:]); err != nil {
			return err
		}
		list = list[1:]
	}
	return t.save(chainBucket, k[:], list)
}

// openGroup reads a message of a sender key.
func (e *Engine) openGroup(in *inbox, from mailbox.Address, message []byte) error {
	name, err := senderkey.NameOf(message)
	if err != nil {
		return errForeign
	}
	k := in.t.v.token("chain", name[:])
	b, err := in.t.get(chainBucket, k[:])
	if err != nil {
		return err
	}
	if b == nil {
		if _, found, err := in.t.contact(from.Owner); err != nil || !found {
			return errors.Join(err, errForeign)
		}
		return e.park(in.t, "chain", name[:], append(appendBody(nil, groupBody, from), message...))
	}
	chain, err := senderkey.ParseReceiving(b)
	if err != nil {
		return fmt.Errorf("chat: a kept chain: %w", err)
	}
	if p := chain.Place(); p.Member != from.Owner || p.Device != from.Device {
		return errForeign
	}
	g, err := e.state(in.t, group.Hash(chain.Place().Group))
	if err != nil {
		return err
	}
	_, member := g.Member(from.Owner)
	_, self := g.Member(e.self.Owner)
	text, err := chain.Open(nil, message)
	if err != nil || !member || !self {
		return errForeign
	}
	if err := in.t.put(chainBucket, k[:], chain.AppendTo(nil)); err != nil {
		return err
	}
	c, err := parseContent(text)
	if err != nil || c.group != g.ID() || (c.kind != textKind && c.kind != fileKind) {
		return errForeign
	}
	return e.hear(in, from, In(g.ID()), c)
}

// park keeps what came too early; when there is too much, something else gives way.
func (e *Engine) park(t tx, what string, of, body []byte) error {
	b := t.Bucket([]byte(parkedBucket))
	if t.count(parkedBucket, maxParked) >= maxParked {
		if k, _ := b.Cursor().First(); k != nil {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
	}
	return t.push(parkedBucket, t.v.token(what, of), body)
}

// unpark reads what has waited for a share or a log.
func (e *Engine) unpark(in *inbox, what string, of []byte) error {
	q := in.t.v.token(what, of)
	var keys, bodies [][]byte
	err := in.t.each(parkedBucket, q[:], func(k, b []byte) (bool, error) {
		keys, bodies = append(keys, k), append(bodies, b)
		return true, nil
	})
	for i := 0; err == nil && i < len(keys); i++ {
		if err = in.t.drop(parkedBucket, keys[i]); err != nil {
			return err
		}
		kind, from, rest, perr := parseBody(bodies[i])
		switch {
		case perr != nil:
		case kind == groupBody:
			err = e.openGroup(in, from, rest)
		default:
			if c, perr := parseContent(rest); perr != nil {
			} else if c.kind == receiptKind {
				err = e.receipt(in, from.Owner, c)
			} else {
				err = e.lateShare(in, from, c)
			}
		}
		if errors.Is(err, errForeign) {
			err = nil
		}
	}
	return err
}

// lateShare is takeShare for one that has waited: it does not wait again.
func (e *Engine) lateShare(in *inbox, from mailbox.Address, c *content) error {
	g, err := e.state(in.t, c.group)
	if err != nil {
		return err
	}
	if _, ok := g.Member(from.Owner); !ok {
		return errForeign
	}
	return e.takeShare(in, from, c)
}
