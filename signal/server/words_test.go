//go:build linux

package server

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	sig "github.com/skycoin/viscript/signal"
)

func TestWordsOf(t *testing.T) {
	long := strings.Repeat("x", sig.MaxWordDoc+1)
	list := []sig.Command{
		{Name: "plain"}, {Name: "", Word: true}, {Name: "Big", Word: true}, {Name: "two words", Word: true}, {Name: "esc\x1b", Word: true},
		{Name: "9lives", Word: true}, {Name: "a@b", Word: true}, {Name: strings.Repeat("a", sig.MaxName+1), Word: true},
		{Name: "msg", Word: true, Args: "WHO\x1b[2J", Help: long, Names: "people", Rest: 2},
		{Name: "msg", Word: true, Help: "again"},
		{Name: "odd", Word: true, Names: "b\x1bd", Rest: sig.MaxWordRest + 1},
	}
	got := wordsOf(list)
	if len(got) != 2 || got[0].Name != "msg" || got[0].Args != "WHO[2J" || len(got[0].Help) != sig.MaxWordDoc || got[0].Names != "people" || got[0].Rest != 2 {
		t.Errorf("%+v", got)
	}
	if got[1].Names != "" || got[1].Rest != 0 {
		t.Errorf("%+v", got[1])
	}
	for i := range 100 {
		list = append(list, sig.Command{Name: fmt.Sprint("w", i), Word: true})
	}
	if n := len(wordsOf(list)); n != sig.MaxWords {
		t.Errorf("%d words of one app", n)
	}
}

// TestNoticeIsNotWritten: what people are told is kept in memory only.
func TestNoticeIsNotWritten(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	j.add(sig.Event{ID: 3, Kind: kindApp, Text: sig.EventNotice + ": Ben wrote", Fields: []byte(`{"who":"Ben"}`)})
	j.add(sig.Event{ID: 3, Kind: kindApp, Text: "route: moved"})
	if list, _ := j.after(0); len(list) != 2 || list[0].Text != "notice: Ben wrote" || len(list[0].Fields) == 0 {
		t.Errorf("%+v", list)
	}
	j.close()
	if j, err = openJournal(dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if list, _ := j.after(0); len(list) != 2 || list[0].Text != sig.EventNotice || len(list[0].Fields) != 0 || list[1].Text != "route: moved" {
		t.Errorf("%+v", list)
	}
}
