package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
)

// Limits of files that are answered.
const (
	maxFiles    = 8               // at a time
	fileTimeout = 2 * time.Minute // without a byte that leaves
	maxInline   = 16 << 20        // bytes of a picture that is shown
)

func (s *Server) fetch(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Talk chat.Talk       `json:"talk"`
		From identity.PubKey `json:"from"`
		ID   chat.MessageID  `json:"id"`
		// Unasked: the page fetches it by itself.
		Unasked bool `json:"unasked"`
	}
	if !body(w, r, &q) {
		return
	}
	if !q.Unasked {
		answer(w, struct{}{}, s.e.FetchFile(q.Talk, q.From, q.ID))
		return
	}
	err := s.e.FetchUnasked(q.Talk, q.From, q.ID)
	if errors.Is(err, chat.ErrAllowance) {
		err = nil // the person may ask for it
	}
	answer(w, struct{}{}, err)
}

// named reads whose file is meant.
func named(from, id string) (k identity.PubKey, m chat.MessageID, err error) {
	k, err = identity.ParseHex(from)
	return k, m, errors.Join(err, m.UnmarshalText([]byte(id)))
}

func (s *Server) progress(w http.ResponseWriter, r *http.Request) {
	from, id, err := named(r.FormValue("from"), r.FormValue("id"))
	var have uint64
	var done bool
	if err == nil {
		have, done, err = s.e.Progress(from, id)
	}
	if errors.Is(err, chat.ErrFile) {
		err = nil // not asked for
	}
	answer(w, map[string]any{"have": have, "done": done}, err)
}

// file answers with a file that is here: a picture to be shown, or anything to be saved.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	select {
	case s.files <- struct{}{}:
		defer func() { <-s.files }()
	default:
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, "too many files at a time")
		return
	}
	from, id, err := named(r.PathValue("from"), r.PathValue("id"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	f, err := s.e.OpenFile(from, id)
	if err != nil {
		fail(w, http.StatusNotFound, "the file is not here")
		return
	}
	kind := ""
	if r.FormValue("save") == "" && f.Size() <= maxInline {
		kind = pictureType(f)
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", disposition("attachment", f.Name()))
	if kind != "" {
		h.Set("Content-Type", kind)
		h.Set("Content-Disposition", disposition("inline", f.Name()))
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // always can
	out := &slow{ResponseWriter: w, rc: http.NewResponseController(w)}
	http.ServeContent(out, r, "", time.Time{}, f)
}

// disposition names a file without what would mislead: paths, controls, and what turns text around.
func disposition(how, name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`/\"`, r) {
			return '_'
		}
		return r
	}, name)
	if d := mime.FormatMediaType(how, map[string]string{"filename": name}); d != "" {
		return d
	}
	return how
}

// slow gives a browser that goes on reading all the time it needs.
type slow struct {
	http.ResponseWriter
	rc *http.ResponseController
}

// Write implements io.Writer.
func (s *slow) Write(b []byte) (int, error) {
	_ = s.rc.SetWriteDeadline(time.Now().Add(fileTimeout)) // always can
	return s.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (s *slow) Unwrap() http.ResponseWriter { return s.ResponseWriter }
