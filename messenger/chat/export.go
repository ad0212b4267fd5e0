package chat

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// An export is
//
//	"viscript chat export/1\n" │ salt[16] │ (len:u32 │ AEAD(record))*
//
// Big-endian. The AEAD is AES-256-GCM under PBKDF2-HMAC-SHA256(passphrase, salt, 600,000 rounds, 32 bytes); the nonce is four zero bytes and
// the record's number, from 0; the additional data is all before the first record. A record is JSON: first whose export it is, with the secret
// half of the key if it is for another device; then contacts, parts of groups' logs, and messages with their conversation; the last one is {}.
const (
	exportMagic  = "viscript chat export/1\n"
	exportSalt   = 16
	exportRounds = 600_000
	maxRecord    = 1 << 20 // bytes
	importBatch  = 200     // records in one transaction
	// MinPassphrase is the shortest passphrase of an export, in bytes.
	MinPassphrase = 8
)

// Errors of exports.
var (
	ErrPassphrase = fmt.Errorf("chat: a passphrase has at least %d bytes", MinPassphrase)
	ErrExport     = errors.New("chat: not an export, cut off, altered, or another passphrase")
	ErrOwner      = errors.New("chat: the export of somebody else")
	ErrNoKey      = errors.New("chat: the export does not hold the key of the person: it was not made for another device")
)

// exportRecord is one of them.
type exportRecord struct {
	Owner   *identity.PubKey `json:",omitempty"`
	Secret  []byte           `json:",omitempty"`
	Contact *Contact         `json:",omitempty"`
	Entries [][]byte         `json:",omitempty"` // of one group's log
	Talk    *Talk            `json:",omitempty"`
	Message *Message         `json:",omitempty"`
}

func (r *exportRecord) isEnd() bool {
	return r.Owner == nil && r.Contact == nil && len(r.Entries) == 0 && r.Talk == nil && r.Message == nil
}

// sealer numbers and seals records, or opens them.
type sealer struct {
	aead cipher.AEAD
	head []byte
	n    uint64
}

func newSealer(passphrase string, head []byte) (*sealer, error) {
	key, err := pbkdf2.Key(sha256.New, passphrase, head[len(exportMagic):], exportRounds, 32)
	if err != nil {
		return nil, fmt.Errorf("chat: the key of an export: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead: aead, head: head}, err
}

func (s *sealer) nonce() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 4, 12), s.n)
	s.n++
	return b
}

// Export writes contacts, groups and conversations, without files, for Import: nothing of what is needed to write as this person, or to read what
// comes. Nobody reads it without the passphrase. Errors: ErrPassphrase, those of w.
func (e *Engine) Export(w io.Writer, passphrase string) error {
	return e.export(w, passphrase, nil)
}

// ExportDevice is Export with the secret half of our key: whoever has that and the passphrase is this person, on a device more.
func (e *Engine) ExportDevice(w io.Writer, passphrase string, secret []byte) error {
	k, err := identity.FromSecret(secret)
	if err != nil || k.Public() != e.self.Owner {
		return ErrOwner
	}
	return e.export(w, passphrase, secret)
}

// ExportKey reads the key that ExportDevice has written; who compares it decides whose it may be. Errors: ErrExport, ErrNoKey.
func ExportKey(r io.Reader, passphrase string) (*identity.Key, error) {
	_, rec, err := openExport(bufio.NewReader(r), passphrase)
	if err != nil {
		return nil, err
	}
	if len(rec.Secret) == 0 {
		return nil, ErrNoKey
	}
	k, err := identity.FromSecret(rec.Secret)
	if err != nil || rec.Owner == nil || k.Public() != *rec.Owner {
		return nil, ErrExport
	}
	return k, nil
}

func (e *Engine) export(w io.Writer, passphrase string, secret []byte) error {
	if len(passphrase) < MinPassphrase {
		return ErrPassphrase
	}
	head := append([]byte(exportMagic), make([]byte, exportSalt)...)
	rand.Read(head[len(exportMagic):]) // never fails
	s, err := newSealer(passphrase, head)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	out.Write(head) // Flush tells
	write := func(r exportRecord) error {
		b, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("chat: exporting: %w", err)
		}
		sealed := s.aead.Seal(nil, s.nonce(), b, s.head)
		out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(sealed))))
		_, err = out.Write(sealed)
		return err
	}
	err = e.v.view(func(t tx) error {
		if err := write(exportRecord{Owner: &e.self.Owner, Secret: secret}); err != nil {
			return err
		}
		list, err := t.contacts()
		for i := 0; err == nil && i < len(list); i++ {
			err = write(exportRecord{Contact: &list[i]})
		}
		if err == nil {
			err = e.exportLogs(t, write)
		}
		if err != nil {
			return err
		}
		return t.each(talkBucket, nil, func(_, b []byte) (bool, error) {
			s, err := parseTalk(b)
			if err != nil {
				return false, err
			}
			k := t.v.talkToken(s.Talk)
			return true, t.each(historyBucket, k[:], func(_, b []byte) (bool, error) {
				m := new(Message)
				if err := json.Unmarshal(b, m); err != nil {
					return false, err
				}
				return true, write(exportRecord{Talk: &s.Talk, Message: m})
			})
		})
	})
	return errors.Join(err, write(exportRecord{}), out.Flush())
}

// exportLogs writes what is known of groups.
func (e *Engine) exportLogs(t tx, write func(exportRecord) error) error {
	return t.each(groupBucket, nil, func(_, b []byte) (bool, error) {
		var s groupState
		if err := json.Unmarshal(b, &s); err != nil {
			return false, err
		}
		l, err := e.groupLog(t, s.ID)
		if err != nil || l == nil {
			return err == nil, err
		}
		for part := range slices.Chunk(l.Entries(0), maxEntries) {
			var r exportRecord
			for _, entry := range part {
				r.Entries = append(r.Entries, entry.Append(nil))
			}
			if err := write(r); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// openExport reads what an export begins with.
func openExport(in *bufio.Reader, passphrase string) (s *sealer, first exportRecord, err error) {
	head := make([]byte, len(exportMagic)+exportSalt)
	if _, err := io.ReadFull(in, head); err != nil || string(head[:len(exportMagic)]) != exportMagic {
		return nil, first, ErrExport
	}
	if s, err = newSealer(passphrase, head); err != nil {
		return nil, first, err
	}
	first, err = s.next(in)
	return s, first, err
}

// Import takes in an export: people who are not contacts yet, groups, and messages that are not there, behind those that are. What came before an
// error stays. Errors: ErrExport, ErrOwner.
func (e *Engine) Import(r io.Reader, passphrase string) (messages int, err error) {
	in := bufio.NewReader(r)
	s, first, err := openExport(in, passphrase)
	if err != nil {
		return 0, err
	}
	if first.Owner == nil {
		return 0, ErrExport
	}
	if *first.Owner != e.self.Owner {
		return 0, ErrOwner
	}
	for end := false; !end; {
		var batch []exportRecord
		for !end && len(batch) < importBatch {
			rec, err := s.next(in)
			if err != nil {
				return messages, err
			}
			end = rec.isEnd()
			batch = append(batch, rec)
		}
		n := 0
		err := e.v.update(func(t tx) error {
			for _, rec := range batch {
				fresh, err := e.importOne(t, rec)
				if err != nil {
					return err
				}
				if fresh {
					n++
				}
			}
			return nil
		})
		if err != nil {
			e.forgetLogs()
			return messages, err
		}
		messages += n
	}
	e.changed(Event{Kind: ContactChanged})
	return messages, nil
}

func (s *sealer) next(in io.Reader) (rec exportRecord, err error) {
	var n [4]byte
	if _, err := io.ReadFull(in, n[:]); err != nil {
		return rec, ErrExport
	}
	size := binary.BigEndian.Uint32(n[:])
	if size > maxRecord {
		return rec, ErrExport
	}
	sealed := make([]byte, size)
	if _, err := io.ReadFull(in, sealed); err != nil {
		return rec, ErrExport
	}
	b, err := s.aead.Open(nil, s.nonce(), sealed, s.head)
	if err != nil || json.Unmarshal(b, &rec) != nil {
		return rec, ErrExport
	}
	return rec, nil
}

// importOne takes in a record; fresh: it is a message that was not there.
func (e *Engine) importOne(t tx, r exportRecord) (fresh bool, err error) {
	if c := r.Contact; c != nil && c.Key != e.self.Owner && c.Key != (identity.PubKey{}) {
		if _, found, err := t.contact(c.Key); err != nil || found {
			return false, err
		}
		if err := t.checkName(c.Key, c.Name, false); errors.Is(err, ErrMany) {
			return false, nil
		} else if err != nil {
			c.Name = ""
		}
		if name, err := cleanName(c.Name); c.Name != "" && (err != nil || name != c.Name) {
			c.Name = ""
		}
		c.Devices, c.Homes = c.Devices[:min(len(c.Devices), mailbox.MaxDevices)], c.Homes[:min(len(c.Homes), mailbox.MaxHomes)]
		return false, t.saveContact(c)
	}
	if len(r.Entries) > 0 {
		return false, e.importEntries(t, r.Entries)
	}
	if r.Talk == nil || r.Message == nil || len(r.Message.Text) > MaxText || (r.Message.File != nil && len(r.Message.File.Name) > MaxFileName) {
		return false, nil
	}
	if _, found, err := t.find(r.Message.From, r.Message.ID); err != nil || found {
		return false, err
	}
	if r.Talk.IsGroup() {
		if _, err := e.state(t, r.Talk.Group); err != nil {
			return false, ignore(err, ErrNoGroup)
		}
	}
	s, err := t.talk(*r.Talk)
	if err != nil {
		return false, err
	}
	if r.Message.Status == Queued {
		r.Message.Status = Sent // nothing of it waits here
	}
	if _, err := t.add(&s, r.Message); err != nil {
		return false, err
	}
	s.Read = max(s.Read, s.Last*boolNumber(s.Unread == 0))
	return true, t.saveTalk(&s)
}

// importEntries takes in a part of a group's log; what it says stands in the history that was exported.
func (e *Engine) importEntries(t tx, list [][]byte) error {
	if len(list) > maxEntries {
		return ErrExport
	}
	var entries []*group.Entry
	for _, b := range list {
		entry, err := group.ParseEntry(b)
		if err != nil || (len(entries) > 0 && entry.ID() != entries[0].ID()) {
			return ErrExport
		}
		entries = append(entries, entry)
	}
	id := entries[0].ID()
	if l, err := e.groupLog(t, id); err != nil || (l == nil && t.count(groupBucket, MaxGroups) >= MaxGroups) {
		return err
	}
	if _, err := e.mergeSilently(t, id, entries); err != nil {
		e.log.Debug("a group's log is not taken", "err", err) // ours may be newer
	}
	return nil
}

// ignore is nil for an error of that kind.
func ignore(err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}

func boolNumber(v bool) uint64 { return uint64(boolByte(v)) }
