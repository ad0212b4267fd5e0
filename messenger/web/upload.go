package web

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
)

// Limits of uploads.
const (
	MaxPiece    = 1 << 20 // bytes
	maxUploads  = 4       // at a time
	uploadPause = 2 * time.Minute
)

// Errors of uploads.
var (
	errUploads  = errors.New("too many uploads at a time")
	errNoUpload = errors.New("no such upload")
	errOffset   = errors.New("the piece does not follow the one before")
	errShort    = errors.New("the file is not whole")
	errStale    = errors.New("the upload was given up")
)

// upload is a file on its way from the browser into the store; nothing of it is written anywhere else.
type upload struct {
	size  uint64
	in    *io.PipeWriter
	timer *time.Timer // ends an upload that does not go on
	done  chan struct{}
	id    chat.MessageID // when done is closed
	err   error          // likewise

	mu     sync.Mutex // held while a piece is written; guards the following
	offset uint64
}

// uploads are those that are going on.
type uploads struct {
	e *chat.Engine

	wg     sync.WaitGroup
	mu     sync.Mutex // guards the following
	byID   map[string]*upload
	closed bool
}

func newUploads(e *chat.Engine) *uploads { return &uploads{e: e, byID: map[string]*upload{}} }

func (u *uploads) begin(to chat.Talk, name string, size uint64) (id string, err error) {
	if size > chat.MaxFile {
		return "", errors.New("the file is too long")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed || len(u.byID) >= maxUploads {
		return "", errUploads
	}
	out, in := io.Pipe()
	f := &upload{size: size, in: in, done: make(chan struct{})}
	id = newSecret()
	f.timer = time.AfterFunc(uploadPause, func() { u.drop(id) })
	u.byID[id] = f
	u.wg.Go(func() {
		defer close(f.done)
		f.id, f.err = u.e.SendFile(to, name, out)
		out.CloseWithError(errors.Join(f.err, io.ErrClosedPipe))
	})
	return id, nil
}

func (u *uploads) find(id string) (*upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if f := u.byID[id]; f != nil {
		return f, nil
	}
	return nil, errNoUpload
}

// drop gives an upload up, or forgets one that is done.
func (u *uploads) drop(id string) {
	u.mu.Lock()
	f := u.byID[id]
	delete(u.byID, id)
	u.mu.Unlock()
	if f != nil {
		f.timer.Stop()
		f.in.CloseWithError(errStale)
	}
}

// close gives all up and waits for them.
func (u *uploads) close() {
	u.mu.Lock()
	u.closed = true
	var ids []string
	for id := range u.byID {
		ids = append(ids, id)
	}
	u.mu.Unlock()
	for _, id := range ids {
		u.drop(id)
	}
	u.wg.Wait()
}

func (s *Server) beginUpload(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Talk chat.Talk `json:"talk"`
		Name string    `json:"name"`
		Size uint64    `json:"size"`
	}
	if !body(w, r, &q) {
		return
	}
	id, err := s.uploads.begin(q.Talk, q.Name, q.Size)
	answer(w, map[string]string{"id": id}, err)
}

// putPiece takes in the next piece of a file.
func (s *Server) putPiece(w http.ResponseWriter, r *http.Request) {
	f, err := s.uploads.find(r.PathValue("id"))
	if err != nil {
		fail(w, http.StatusNotFound, err.Error())
		return
	}
	at, err := number(r, "offset", 0)
	if err != nil {
		answer(w, nil, err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if at != f.offset {
		fail(w, http.StatusConflict, errOffset.Error())
		return
	}
	f.timer.Reset(uploadPause)
	n, err := io.Copy(f.in, http.MaxBytesReader(w, r.Body, int64(min(MaxPiece, f.size-f.offset))))
	f.offset += uint64(n)
	if err != nil {
		select {
		case <-f.done:
			err = f.err
		default:
		}
	}
	answer(w, map[string]uint64{"offset": f.offset}, err)
}

func (s *Server) uploadState(w http.ResponseWriter, r *http.Request) {
	f, err := s.uploads.find(r.PathValue("id"))
	if err != nil {
		fail(w, http.StatusNotFound, err.Error())
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	answer(w, map[string]uint64{"offset": f.offset}, nil)
}

// endUpload sends the message with the file.
func (s *Server) endUpload(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	f, err := s.uploads.find(id)
	if err != nil {
		fail(w, http.StatusNotFound, err.Error())
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.offset != f.size {
		fail(w, http.StatusConflict, errShort.Error())
		return
	}
	f.timer.Stop()
	f.in.Close()
	<-f.done // the disk
	s.uploads.drop(id)
	answer(w, map[string]chat.MessageID{"id": f.id}, f.err)
}

func (s *Server) dropUpload(w http.ResponseWriter, r *http.Request) {
	s.uploads.drop(r.PathValue("id"))
	answer(w, struct{}{}, nil)
}
