package chat

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// receive fetches and reads envelopes at a messenger until ctx ends.
func (e *Engine) receive(ctx context.Context, o *office) {
	pause := firstPause
	for ctx.Err() == nil {
		letters, err := o.post.Fetch(ctx, e.self.Device)
		e.report(ctx, o, err)
		if err == nil {
			err = e.read(ctx, o, letters)
		}
		if err == nil {
			pause = firstPause
			continue
		}
		if ctx.Err() == nil {
			e.log.Debug("receiving", "err", err)
		}
		sleep(ctx, pause)
		pause = min(2*pause, longPause)
	}
}

// inbox gathers what one batch of envelopes leads to.
type inbox struct {
	t        tx
	requests int // unknown people who have written; -1: not counted yet
	events   []Event
	receipts map[receiptFor][]MessageID
	got      map[identity.PubKey][]MessageID // envelopes to confirm
	accounts map[purse]*account
}

type receiptFor struct {
	talk Talk
	to   identity.PubKey
}

// read takes in a batch and then lets the messenger delete it. After a crash in between the batch comes again and does nothing.
func (e *Engine) read(ctx context.Context, o *office, letters []mailbox.Letter) error {
	if len(letters) == 0 {
		return nil
	}
	var in *inbox
	err := e.v.update(func(t tx) error {
		in = &inbox{t: t, requests: -1, receipts: map[receiptFor][]MessageID{}, got: map[identity.PubKey][]MessageID{}, accounts: map[purse]*account{}}
		for _, l := range letters {
			err := e.open(in, l)
			if errors.Is(err, errForeign) {
				e.log.Debug("an envelope is dropped", "bytes", len(l.Envelope))
			} else if err != nil {
				return err
			}
		}
		for f, ids := range in.receipts {
			if err := e.pushReceipt(t, f.talk, f.to, deliveredReceipt, ids); err != nil {
				return err
			}
		}
		return errors.Join(in.saveAccounts(), e.confirm(in))
	})
	if err != nil {
		e.forgetLogs()
		return err
	}
	e.changed(in.events...)
	e.kick()
	ids := make([]mailbox.ID, len(letters))
	for i, l := range letters {
		ids[i] = l.ID
	}
	return o.post.Ack(ctx, e.self.Device, ids)
}

// open reads one envelope. Errors: errForeign; others are of the store.
func (e *Engine) open(in *inbox, l mailbox.Letter) error {
	body, err := e.openEnvelope(l.Envelope)
	if err != nil {
		return err
	}
	kind, from, rest, err := parseBody(body)
	if err != nil {
		return errForeign
	}
	if from.Owner == e.self.Owner {
		in.got[from.Owner] = append(in.got[from.Owner], MessageID(l.ID[:]))
		return e.openOwn(in, from, kind, rest)
	}
	p, found, err := in.t.contact(from.Owner)
	if err != nil {
		return err
	}
	if p.Blocked {
		return nil
	}
	var wanted func(text []byte) error
	if !found {
		wanted = func(text []byte) error { return e.fromStranger(in, from.Owner, text) }
	} else {
		wanted = func([]byte) error { return e.pay(in, &p, greeted(&p), greetingCost) }
		in.got[from.Owner] = append(in.got[from.Owner], MessageID(l.ID[:]))
	}
	if kind == groupBody {
		return e.openGroup(in, from, rest)
	}
	text, err := e.openPair(in.t, from, kind, rest, wanted)
	if err != nil {
		return err
	}
	if found {
		if err := e.noteDevice(in, &p, from); err != nil {
			return err
		}
	}
	c, err := parseContent(text)
	if err != nil {
		return errForeign
	}
	return e.apply(in, from, c)
}

// greeted is the conversation to which a greeting belongs: none, as long as the person is not known.
func greeted(p *Contact) Talk {
	if p.known() {
		return To(p.Key)
	}
	return Talk{}
}

// openPair opens what is between two devices: an opening, which wanted may refuse, or a message of a ratchet that there is.
func (e *Engine) openPair(t tx, from mailbox.Address, kind byte, rest []byte, wanted func(text []byte) error) ([]byte, error) {
	if kind == openingBody {
		return e.meet(t, from, rest, wanted)
	}
	return e.unseal(t, from, rest)
}

// noteDevice notes that a device of somebody was heard of. Of more devices than a person may have the oldest is forgotten, with all that is kept of it.
func (e *Engine) noteDevice(in *inbox, p *Contact, from mailbox.Address) error {
	now, fresh := e.now().Truncate(time.Minute), !slices.Contains(p.Devices, from.Device)
	if !fresh && !now.After(p.Heard) {
		return nil
	}
	p.Heard = now
	if !fresh {
		return in.t.saveContact(p)
	}
	err := e.editDevices(in.t, from.Owner, func(l *deviceList) bool {
		unknown := len(l.List) > 0 && !has(l.List, from.Device)
		if unknown {
			l.At = time.Time{} // ask for its card before we write
		}
		return unknown
	})
	if err != nil {
		return err
	}
	if len(p.Devices) > 0 && p.known() {
		in.events = append(in.events, Event{Kind: NewDevice, Talk: To(from.Owner)})
		p.Verified = false
	}
	p.Devices = append(p.Devices, from.Device)
	if len(p.Devices) > 2*mailbox.MaxDevices {
		if err := in.t.forgetDevice(mailbox.Address{Owner: p.Key, Device: p.Devices[0]}); err != nil {
			return err
		}
		p.Devices = slices.Clone(p.Devices[1:])
	}
	return in.t.saveContact(p)
}

// forgetDevice drops the ratchets with a device.
func (t tx) forgetDevice(a mailbox.Address) error {
	k := deviceKey(t.v, a)
	return t.drop(sessionBucket, k[:])
}

// fromStranger is nil for the first content of somebody unknown that we take: a text or a file while there is room for requests, or a
// knock with an invitation that holds. Of all others nothing is kept, not even a ratchet.
func (e *Engine) fromStranger(in *inbox, from identity.PubKey, text []byte) error {
	c, err := parseContent(text)
	if err != nil {
		return errForeign
	}
	switch {
	case c.kind == knockKind:
		if _, _, err := e.checkKnock(in.t, from, c); err != nil {
			return errForeign
		}
		return nil
	case (c.kind == textKind || c.kind == fileKind) && !(Talk{Group: c.group}).IsGroup():
		if full, err := in.full(); err != nil || !full {
			return err
		}
	}
	return errForeign
}

// full: so many unknown people have written that no others may. They are counted once in a batch.
func (in *inbox) full() (bool, error) {
	if in.requests < 0 {
		list, err := in.t.contacts()
		if err != nil {
			return false, err
		}
		in.requests = 0
		for _, c := range list {
			if c.Request {
				in.requests++
			}
		}
	}
	return in.requests >= MaxRequests, nil
}

// apply does what a content of a device says, which is proven to be from there.
func (e *Engine) apply(in *inbox, from mailbox.Address, c *content) error {
	switch c.kind {
	case textKind, fileKind:
		if !(Talk{Group: c.group}).IsGroup() {
			return e.hear(in, from, To(from.Owner), c)
		}
	case receiptKind:
		return e.receipt(in, from.Owner, c)
	case entriesKind:
		return e.takeEntries(in, from.Owner, c.entries)
	case shareKind:
		return e.takeShare(in, from, c)
	case askKind:
		return e.answerAsk(in, from.Owner, c)
	case chunkKind:
		return e.takeChunk(in, from.Owner, c)
	case wantKind:
		return e.giveChunks(in, from.Owner, c)
	case cardKind:
		return e.takeCard(in, from.Owner, c)
	case gotKind:
		return e.takeGot(in, from, c)
	case knockKind:
		return e.takeKnock(in, from.Owner, c)
	}
	return errForeign
}

// hear takes in a text or a file.
func (e *Engine) hear(in *inbox, from mailbox.Address, talk Talk, c *content) error {
	if _, again, err := in.t.find(from.Owner, c.id); err != nil || again {
		return err
	}
	s, err := in.t.talk(talk)
	if err != nil {
		return err
	}
	p, err := e.meetContact(in, from, talk, &s)
	if err != nil {
		return err
	}
	if talk.IsGroup() || !p.Request { // of those who ask to talk the number is bounded
		if err := e.pay(in, &p, talk, len(c.text)+messageCost); err != nil {
			return err
		}
	}
	m := &Message{ID: c.id, From: from.Owner, Time: c.time, At: e.now(), Reply: c.reply, Gap: s.gap(from, c.seq)}
	if c.kind == fileKind {
		m.File = &File{Name: cleanFileName(c.text), Size: c.length, Sum: c.sum}
	} else {
		m.Text = c.text
	}
	s.Unread++
	if _, err := in.t.add(&s, m); err != nil {
		return err
	}
	if err := in.t.saveTalk(&s); err != nil {
		return err
	}
	if !p.Request || talk.IsGroup() {
		f := receiptFor{talk, from.Owner}
		in.receipts[f] = append(in.receipts[f], c.id)
	}
	in.events = append(in.events, Event{Kind: MessageAdded, Talk: talk, Message: m})
	return nil
}

// gap notes the number of a sender's message, and reports whether some before it are missing.
func (s *talkState) gap(from mailbox.Address, seq uint64) bool {
	k := from.Owner.Short() + "/" + strconv.FormatUint(uint64(from.Device), 16)
	if s.Seqs == nil {
		s.Seqs = map[string]uint64{}
	}
	last := s.Seqs[k]
	s.Seqs[k] = max(last, seq)
	return seq != last+1
}

// meetContact is the person who wrote: a request, if nobody knows them. errForeign: they may not.
func (e *Engine) meetContact(in *inbox, from mailbox.Address, talk Talk, s *talkState) (Contact, error) {
	p, found, err := in.t.contact(from.Owner)
	if err != nil {
		return p, err
	}
	stranger := !found || p.Met
	switch {
	case stranger && talk.IsGroup():
		p.Met = true
	case stranger:
		if full, err := in.full(); err != nil || full {
			return p, errors.Join(err, errForeign)
		}
		p.Request, p.Met = true, false
		if in.requests >= 0 {
			in.requests++
		}
		in.events = append(in.events, Event{Kind: RequestAdded, Talk: talk})
	case p.Request && !talk.IsGroup() && s.Last >= MaxRequestTexts:
		return p, errForeign
	}
	if !stranger {
		return p, nil
	}
	if p.Added.IsZero() {
		p.Added = e.now()
	}
	if err := in.t.saveContact(&p); err != nil {
		return p, err
	}
	return p, e.noteDevice(in, &p, from)
}

// receipt notes what has become of our messages.
func (e *Engine) receipt(in *inbox, from identity.PubKey, c *content) error {
	talk := Talk{Group: c.group}
	if !talk.IsGroup() {
		talk = To(from)
	}
	k := in.t.v.talkToken(talk)
	for _, id := range c.ids {
		r, found, err := in.t.find(e.self.Owner, id)
		if err != nil {
			return err
		}
		if !found {
			if err := e.early(in.t, from, c, id); err != nil {
				return err
			}
		}
		if !found || r.talk != k {
			continue
		}
		events, err := e.mark(in.t, r, func(m *Message) bool { return m.heard(from, c.what) })
		if err != nil {
			return err
		}
		in.events = append(in.events, events...)
	}
	return nil
}

// early keeps a receipt for a message that another device of ours has written, until its copy is here.
func (e *Engine) early(t tx, from identity.PubKey, c *content, id MessageID) error {
	if others, err := e.hasOthers(t); err != nil || !others {
		return err
	}
	if p, found, err := t.contact(from); err != nil || !found || p.Request {
		return err
	}
	one := *c
	one.ids = []MessageID{id}
	body := appendBody(nil, ratchetBody, mailbox.Address{Owner: from, Device: 1})
	return e.park(t, "receipt", id[:], append(body, one.append(nil)...))
}

// heard notes that somebody has a message of ours, or has read it.
func (m *Message) heard(who identity.PubKey, what uint8) bool {
	changed := false
	note := func(list *[]identity.PubKey) {
		if !slices.Contains(*list, who) && len(*list) < m.Want {
			*list, changed = append(*list, who), true
		}
	}
	note(&m.Got)
	if what == readReceipt {
		note(&m.Seen)
	}
	if len(m.Got) >= m.Want {
		m.Status = max(m.Status, Delivered)
	}
	if len(m.Seen) >= m.Want {
		m.Status = max(m.Status, Read)
	}
	return changed
}
