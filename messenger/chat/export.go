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

	"github.com/skycoin/viscript/node/identity"
)

// An export is
//
//	"viscript chat export/1\n" │ salt[16] │ (len:u32 │ AEAD(record))*
//
// Big-endian. The AEAD is AES-256-GCM under PBKDF2-HMAC-SHA256(passphrase, salt, 600,000 rounds, 32 bytes); the nonce is four zero bytes and
// the record's number, from 0; the additional data is all before the first record. A record is JSON: a contact, or a message with its
// conversation; the last one is {}.
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
)

// exportRecord is one of them.
type exportRecord struct {
	Contact *Contact `json:",omitempty"`
	Talk    *Talk    `json:",omitempty"`
	Message *Message `json:",omitempty"`
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

// Export writes contacts and conversations, without files, for Import: nothing of what is needed to write as this person, or to read what
// comes. Nobody reads it without the passphrase. Errors: ErrPassphrase, those of w.
func (e *Engine) Export(w io.Writer, passphrase string) error {
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
		list, err := t.contacts()
		for i := 0; err == nil && i < len(list); i++ {
			err = write(exportRecord{Contact: &list[i]})
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

// Import takes in an export: people who are not contacts yet, and messages that are not there, behind those that are. What came before an
// error stays. Errors: ErrExport.
func (e *Engine) Import(r io.Reader, passphrase string) (messages int, err error) {
	in := bufio.NewReader(r)
	head := make([]byte, len(exportMagic)+exportSalt)
	if _, err := io.ReadFull(in, head); err != nil || string(head[:len(exportMagic)]) != exportMagic {
		return 0, ErrExport
	}
	s, err := newSealer(passphrase, head)
	if err != nil {
		return 0, err
	}
	for end := false; !end; {
		var batch []exportRecord
		for !end && len(batch) < importBatch {
			rec, err := s.next(in)
			if err != nil {
				return messages, err
			}
			end = rec == exportRecord{}
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
		if err := t.checkName(c.Key, c.Name, false); err != nil {
			c.Name = ""
		}
		return false, t.saveContact(c)
	}
	if r.Talk == nil || r.Message == nil {
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

// ignore is nil for an error of that kind.
func ignore(err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}

func boolNumber(v bool) uint64 { return uint64(boolByte(v)) }
