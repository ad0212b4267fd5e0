package desktop

import (
	"strings"
	"testing"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

func TestSelection(t *testing.T) {
	for _, c := range []struct{ name, script, requests string }{
		{"drag", "press 1.body:2,1; move 1.body:7,1.5; release 1.body:7,1.5", "copy 1 1,2-1,7 block false primary true"},
		{"backwards over lines", "press 1.body:7,3.5; move 1.body:2,1.5; release 1.body:2,1.5", "copy 1 1,2-3,7 block false primary true"},
		{"nearest gap", "press 1.body:2.4,1; move 1.body:6.6,1.5; release 1.body:6.6,1.5", "copy 1 1,2-1,7 block false primary true"},
		{"block", "press 1.body:7,3.5; mods alt; move 1.body:2,1.5; release 1.body:2,1.5", "copy 1 1,2-3,7 block true primary true"},
		{"block from the press on", "mods alt shift; press 1.body:2,1.5; move 1.body:7,3.5; release 1.body:7,3.5", "copy 1 1,2-3,7 block true primary true"},
		{"word", "click 1.body:5.5,0.5; press 1.body:5.5,0.5; release 1.body:5.5,0.5", "copy 1 0,4-0,16 block false primary true"},
		{"words", "click 1.body:5.5,0.5; press 1.body:5.5,0.5; move 1.body:18.5,0.5; release 1.body:18.5,0.5", "copy 1 0,4-0,21 block false primary true"},
		{"words backwards", "click 1.body:5.5,0.5; press 1.body:5.5,0.5; move 1.body:1.5,0.5; release 1.body:1.5,0.5", "copy 1 0,0-0,16 block false primary true"},
		{"word over a wrap", "click 1.body:1.5,3.5; click 1.body:1.5,3.5", "copy 1 2,3-3,5 block false primary true"},
		{"no word", "click 1.body:3.5,0.5; click 1.body:3.5,0.5", "copy 1 0,3-0,4 block false primary true"},
		{"wide word", "click 1.body:3.5,4.5; click 1.body:3.5,4.5", "copy 1 4,0-4,4 block false primary true"},
		{"line", "click 1.body:5.5,3.5; click 1.body:5.5,3.5; click 1.body:5.5,3.5",
			"copy 1 3,5-3,6 block false primary true | copy 1 2,0-3,40 block false primary true"},
		{"too slow for a word", "click 1.body:5.5,0.5; wait 500ms; click 1.body:5.5,0.5", ""},
		{"not at one place", "click 1.body:5.5,0.5; click 1.body:9.5,0.5", ""},
		{"right button extends", "press 1.body:2,1; move 1.body:7,1.5; release 1.body:7,1.5; right 1.body:9,2.5; rightrelease 1.body:9,2.5",
			"copy 1 1,2-1,7 block false primary true | copy 1 1,2-2,9 block false primary true"},
		{"copy by keys", "press 1.body:2,1; move 1.body:7,1.5; release 1.body:7,1.5; mods ctrl shift; key c",
			"copy 1 1,2-1,7 block false primary true | copy 1 1,2-1,7 block false primary false"},
		{"a click takes it away", "press 1.body:2,1; move 1.body:7,1.5; release 1.body:7,1.5; click 1.body:30,8; mods ctrl shift; key c",
			"copy 1 1,2-1,7 block false primary true"},
		{"a resize too", "press 1.body:2,1; move 1.body:7,1.5; release 1.body:7,1.5; report 1 50x10; mods ctrl shift; key c",
			"copy 1 1,2-1,7 block false primary true"},
		{"the wheel goes on", "report 1 40x10 0 20; press 1.body:2,9.5; wheel 1 1.body:2,0.5; release 1.body:2,0.5", "copy 1 17,2-29,2 block false primary true"},
		{"beyond the edge lines come", "report 1 40x10 0 20; press 1.body:2,5; move 1.body:2,-3; wait 60ms; wait 60ms; release +0,+0", "copy 1 17,2-25,2 block false primary true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.lines.text["1"] = map[uint64]string{0: "one /tmp/x.go:12 last word.", 2: `(a wrapped\`, 3: "wo-rd) end", 4: "世界 x"}
			s.lines.text["1"][2] = `(a wra\`
			s.play("open 1 40x10;" + c.script)
			if got := s.requests(); got != c.requests {
				t.Errorf("got %s\nwant %s", got, c.requests)
			}
		})
	}
}

func TestSelectionByKeys(t *testing.T) {
	for _, c := range []struct{ script, requests string }{
		{"key right; key right; type  ; key right; key enter", "copy 1 29,2-29,4 block false primary false"},
		{"key up; key end; type  ; key down; key home; key enter; type x", "copy 1 28,39-29,1 block false primary false | char 1 x"},
		{"key right; type  ; key up; key right; type b; key enter", "copy 1 28,1-29,3 block true primary false"},
		{"type  ; key right; key escape; key enter", "key 1 1 'e' 0"},
		{"type  ; key pageup; key pageup; key pageup; key pageup; key up; key enter", "copy 1 0,0-29,1 block false primary false"},
		{"key down; type  ; key left; key enter", "copy 1 29,0-29,1 block false primary false"},
		{"type  ; report 1 30x10; key enter", "key 1 1 'e' 0"},
		{"key enter; key enter", "key 1 1 'e' 0"},
	} {
		s := newStage(t)
		s.play("open 1 40x10 0 20; mods ctrl shift; key x; mods")
		for _, step := range strings.Split(c.script, "; ") {
			if step == "type  " || step == "type " {
				s.Handle(Input{Kind: Char, Rune: ' '})
				continue
			}
			s.play(step)
		}
		if got := s.requests(); got != c.requests {
			t.Errorf("%s: got %s, want %s", c.script, got, c.requests)
		}
	}
}

func TestLinks(t *testing.T) {
	for _, c := range []struct{ line, at, uri string }{
		{"see https://a.example/x?y=1, or", "10", "https://a.example/x?y=1"},
		{"see https://a.example/x?y=1, or", "27", ""},
		{"see https://a.example/x?y=1, or", "1", ""},
		{"(http://a.example/b_(c))", "3", "http://a.example/b_(c)"},
		{"<https://a.example>", "3", "https://a.example"},
		{"url=https://a.example/z.", "12", "https://a.example/z"},
		{"HTTPS://A.EXAMPLE/", "3", "HTTPS://A.EXAMPLE/"},
		{"mailto:a@b.example!", "3", "mailto:a@b.example"},
		{"javascript:alert(1)", "3", ""},
		{"file:///etc/passwd", "3", ""},
		{"https://", "3", ""},
		{"{click here} no", "3", "https://real.example/"},
		{"{click here} no", "13", ""},
		{"https://a.example/世界 x", "20", "https://a.example/世界"},
	} {
		s := newStage(t)
		s.lines.text["1"] = map[uint64]string{0: c.line}
		s.lines.links[1] = "https://real.example/"
		s.play("open 1 60x10; move 1.body:" + c.at + ".5,0.5")
		if s.link.uri != c.uri {
			t.Errorf("%q at %s: %q", c.line, c.at, s.link.uri)
		}
		if shape := s.shape(); (shape == scene.Hand) != (c.uri != "") {
			t.Errorf("%q at %s: pointer %s", c.line, c.at, shape)
		}
		s.play("click 1.body:" + c.at + ".5,0.5")
		want := ""
		if c.uri != "" {
			want = "visit " + c.uri
		}
		if got := s.requests(); got != want {
			t.Errorf("%q: %s", c.line, got)
		}
	}
}

func TestLinksThatAreNotOpened(t *testing.T) {
	for _, uri := range []string{"", "javascript:x()", "file:///etc/passwd", "https://x\x1b]52;c;aGk=\a", "https://x y", "https://a\u202ebc", "https://" + strings.Repeat("x", maxURL), "vscode://x", "https://x\"&calc"} {
		if openable(uri) {
			t.Errorf("%.60q opens", uri)
		}
	}
	s := newStage(t)
	s.lines.text["1"] = map[uint64]string{0: "https://a.example"}
	s.lines.text["2"] = s.lines.text["1"]
	s.play("open 1 60x10; open 2 20x10; click task 1; click task 0; click 1.body:3.5,0.5; click task 1; wait 1s; click task 0; click task 1")
	if got := s.requests(); got != "visit https://a.example" {
		t.Error(got)
	}
	s.play("wait 1s; click task 1; click 1.body:1.5,8; wait 1s; press 1.body:3.5,0.5; move 1.body:9,0.5; release 1.body:9,0.5")
	if got := s.requests(); !strings.HasPrefix(got, "copy") {
		t.Errorf("a drag from a link: %s", got)
	}
}

func TestLinksByKeys(t *testing.T) {
	s := newStage(t)
	s.lines.text["1"] = map[uint64]string{1: "https://a.example http://b.example", 3: `https://c.exam\`, 4: "ple/long x"}
	s.play("open 1 40x10; mods ctrl shift; key u; key o; key u; key o; key u; key o; key u; key o; key u; key o")
	want := "visit https://c.example/long | visit http://b.example | visit https://a.example | visit https://c.example/long"
	if got := s.requests(); got != want {
		t.Error(got)
	}
}

func TestSearchBar(t *testing.T) {
	s := newStage(t)
	s.play("open 1 40x10 0 100; mods ctrl shift; key f; mods; type ab")
	if got := s.requests(); got != `search 1 "a" from 110,0 back true | search 1 "ab" from 110,0 back true` {
		t.Error(got)
	}
	s.Found("1", 1, Pos{105, 3}, Pos{105, 5}, true)
	if s.focus.term.search.found {
		t.Error("an old answer counts")
	}
	s.Found("1", 2, Pos{50, 3}, Pos{50, 5}, true)
	if top := s.focus.term.top(); top != 45 {
		t.Errorf("top %d", top)
	}
	s.play("key enter; mods shift; key enter; mods; key up; key down; key left; key escape; type x")
	want := `search 1 "ab" from 50,3 back true | search 1 "ab" from 50,5 back false | search 1 "ab" from 50,3 back true | search 1 "ab" from 50,5 back false | char 1 x`
	if got := s.requests(); got != want {
		t.Error(got)
	}
	s.Found("1", 6, Pos{1, 1}, Pos{1, 2}, true) // no bar any more
	s.play("mods ctrl shift; key f; mods; type zz; key backspace; mods ctrl; key u; key c")
	if got := s.requests(); !strings.HasSuffix(got, `search 1 "z" from 110,0 back true | key 1 0 'c' 4`) {
		t.Error(got)
	}
	s.mods = 0
	s.play("type q")
	s.Found("1", s.focus.term.search.seq, Pos{}, Pos{}, false)
	if !s.focus.term.search.failed {
		t.Error("not told that there is none")
	}
	s.play("type " + strings.Repeat("y", 500))
	if n := len(s.focus.term.search.text); n != maxQuery {
		t.Errorf("%d characters", n)
	}
}

func TestCompletion(t *testing.T) {
	items := []Suggestion{{"start", "start an app"}, {"stop\x1b", ""}, {"status", ""}}
	for _, c := range []struct{ script, requests string }{
		{"key enter", "complete 1 0 start"},
		{"key down; key tab; key tab; key enter", "complete 1 2 status"},
		{"key down; key up; mods shift; key tab; mods; key enter", "complete 1 0 start"},
		{"key down; key enter", "complete 1 1 stop\ufffd"},
		{"key escape; key escape", "end completion 1 | key 1 4 'e' 0"},
		{"mods ctrl; key c", "end completion 1 | key 1 0 'c' 4"},
		{"press 1.body:30,8", "end completion 1"},
		{"mods ctrl shift; key d", "end completion 1"},
		{"gone 1", ""},
		{"click 1.body:6,3.4", "complete 1 1 stop\ufffd"},
		{"wheel -1 1.body:6,3.4; key enter", "complete 1 1 stop\ufffd"},
	} {
		s := newStage(t)
		s.play("open 1 40x10")
		s.Offer("1", Pos{1, 4}, items)
		s.play(c.script)
		if got := s.requests(); got != c.requests {
			t.Errorf("%s: got %s, want %s", c.script, got, c.requests)
		}
	}
	s := newStage(t)
	s.play("open 1 40x10; open 2 40x10")
	s.Offer("2", Pos{}, items) // has no focus
	if s.completion != nil {
		t.Error("offered to a terminal without focus")
	}
	s.Offer("1", Pos{1 << 62, 1 << 30}, make([]Suggestion, 1000))
	if n := len(s.completion.items); n != maxItems {
		t.Errorf("%d items", n)
	}
	for range 30 {
		s.play("key down")
	}
	if r := s.completionRect(); s.completion.first != 21 || r.Intersect(s.bounds()) != r {
		t.Errorf("first %d in %v", s.completion.first, r)
	}
	s.Offer("1", Pos{}, nil)
	if s.completion != nil {
		t.Error("nothing is offered")
	}
}
