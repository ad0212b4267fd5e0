//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skycoin/viscript/signal"
)

// TestChatWords: two people at one console. Each word says whose it is; who wrote is told, and nothing of what was written, nor by whom, is on
// the disk in clear.
func TestChatWords(t *testing.T) {
	c := startCrowd(t, "annabel", "benjamin")
	if _, errs, code := c.exec("msg", "benjamin", "hello"); code != exitFailed || !strings.Contains(errs, "2 apps offer msg: say whose; there are msg@annabel, msg@benjamin") {
		t.Errorf("whose word? %d %s", code, errs)
	}
	c.ok(t, "msg@annabel benjamin don't  tell the windmill") // a whole line
	c.awaitUnread("benjamin", 1, "annabel")
	c.ok(t, "tell", "annabel", "msg", "benjamin", "nor the windmills")
	_, errs, code := c.exec("tell", "annabel", "msg", "windmiller", "hello")
	if code != exitFailed || !strings.Contains(errs, "windmiller") {
		t.Errorf("to nobody: %d %s", code, errs)
	}
	c.awaitUnread("benjamin", 2, "annabel")
	var rows []messageRow
	c.json(t, &rows, "chat@benjamin", "annabel")
	if len(rows) != 2 || rows[0].Text != "don't  tell the windmill" || rows[0].From != "annabel" {
		t.Errorf("%+v", rows)
	}
	eventuallyTrue(t, "a notice", func() error {
		var texts []string
		err := c.op.Events(t.Context(), 0, false, func(e signal.Event) error { texts = append(texts, e.Text); return nil })
		if err == nil && !slices.Contains(texts, "notice: annabel wrote") {
			err = fmt.Errorf("%q", texts)
		}
		return err
	})
	if out := c.ok(t, "groups"); !strings.Contains(out, "people") || !strings.Contains(out, "groups@annabel: ") {
		t.Errorf("groups: %s", out)
	}
	if out := c.ok(t, "help"); !strings.Contains(out, "msg@benjamin KEY|NAME|GROUP TEXT") {
		t.Errorf("help: %s", out)
	}
	c.off("annabel")
	c.ok(t, "msg", "annabel", "by one's own word") // there is one left
	// Eight bytes at least: fewer stand in what is sealed by chance.
	c.nothingInClear("windmill", "own word", "annabel wrote", "benjamin wrote")
	if text, err := os.ReadFile(filepath.Join(c.state, "audit.jsonl")); err != nil || !bytes.Contains(text, []byte(` msg '***'"`)) {
		t.Errorf("audit: %s, %v", text, err)
	}
}

// nothingInClear looks for words in all files of the state folder and in what the daemon has printed.
func (c *crowd) nothingInClear(words ...string) {
	c.t.Helper()
	files := 0
	err := filepath.WalkDir(c.dir, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // they run: what is written anew is gone under its first name
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		files++
		for _, w := range words {
			if at := bytes.Index(text, []byte(w)); at >= 0 {
				c.t.Errorf("%s holds %q", path, text[max(0, at-80):min(len(text), at+80)])
			}
		}
		return err
	})
	if err != nil || files < 10 {
		c.t.Errorf("%d files, %v", files, err)
	}
}
