package chat

import (
	"errors"
	"io"

	"github.com/skycoin/viscript/node/identity"
)

// FileReader reads a file that is in the store, a part at a time; it holds no transaction in between. Not safe for concurrent use;
// it needs no closing.
type FileReader struct {
	e     *Engine
	k     token
	file  File
	at    int64
	part  []byte // of the chunk numbered index
	index int64  // -1: none
}

// OpenFile opens a file of ours, or one that has come whole. Errors: ErrFile.
func (e *Engine) OpenFile(from identity.PubKey, id MessageID) (*FileReader, error) {
	f := &FileReader{e: e, k: e.v.fileToken(from, id), index: -1}
	return f, e.v.view(func(t tx) error {
		var s fileState
		found, err := t.load(fileBucket, f.k[:], &s)
		if err == nil && (!found || !s.Done) {
			err = ErrFile
		}
		f.file = s.File
		return err
	})
}

// Name is what its sender calls it.
func (f *FileReader) Name() string { return f.file.Name }

// Size is in bytes.
func (f *FileReader) Size() int64 { return int64(f.file.Size) }

// Read implements io.Reader. Errors: ErrFile when it was dropped meanwhile.
func (f *FileReader) Read(b []byte) (int, error) {
	if f.at >= f.Size() {
		return 0, io.EOF
	}
	if i := f.at / ChunkLen; i != f.index {
		err := f.e.v.view(func(t tx) (err error) {
			f.part, err = t.get(chunkBucket, chunkKey(f.k, uint32(i)))
			return err
		})
		if err != nil {
			return 0, err
		}
		f.index = i
	}
	from := f.at % ChunkLen
	if from >= int64(len(f.part)) {
		f.index = -1
		return 0, ErrFile
	}
	n := copy(b, f.part[from:])
	f.at += int64(n)
	return n, nil
}

// Seek implements io.Seeker.
func (f *FileReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.Size()
	}
	if offset < 0 {
		return f.at, errors.New("chat: seeking before the beginning of a file")
	}
	f.at = offset
	return offset, nil
}
