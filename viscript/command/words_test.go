package command

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// chatWords are what a person's app offers; two of them are taken by the console.
var chatWords = []signal.Command{
	{Name: "msg", Args: "WHO TEXT", Help: "write", Word: true, Names: "people", Rest: 2},
	{Name: "inbox", Help: "what is new", Word: true},
	{Name: "groups", Help: "groups of people", Word: true},
	{Name: "quit", Help: "catches who wants to leave", Word: true},
	{Name: "exit", Help: "the same", Word: true},
	{Name: "ls", Help: "the same", Word: true},
}

// newWords has two apps with words and one without.
func newWords(t *testing.T) *bench {
	b := newBench(t)
	for i, name := range []string{"ann", "ben", "plain"} {
		a := signal.App{ID: signal.ID(i + 1), App: "chat", Member: name, Pid: 7, State: signal.Ready, Signal: true}
		if name != "plain" {
			a.Words, a.Private = chatWords, true
		}
		b.host.apps = append(b.host.apps, a)
	}
	b.host.tell = map[string]string{
		"msg": `"queued"`, "inbox": `[{"with":"Ben","unread":2}]`, "groups": `[{"name":"Walks"}]`, "people": `["Ben","Ben Smith","b\u001b[2Jd"]`,
		"quit": `"caught"`, "exit": `"caught"`, "ls": `"caught"`,
	}
	return b
}

func TestWords(t *testing.T) {
	b := newWords(t)
	_, errs := b.run("msg Ben hello", Failed)
	has(t, errs, "error: msg: 2 apps offer msg: say whose; there are msg@ann, msg@ben\n")
	out, _ := b.run("msg@ann Ben hello", OK)
	has(t, out, "queued\n")
	out, _ = b.run("inbox@2", OK)
	has(t, out, "WITH  UNREAD\nBen        2\n")
	if got := b.json("inbox@ben"); got != `[{"with":"Ben","unread":2}]` {
		t.Error(got)
	}
	_, errs = b.run("msg@plain x", Failed)
	has(t, errs, "error: msg@plain: app 3 does not offer msg; there are msg@ann, msg@ben\n")
	_, errs = b.run("msg@bem x", Usage)
	has(t, errs, `"bem" is no ID and no app's name; did you mean "ben"`)
	_, errs = b.run("msh Ben", Usage)
	has(t, errs, `unknown command "msh"; did you mean msg? there are msg@ann, msg@ben`)
	_, errs = b.run("invented@ann", Usage)
	has(t, errs, `unknown command "invented@ann"`)

	b.host.apps[1].State = signal.Exited
	out, _ = b.run("msg Ben hello", OK)
	has(t, out, "queued\n")
	b.host.apps[0].State = signal.Exited
	_, errs = b.run("msg Ben hello", Usage)
	has(t, errs, `unknown command "msg"`)
}

// TestWordsOfOurs: no app takes a word of the console, nor one that people type by habit.
func TestWordsOfOurs(t *testing.T) {
	b := newWords(t)
	b.host.apps = b.host.apps[:1]
	out, _ := b.run("groups", OK)
	has(t, out, "demo", "groups@ann: groups of people\n")
	out, _ = b.run("groups@ann", OK)
	has(t, out, "NAME\nWalks\n")
	if got := b.json("groups"); !strings.HasPrefix(got, `[{"group":"demo"`) {
		t.Error(got)
	}
	_, errs := b.run("exit", Usage)
	has(t, errs, `did you mean "quit"`)
	_, errs = b.run("ls", Usage)
	has(t, errs, `did you mean "list_apps"`)
	if out, _ := b.run("quit", OK); !b.quit || strings.Contains(out, "caught") {
		t.Error("an app took quit")
	}
}

func TestWordsAreListed(t *testing.T) {
	b := newWords(t)
	out, _ := b.run("help", OK)
	has(t, out, "\nOF APPS", "msg@ann WHO TEXT  ann  write\n", "groups@ben        ben  groups of people\n", "quit@ann")
	has(t, b.json("help"), `{"name":"msg@ben","aliases":[],"args":"WHO TEXT","help":"write","more":"offered by app 2 (ben); also: tell 2 msg","app":"ben"}`)
	out, _ = b.run("help msg@ben", OK)
	has(t, out, "msg@ben WHO TEXT\n    write\n    offered by app 2 (ben); also: tell 2 msg\n")
	_, errs := b.run("help msg", Failed)
	has(t, errs, "2 apps offer msg")
	complete := func(line string, want ...string) {
		t.Helper()
		if _, got := b.table.Complete(t.Context(), b.env, line); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	complete("ms", "msg@ann", "msg@ben")
	complete("msg@ann B", "Ben", "'Ben Smith'")
	complete("msg@ann Ben ")
	complete("gro", "groups", "groups@ann", "groups@ben")
	b.host.apps = b.host.apps[:1]
	complete("ms", "msg")
	complete("qui", "quit", "quit@ann")
	if h := b.table.WordHelp(b.host.apps); h["msg"] != "ann: write" {
		t.Error(h)
	}
}

func TestRestOfLine(t *testing.T) {
	b := newWords(t)
	apps := b.host.apps[:1]
	for line, want := range map[string][]string{
		"msg Ben don't  do that":                {"msg", "Ben", "don't  do that"},
		"msg 'Ben Smith' a \\ b":                {"msg", "Ben Smith", "a \\ b"},
		"msg Ben 'as one'  ":                    {"msg", "Ben", "as one"},
		"msg Ben 'it' and 'that'":               {"msg", "Ben", "'it' and 'that'"},
		"  msg@ann  Ben   x":                    {"msg@ann", "Ben", "x"},
		"msg Ben":                               {"msg", "Ben"},
		"msg Ben ":                              {"msg", "Ben"},
		"msg":                                   {"msg"},
		"inbox 'a b'":                           {"inbox", "a b"},
		"tell ann msg Ben 'a b'":                {"tell", "ann", "msg", "Ben", "a b"},
		"start msg 'a b'":                       {"start", "msg", "a b"},
		"msg Ben " + strings.Repeat("x", 70000): {"msg", "Ben", strings.Repeat("x", 70000)},
	} {
		if got, err := b.table.Line(apps, line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%.60s: %.60q, %v", line, got, err)
		}
	}
	for _, line := range []string{"msg 'Ben", "inbox don't", "msg Ben \x00", "msg Ben " + strings.Repeat("x", maxLine)} {
		if got, err := b.table.Line(apps, line); err == nil {
			t.Errorf("%.60q is %.60q", line, got)
		}
	}
}

func TestTold(t *testing.T) {
	b := newWords(t)
	b.host.apps[2].Member = "node"
	for line, want := range map[string]string{
		"msg@ann Ben hi":    "private tell 1 msg Ben hi",
		"msg Ben hi":        "private tell ? msg Ben hi",
		"tell ann msg Ben":  "private tell ann msg Ben",
		"tell 2 msg Ben":    "private tell 2 msg Ben",
		"tell node links x": "tell node links x",
		"tell gone msg Ben": "private tell gone msg Ben",
		"tell ann":          "",
		"start chat":        "",
		"nothing such":      "",
		"groups@ann":        "private tell 1 groups",
		"groups":            "",
	} {
		words, private := b.table.Told(b.host.apps, strings.Fields(line))
		got := strings.Join(words, " ")
		if private {
			got = "private " + got
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestAppNotices(t *testing.T) {
	var n AppNotices
	event := signal.Event{Kind: "app", ID: 4, Text: signal.EventNotice + ": Ben\x1b[2J wrote"}
	begin := time.Now()
	if got, ok := n.Of(event); !ok || got != "Ben\ufffd[2J wrote" {
		t.Errorf("%q %v", got, ok)
	}
	shown := 1
	for range 1000 {
		if _, ok := n.Of(event); ok {
			shown++
		}
	}
	if most := noticesAtOnce + int(time.Since(begin).Seconds()*noticesPerSecond); shown > most {
		t.Errorf("%d of a flood are shown, at most %d should be", shown, most)
	}
	event.ID = 5
	if _, ok := n.Of(event); !ok {
		t.Error("another app pays for it")
	}
	for _, e := range []signal.Event{{Kind: "status", ID: 9, Text: event.Text}, {Kind: "app", ID: 9, Text: "route: x"}, {Kind: "app", Text: event.Text}, {Kind: "app", ID: 9, Text: "notice: "}} {
		if _, ok := n.Of(e); ok {
			t.Errorf("%+v", e)
		}
	}
	for id := range signal.ID(3 * maxPaced) {
		event.ID = id + 10
		n.Of(event)
	}
	if len(n.pace) > maxPaced {
		t.Error(len(n.pace))
	}
}
