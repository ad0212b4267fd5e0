package chat

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/node/identity"
)

// Limits of files.
const (
	maxOffers    = 1000    // files of ours that others may ask for
	maxTransfers = 16      // files that are coming at a time
	maxHeldFiles = 4 << 30 // bytes of files in the store, ours and others'
	wantAhead    = 8       // chunks asked for at once
)

// Errors about files.
var (
	ErrFile     = errors.New("chat: no such file")
	ErrFileSum  = errors.New("chat: the file is not what its sender said")
	ErrFileRoom = errors.New("chat: no room for more files")
)

// fileState is what is kept of a file, ours or somebody else's.
type fileState struct {
	ID    MessageID
	Talk  Talk
	From  identity.PubKey
	File  File
	Have  uint32 // chunks from the first on
	Asked uint32 // up to this chunk
	Going bool   // it is coming
	Done  bool
	// Hash is the state of SHA-256 after Have chunks, while it is coming: so no transaction ever reads a whole file.
	Hash []byte `json:",omitempty"`
}

// batchChunks is how many chunks one transaction reads or writes.
const batchChunks = 16

func (f *File) chunks() uint32 { return uint32((f.Size + ChunkLen - 1) / ChunkLen) }

// fileToken is where a file of somebody's is.
func (v *vault) fileToken(from identity.PubKey, id MessageID) token {
	return v.token("file", from[:], id[:])
}

func chunkKey(k token, i uint32) []byte { return binary.BigEndian.AppendUint32(k[:], i) }

// SendFile offers a file to a conversation; r is read to its end and kept in the store, encrypted, until DropFile. The others
// fetch it when they like. Errors: those of Send, ErrFileRoom.
func (e *Engine) SendFile(to Talk, name string, r io.Reader) (id MessageID, err error) {
	name = filepath.Base(filepath.FromSlash(strings.ReplaceAll(name, `\`, "/")))
	if name == "." || name == "/" || len(name) > MaxFileName {
		return id, fmt.Errorf("chat: a file's name is 1 to %d bytes", MaxFileName)
	}
	id = newID()
	k := e.v.fileToken(e.self.Owner, id)
	s := fileState{ID: id, Talk: to, From: e.self.Owner, File: File{Name: name}, Done: true}
	if err = e.keep(k, r, &s); err != nil {
		return MessageID{}, errors.Join(err, e.dropChunks(k))
	}
	var m *Message
	err = e.v.update(func(t tx) error {
		c := &content{kind: fileKind, id: id, text: name, length: s.File.Size, sum: s.File.Sum}
		if m, err = e.say(t, to, c); err != nil {
			return err
		}
		return t.save(fileBucket, k[:], s)
	})
	if err != nil {
		return MessageID{}, errors.Join(err, e.dropChunks(k))
	}
	e.changed(Event{Kind: MessageAdded, Talk: to, Message: m})
	e.kick()
	return id, nil
}

// cleanFileName is what is kept of a name that somebody else has given: no folder, nothing that is not visible or turns the direction of text.
func cleanFileName(s string) string {
	s = s[strings.LastIndexAny(s, `/\`)+1:]
	s = strings.TrimLeft(group.Visible(s), ". ")
	s = strings.TrimRight(s, " .")
	for len(s) > MaxFileName {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	if s == "" {
		return "file"
	}
	return s
}

// keep reads a file into the store.
func (e *Engine) keep(k token, r io.Reader, s *fileState) error {
	if err := e.v.view(func(t tx) error { return t.fileRoom(0) }); err != nil {
		return err
	}
	sum, buf := sha256.New(), make([]byte, batchChunks*ChunkLen)
	for i := uint32(0); ; i += batchChunks {
		n, err := io.ReadFull(r, buf)
		if n == 0 && err == io.EOF {
			break
		}
		if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
			return fmt.Errorf("chat: reading the file: %w", err)
		}
		if s.File.Size += uint64(n); s.File.Size > MaxFile {
			return fmt.Errorf("chat: a file of more than %d bytes", MaxFile)
		}
		sum.Write(buf[:n])
		if err := e.v.update(func(t tx) error { return t.putChunks(k, i, buf[:n]) }); err != nil {
			return err
		}
	}
	sum.Sum(s.File.Sum[:0])
	s.Have = s.File.chunks()
	return nil
}

// putChunks keeps consecutive chunks, from number i on.
func (t tx) putChunks(k token, i uint32, b []byte) error {
	for part := range slices.Chunk(b, ChunkLen) {
		if err := t.put(chunkBucket, chunkKey(k, i), part); err != nil {
			return err
		}
		i++
	}
	return nil
}

// fileRoom: whether there is room for a file of n bytes.
func (t tx) fileRoom(n uint64) error {
	count, sum, going := 0, n, 0
	err := t.each(fileBucket, nil, func(_, b []byte) (bool, error) {
		var s fileState
		if err := json.Unmarshal(b, &s); err != nil {
			return false, err
		}
		if count++; s.Going && !s.Done {
			going++
		}
		sum += s.File.Size
		return true, nil
	})
	if err == nil && (count >= maxOffers || sum > maxHeldFiles || going >= maxTransfers) {
		err = ErrFileRoom
	}
	return err
}

// dropChunks deletes what is kept of a file.
func (e *Engine) dropChunks(k token) error {
	for more := true; more; {
		err := e.v.update(func(t tx) error {
			c := t.Bucket([]byte(chunkBucket)).Cursor()
			n := 0
			for at, _ := c.Seek(k[:]); hasPrefix(at, k[:]) && n < maxWant; at, _ = c.Seek(k[:]) {
				if err := c.Delete(); err != nil {
					return err
				}
				n++
			}
			more = n == maxWant
			return t.drop(fileBucket, k[:])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DropFile forgets a file of ours or of somebody else, also while it comes; others cannot fetch it any more.
func (e *Engine) DropFile(from identity.PubKey, id MessageID) error {
	return e.dropChunks(e.v.fileToken(from, id))
}

// FetchFile asks the sender of a message for its file; what is there already is not asked for again. It comes while Run runs: see
// FileProgress events, Progress and ReadFile. Errors: ErrFile, ErrFileRoom.
func (e *Engine) FetchFile(talk Talk, from identity.PubKey, id MessageID) error {
	return e.fetchFile(talk, from, id, false)
}

// FetchUnasked is FetchFile without the person's word: the file counts as one that its sender has left. Errors: ErrAllowance too.
func (e *Engine) FetchUnasked(talk Talk, from identity.PubKey, id MessageID) error {
	return e.fetchFile(talk, from, id, true)
}

func (e *Engine) fetchFile(talk Talk, from identity.PubKey, id MessageID, unasked bool) error {
	err := e.v.update(func(t tx) error {
		r, found, err := t.find(from, id)
		if err != nil {
			return err
		}
		var m Message
		if found {
			_, err = t.load(historyBucket, r.key(), &m)
		}
		if err != nil || m.File == nil || r.talk != t.v.talkToken(talk) {
			return errors.Join(err, ErrFile)
		}
		k := t.v.fileToken(from, id)
		var s fileState
		there, err := t.load(fileBucket, k[:], &s)
		if err != nil || s.Done {
			return err
		}
		if others, err := e.hasOthers(t); from == e.self.Owner && !others { // of a file of ours another device may have it
			return errors.Join(err, ErrFile)
		}
		if s.Have > 0 && len(s.Hash) == 0 {
			s.Have = 0 // of a version without it
		}
		if !there {
			if unasked && from != e.self.Owner {
				if err := e.payUnasked(t, from, m.File.Size); err != nil {
					return err
				}
			}
			if err := t.fileRoom(m.File.Size); err != nil {
				return err
			}
			s = fileState{ID: id, Talk: talk, From: from, File: *m.File}
		}
		s.Going, s.Asked = true, s.Have
		return e.wantMore(t, k, &s)
	})
	e.kick()
	return err
}

// wantMore asks for the next chunks, or checks the file when all are there.
func (e *Engine) wantMore(t tx, k token, s *fileState) error {
	if s.Have == s.File.chunks() {
		h, err := s.hash()
		if err != nil {
			return err
		}
		s.Going, s.Done, s.Hash = false, true, nil
		if [32]byte(h.Sum(nil)) != s.File.Sum {
			s.Done, s.Have = false, 0 // from the beginning, if the person likes
		}
		return t.save(fileBucket, k[:], s)
	}
	if s.Asked == s.Have {
		n := min(s.File.chunks()-s.Have, wantAhead)
		s.Asked += n
		c := content{kind: wantKind, id: newID(), time: e.now(), file: s.ID, index: s.Have, count: n}
		if err := t.pushOut(outItem{to: s.From, bytes: c.append(nil)}); err != nil {
			return err
		}
	}
	return t.save(fileBucket, k[:], s)
}

// hash goes on where the chunks that are there end.
func (s *fileState) hash() (hash.Hash, error) {
	h := sha256.New()
	if s.Have == 0 {
		return h, nil
	}
	err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(s.Hash)
	if err != nil {
		err = fmt.Errorf("chat: the state of a file's hash: %w", err)
	}
	return h, err
}

// hashed notes another chunk.
func (s *fileState) hashed(chunk []byte) error {
	h, err := s.hash()
	if err != nil {
		return err
	}
	h.Write(chunk)
	s.Hash, err = h.(encoding.BinaryMarshaler).MarshalBinary()
	s.Have++
	return err
}

// takeChunk takes in the next part of a file that we asked for; others are dropped.
func (e *Engine) takeChunk(in *inbox, from identity.PubKey, c *content) error {
	k := in.t.v.fileToken(from, c.file)
	var s fileState
	found, err := in.t.load(fileBucket, k[:], &s)
	if err != nil || !found || !s.Going || c.index != s.Have || c.index >= s.File.chunks() {
		return errors.Join(err, errForeign)
	}
	if want := min(ChunkLen, s.File.Size-uint64(c.index)*ChunkLen); uint64(len(c.bytes)) != want {
		return errForeign
	}
	if err := in.t.put(chunkBucket, chunkKey(k, c.index), c.bytes); err != nil {
		return err
	}
	if err := s.hashed(c.bytes); err != nil {
		return err
	}
	in.events = append(in.events, Event{Kind: FileProgress, Talk: s.Talk, File: s.ID})
	return e.wantMore(in.t, k, &s)
}

// giveChunks sends parts of a file of ours to somebody whom it was offered to.
func (e *Engine) giveChunks(in *inbox, from identity.PubKey, c *content) error {
	k := in.t.v.fileToken(e.self.Owner, c.file)
	var s fileState
	found, err := in.t.load(fileBucket, k[:], &s)
	if err != nil || !found || !s.Done || uint64(c.index)+uint64(c.count) > uint64(s.File.chunks()) || c.count > wantAhead {
		return errors.Join(err, errForeign)
	}
	if ok, err := e.mayFetch(in.t, from, s.Talk); err != nil || !ok {
		return errors.Join(err, errForeign)
	}
	for i := range c.count {
		b, err := in.t.get(chunkBucket, chunkKey(k, c.index+i))
		if err != nil {
			return err
		}
		chunk := content{kind: chunkKind, id: newID(), time: e.now(), file: c.file, index: c.index + i, bytes: b}
		if err := in.t.pushOut(outItem{to: from, bytes: chunk.append(nil)}); err != nil {
			return err
		}
	}
	return nil
}

// mayFetch: whoever is in the conversation now, unless so much waits for them that they fetch too much.
func (e *Engine) mayFetch(t tx, from identity.PubKey, talk Talk) (bool, error) {
	if t.muchWaits(from) {
		return false, nil
	}
	if !talk.IsGroup() || from == e.self.Owner {
		return talk.Key == from || from == e.self.Owner, nil
	}
	g, err := e.state(t, group.Hash(talk.Group))
	if err != nil {
		return false, err
	}
	_, ok := g.Member(from)
	return ok, nil
}

// muchWaits: so much waits for somebody that nothing large is done for them.
func (t tx) muchWaits(who identity.PubKey) bool {
	waiting := 0
	q := t.v.token("person", who[:])
	c := t.Bucket([]byte(outBucket)).Cursor()
	for k, _ := c.Seek(q[:]); hasPrefix(k, q[:]) && waiting <= maxWant; k, _ = c.Next() {
		waiting++
	}
	return waiting > maxWant
}

// Progress is how much of a file is there, in bytes, and whether it is whole. Errors: ErrFile.
func (e *Engine) Progress(from identity.PubKey, id MessageID) (have uint64, done bool, err error) {
	err = e.v.view(func(t tx) error {
		k := t.v.fileToken(from, id)
		var s fileState
		found, err := t.load(fileBucket, k[:], &s)
		if err == nil && !found {
			err = ErrFile
		}
		have, done = min(uint64(s.Have)*ChunkLen, s.File.Size), s.Done
		return err
	})
	return have, done, err
}

// ReadFile writes a whole file to w and checks it once more. Errors: ErrFile, ErrFileSum, those of w.
func (e *Engine) ReadFile(from identity.PubKey, id MessageID, w io.Writer) error {
	k := e.v.fileToken(from, id)
	h := sha256.New()
	for i, more := uint32(0), true; more; i += batchChunks {
		b, s, err := e.readChunks(k, i)
		if err != nil {
			return err
		}
		h.Write(b)
		if _, err := w.Write(b); err != nil {
			return err
		}
		if more = i+batchChunks < s.Have; !more && [32]byte(h.Sum(nil)) != s.File.Sum {
			return ErrFileSum
		}
	}
	return nil
}

// readChunks reads some chunks of a whole file, so that a slow reader keeps no transaction open. Errors: ErrFile.
func (e *Engine) readChunks(k token, from uint32) (list []byte, s fileState, err error) {
	err = e.v.view(func(t tx) error {
		found, err := t.load(fileBucket, k[:], &s)
		if err != nil || !found || !s.Done {
			return errors.Join(err, ErrFile)
		}
		for i := from; i < min(from+batchChunks, s.Have); i++ {
			b, err := t.get(chunkBucket, chunkKey(k, i))
			if err != nil || b == nil {
				return errors.Join(err, ErrFile)
			}
			list = append(list, b...)
		}
		return nil
	})
	return list, s, err
}
