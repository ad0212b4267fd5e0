package web

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// Limits of exports.
const (
	exportPause   = time.Minute     // an export that nobody takes is gone
	exportTimeout = 5 * time.Minute // for writing one
	maxPassphrase = 1 << 10         // bytes
)

// Errors of exports.
var (
	errExport   = errors.New("such an export is not possible here")
	errExports  = errors.New("another export is being written")
	errNoExport = errors.New("the export is not here: it is taken once, within a minute")
)

// export is one that waits to be taken: a file without a name, encrypted with the person's passphrase, which is not kept.
type export struct {
	id    string
	of    digest // the session that may take it
	file  *os.File
	timer *time.Timer
}

// exports has the newest export until it is taken.
type exports struct {
	writing chan struct{} // holds one while an export is written

	mu     sync.Mutex // guards the following
	last   *export
	closed bool
}

func newExports() *exports { return &exports{writing: make(chan struct{}, 1)} }

// put has an export wait in place of the one before.
func (x *exports) put(f *export) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return errors.Join(errNoExport, f.drop())
	}
	x.dropLast()
	f.timer = time.AfterFunc(exportPause, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.last == f {
			x.dropLast()
		}
	})
	x.last = f
	return nil
}

// dropLast gives up the export that waits. The caller holds mu.
func (x *exports) dropLast() {
	if x.last != nil {
		x.last.timer.Stop()
		_ = x.last.drop() // nothing of it is wanted any more
		x.last = nil
	}
}

// take is the export of a session, once; nil: there is none. Who takes it drops it.
func (x *exports) take(id string, of digest) *export {
	x.mu.Lock()
	defer x.mu.Unlock()
	f := x.last
	if f == nil || f.of != of || subtle.ConstantTimeCompare([]byte(id), []byte(f.id)) != 1 {
		return nil
	}
	f.timer.Stop()
	x.last = nil
	return f
}

func (x *exports) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	x.dropLast()
}

// drop closes the file, and removes it where it still has a name.
func (f *export) drop() error {
	err := f.file.Close()
	if again := os.Remove(f.file.Name()); again != nil && !errors.Is(again, os.ErrNotExist) {
		err = errors.Join(err, again)
	}
	return err
}

// makeExport writes an export to a file that has no name any more, so that a slow browser keeps no transaction of the store open and nothing is left when
// the program is killed. It ends when the browser goes or the server does. The passphrase is in the body of this request and nowhere else.
func (s *Server) makeExport(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Passphrase string `json:"passphrase"`
		Key        bool   `json:"key"` // for another device
	}
	if !body(w, r, &q) {
		return
	}
	if s.cfg.Export == nil || len(q.Passphrase) > maxPassphrase {
		answer(w, nil, errExport)
		return
	}
	select {
	case s.exports.writing <- struct{}{}:
		defer func() { <-s.exports.writing }()
	default:
		answer(w, nil, errExports)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), exportTimeout)
	defer cancel()
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // always can; it would end the context
	_ = rc.SetWriteDeadline(time.Time{})
	f, err := s.writeExport(ctx, q.Passphrase, q.Key)
	_ = rc.SetWriteDeadline(time.Now().Add(s.timeout.body))
	if err == nil {
		f.of = r.Context().Value(sessionKey{}).(digest)
		err = s.exports.put(f)
	}
	if err != nil {
		answer(w, nil, err)
		return
	}
	answer(w, map[string]string{"id": f.id}, nil)
}

func (s *Server) writeExport(ctx context.Context, passphrase string, key bool) (*export, error) {
	file, err := os.CreateTemp(s.cfg.Dir, ".export-*") // mode 0600
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name()) // where that is possible while it is open; drop does it elsewhere
	f := &export{id: newSecret(), file: file}
	if err := s.cfg.Export(wanted{ctx, file}, passphrase, key); err != nil {
		return nil, errors.Join(err, f.drop())
	}
	return f, nil
}

// wanted is a writer that fails once nobody wants any more what is written.
type wanted struct {
	ctx context.Context
	w   io.Writer
}

// Write implements io.Writer.
func (f wanted) Write(b []byte) (int, error) {
	if err := context.Cause(f.ctx); err != nil {
		return 0, err
	}
	return f.w.Write(b)
}

// takeExport answers with an export, as a file to be saved.
func (s *Server) takeExport(w http.ResponseWriter, r *http.Request) {
	f := s.exports.take(r.PathValue("id"), r.Context().Value(sessionKey{}).(digest))
	if f == nil {
		fail(w, http.StatusNotFound, errNoExport.Error())
		return
	}
	defer func() { _ = f.drop() }() // it has been sent, or the browser went
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", disposition("attachment", "chat-"+s.cfg.Name+"-"+s.cfg.Now().Format(time.DateOnly)+".export"))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // always can
	http.ServeContent(&slow{ResponseWriter: w, rc: http.NewResponseController(w)}, r, "", time.Time{}, f.file)
}
