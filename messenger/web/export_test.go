package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
)

const passphrase = "correct horse"

// export asks for an export; it returns its path.
func (s *site) export(key bool) string {
	s.t.Helper()
	var got struct{ ID string }
	s.ask("POST", "/api/export", map[string]any{"passphrase": passphrase, "key": key}, &got)
	return "/api/export/" + got.ID
}

// TestExport: what is downloaded is what the command's import takes in; once, for the session that asked, and nothing of it stays.
func TestExport(t *testing.T) {
	var log bytes.Buffer
	s := open(t, func(s *Server) {
		s.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	s.say(s.contact("Ben"), "the secret text")
	path := s.export(false)
	other := s.Server.Link()
	if code, _ := s.status("GET", path, "", header("Cookie", cookieName+"="+s.enter(other))); code != http.StatusNotFound {
		t.Errorf("another session gets %d", code)
	}
	for _, wrong := range []string{"/api/export/", "/api/export/x", path + "x"} {
		if code, _ := s.status("GET", wrong, ""); code != http.StatusNotFound {
			t.Errorf("%s: %d", wrong, code)
		}
	}
	resp, text := s.do(s.request("GET", path, nil, header("Sec-Fetch-Site", "same-origin")))
	if resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(text)) || strings.Contains(text, "the secret text") {
		t.Fatalf("%s, %d of %d bytes", resp.Status, len(text), resp.ContentLength)
	}
	if h := resp.Header; !strings.HasPrefix(h.Get("Content-Disposition"), "attachment; filename=chat-ann-20") || h.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%v", h)
	}
	if code, _ := s.status("GET", path, ""); code != http.StatusNotFound {
		t.Errorf("taken again: %d", code)
	}
	if _, err := chat.ExportKey(strings.NewReader(text), passphrase); err != chat.ErrNoKey {
		t.Errorf("an export without the key: %v", err)
	}
	if n, err := s.e.Import(strings.NewReader(text), passphrase); err != nil || n != 0 {
		t.Errorf("%d messages are new, %v", n, err)
	}
	_, text = s.do(s.request("GET", s.export(true), nil))
	if k, err := chat.ExportKey(strings.NewReader(text), passphrase); err != nil || k.Public() != s.e.Self().Owner {
		t.Errorf("an export with the key: %v", err)
	}
	s.export(false) // nobody takes it
	if left, err := os.ReadDir(s.dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if strings.Contains(log.String(), passphrase) {
		t.Error("the passphrase is in the log")
	}
}

// TestExportRefused: what is wrong is told, and leaves nothing.
func TestExportRefused(t *testing.T) {
	s := open(t)
	for _, q := range []string{`{"passphrase":"short"}`, `{}`, fmt.Sprintf(`{"passphrase":%q}`, strings.Repeat("x", maxPassphrase+1)), `{"passphrase":"correct horse","x":1}`} {
		if code, text := s.status("POST", "/api/export", q); code != http.StatusBadRequest || strings.Contains(text, "correct") {
			t.Errorf("%.40s: %d %s", q, code, text)
		}
	}
	if code, _ := s.status("POST", "/api/export?passphrase=correct+horse", `{}`); code != http.StatusBadRequest {
		t.Errorf("a passphrase in the address: %d", code)
	}
	if code, _ := s.status("POST", "/api/export", `{"passphrase":"correct horse"}`, header("Origin", "http://evil.example")); code != http.StatusForbidden {
		t.Errorf("another page: %d", code)
	}
	s.cfg.Export = func(w io.Writer, _ string, _ bool) error {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
		return chat.ErrOwner
	}
	if code, _ := s.status("POST", "/api/export", `{"passphrase":"correct horse"}`); code != http.StatusBadRequest {
		t.Errorf("an export that fails: %d", code)
	}
	s.exports.writing <- struct{}{}
	if code, text := s.status("POST", "/api/export", `{"passphrase":"correct horse"}`); code != http.StatusBadRequest || !strings.Contains(text, errExports.Error()) {
		t.Errorf("two at a time: %d %s", code, text)
	}
	if left, err := os.ReadDir(s.dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if s.exports.last != nil {
		t.Error("one waits")
	}
}

func TestDevices(t *testing.T) {
	s := open(t)
	var list []deviceRow
	s.ask("GET", "/api/devices", nil, &list)
	if len(list) != 1 || !list[0].This || list[0].Since == nil || list[0].Seen == nil || len(list[0].Device) != 8 {
		t.Fatalf("%+v", list)
	}
	s.ask("POST", "/api/device", map[string]string{"device": list[0].Device, "act": "name", "name": "the desk"}, nil)
	s.ask("GET", "/api/devices", nil, &list)
	if list[0].Name != "the desk" {
		t.Errorf("%+v", list)
	}
	for _, q := range []string{`{"device":"zz","act":"name"}`, `{"device":"00000001","act":"remove"}`, `{"device":"` + list[0].Device + `","act":"remove"}`, `{"device":"00000001","act":"x"}`} {
		if code, _ := s.status("POST", "/api/device", q); code != http.StatusBadRequest {
			t.Errorf("%s: %d", q, code)
		}
	}
}

// endless is an export that has no end; it tells that it has begun, and why it ended.
func endless(s *Server) (began chan struct{}, ended chan error) {
	began, ended = make(chan struct{}, 1), make(chan error, 1)
	s.cfg.Export = func(w io.Writer, _ string, _ bool) error {
		began <- struct{}{}
		for {
			if _, err := w.Write([]byte("x")); err != nil {
				ended <- err
				return err
			}
			time.Sleep(time.Millisecond)
		}
	}
	return began, ended
}

// TestExportUnwanted: an export ends with its browser, and holds up neither the next one nor the end of the program.
func TestExportUnwanted(t *testing.T) {
	var began chan struct{}
	var ended chan error
	var asking sync.WaitGroup
	t.Cleanup(asking.Wait) // after the end of the server, which ends the last one
	s := open(t, func(s *Server) { began, ended = endless(s) })
	ask := func(ctx context.Context) {
		r := s.request("POST", "/api/export", strings.NewReader(`{"passphrase":"correct horse"}`)).WithContext(ctx)
		asking.Go(func() {
			if resp, err := client(t).Do(r); err == nil {
				resp.Body.Close()
			}
		})
		<-began
	}
	ctx, cancel := context.WithCancel(t.Context())
	ask(ctx)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	asking.Wait()
	s.exports.writing <- struct{}{} // it has given up its place
	<-s.exports.writing
	ask(context.Background())
}

// TestLongExport: an export may take longer than other requests.
func TestLongExport(t *testing.T) {
	const limit = 2 * time.Second
	s := open(t, func(s *Server) {
		export := s.cfg.Export
		s.timeout.body = limit
		s.cfg.Export = func(w io.Writer, passphrase string, key bool) error {
			time.Sleep(limit + limit/4)
			return export(w, passphrase, key)
		}
	})
	if code, _ := s.status("GET", s.export(false), ""); code != http.StatusOK {
		t.Errorf("an export that took long: %d", code)
	}
}
