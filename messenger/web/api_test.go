package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/skycoin/viscript/messenger/chat"
)

// contact adds somebody and returns the conversation with them.
func (s *site) contact(name string) chat.Talk {
	s.t.Helper()
	k := newKey(s.t).Public()
	s.ask("POST", "/api/person", map[string]any{"key": k, "act": "add", "name": name}, nil)
	return chat.To(k)
}

func (s *site) say(to chat.Talk, text string) chat.MessageID {
	s.t.Helper()
	var got struct{ ID chat.MessageID }
	s.ask("POST", "/api/send", map[string]any{"talk": to, "text": text}, &got)
	return got.ID
}

func TestConversation(t *testing.T) {
	s := open(t)
	ben := s.contact("Ben")
	hostile := "<img src=x onerror=alert(1)>\u202e </script> &amp;"
	id := s.say(ben, hostile)
	s.ask("POST", "/api/send", map[string]any{"talk": ben, "text": "yes", "reply": id}, nil)
	var list []message
	s.ask("GET", "/api/history?talk="+ben.String(), nil, &list)
	if len(list) != 2 || list[0].Text != hostile || list[0].Status != "queued" || list[1].Reply == nil || *list[1].Reply != id {
		t.Fatalf("%+v", list)
	}
	if s.ask("GET", "/api/history?count=1&before=2&talk="+ben.String(), nil, &list); len(list) != 1 || list[0].N != 1 {
		t.Errorf("%+v", list)
	}
	var found []foundRow
	if s.ask("GET", "/api/search?words=ONERROR", nil, &found); len(found) != 1 || found[0].Talk != ben {
		t.Errorf("%+v", found)
	}
	var st stateRow
	s.ask("GET", "/api/state", nil, &st)
	if len(st.People) != 1 || st.People[0].Name != "Ben" || len(st.Talks) != 1 || st.Talks[0].Last.Text != "yes" || st.Me.Name != "ann" || st.Me.Key != s.e.Self().Owner {
		t.Errorf("%+v", st)
	}
	var safety struct{ Number string }
	if s.ask("GET", "/api/safety?key="+ben.String(), nil, &safety); len(strings.Fields(safety.Number)) != 12 {
		t.Errorf("%q", safety.Number)
	}
}

func TestPeople(t *testing.T) {
	s := open(t)
	ben := s.contact("Ben")
	for _, tt := range []struct {
		act  string
		want func(personRow) bool
	}{
		{"verify", func(p personRow) bool { return p.Verified }},
		{"unverify", func(p personRow) bool { return !p.Verified }},
		{"block", func(p personRow) bool { return p.Blocked }},
		{"unblock", func(p personRow) bool { return !p.Blocked }},
	} {
		s.ask("POST", "/api/person", map[string]any{"key": ben.Key, "act": tt.act}, nil)
		var st stateRow
		if s.ask("GET", "/api/state", nil, &st); len(st.People) != 1 || !tt.want(st.People[0]) {
			t.Errorf("%s: %+v", tt.act, st.People)
		}
	}
	s.ask("POST", "/api/person", map[string]any{"key": ben.Key, "act": "forget"}, nil)
	var st stateRow
	if s.ask("GET", "/api/state", nil, &st); len(st.People) != 0 {
		t.Errorf("%+v", st.People)
	}
}

func TestGroup(t *testing.T) {
	s := open(t)
	ben := s.contact("Ben")
	var made struct{ Talk chat.Talk }
	s.ask("POST", "/api/group", map[string]any{"name": "Walks"}, &made)
	s.ask("POST", "/api/change", map[string]any{"talk": made.Talk, "act": "add", "key": ben.Key}, nil)
	s.ask("POST", "/api/change", map[string]any{"talk": made.Talk, "act": "rename", "name": "Hikes"}, nil)
	s.say(made.Talk, "on Sunday?")
	var st stateRow
	s.ask("GET", "/api/state", nil, &st)
	if len(st.Groups) != 1 || st.Groups[0].Name != "Hikes" || len(st.Groups[0].Members) != 2 || st.Groups[0].Role != "admin" {
		t.Fatalf("%+v", st.Groups)
	}
	s.ask("POST", "/api/change", map[string]any{"talk": made.Talk, "act": "remove", "key": ben.Key}, nil)
	if s.ask("GET", "/api/state", nil, &st); len(st.Groups[0].Members) != 1 {
		t.Errorf("%+v", st.Groups)
	}
}

// TestNewContact: by key, with what the engine makes of it.
func TestNewContact(t *testing.T) {
	s := open(t)
	k := newKey(t).Public()
	var got struct{ Key string }
	if s.ask("POST", "/api/contact", map[string]any{"address": k.String(), "name": "Ben"}, &got); got.Key != k.String() {
		t.Errorf("%+v", got)
	}
	for _, address := range []string{"", "x", k.String() + "0", "<" + k.String() + ">", s.e.Self().Owner.String()} {
		if code, text := s.status("POST", "/api/contact", `{"address":"`+address+`","name":"Other"}`); code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", address, code, text)
		}
	}
	var st stateRow
	if s.ask("GET", "/api/state", nil, &st); len(st.People) != 1 || !strings.HasPrefix(st.Me.Address, st.Me.Key.String()) {
		t.Errorf("%+v", st)
	}
}

// TestRefused: what is not a request of the page is refused, and nothing is done.
func TestRefused(t *testing.T) {
	s := open(t)
	ben := s.contact("Ben").String()
	for _, tt := range []struct {
		name, method, path, body string
		change                   func(*http.Request)
		want                     int
	}{
		{"a form", "POST", "/api/send", "talk=x", header("Content-Type", "application/x-www-form-urlencoded"), 415},
		{"plain text", "POST", "/api/send", `{"talk":"` + ben + `","text":"x"}`, header("Content-Type", "text/plain"), 415},
		{"no type", "POST", "/api/send", "{}", without("Content-Type"), 415},
		{"no JSON", "POST", "/api/send", "{", nil, 400},
		{"two values", "POST", "/api/send", `{"talk":"` + ben + `","text":"x"}{}`, nil, 400},
		{"an unknown field", "POST", "/api/send", `{"talk":"` + ben + `","text":"x","to":1}`, nil, 400},
		{"another type", "POST", "/api/send", `[1]`, nil, 400},
		{"deep", "POST", "/api/send", strings.Repeat("[", 100_000), nil, 400},
		{"nobody", "POST", "/api/send", `{"talk":"xyz","text":"x"}`, nil, 400},
		{"a key that is no point", "POST", "/api/send", `{"talk":"02` + strings.Repeat("f", 64) + `","text":"x"}`, nil, 400},
		{"no text", "POST", "/api/send", `{"talk":"` + ben + `","text":""}`, nil, 400},
		{"60 KB of text", "POST", "/api/send", `{"talk":"` + ben + `","text":"` + strings.Repeat("x", 60<<10) + `"}`, nil, 400},
		{"too long", "POST", "/api/send", `{"talk":"` + ben + `","text":"` + strings.Repeat("x", maxBody) + `"}`, nil, 413},
		{"much too long", "POST", "/api/send", strings.Repeat("x", MaxPiece+1), header("Expect", "100-continue"), 413},
		{"no act", "POST", "/api/person", `{"key":"` + ben + `","act":"own"}`, nil, 400},
		{"no group", "POST", "/api/change", `{"talk":"` + ben + `","act":"leave"}`, nil, 400},
		{"a name with a line break", "POST", "/api/person", `{"key":"` + ben + `","act":"add","name":"a\nb"}`, nil, 400},
		{"a name that is a key", "POST", "/api/person", `{"key":"` + ben + `","act":"add","name":"` + ben + `"}`, nil, 400},
		{"history of nobody", "GET", "/api/history?talk=x", "", nil, 400},
		{"history of a negative length", "GET", "/api/history?talk=" + ben + "&count=-1", "", nil, 400},
		{"a long search", "GET", "/api/search?words=" + strings.Repeat("x", maxWords+1), "", nil, 400},
		{"an empty search", "GET", "/api/search?words=", "", nil, 400},
		{"another verb", "PUT", "/api/send", "{}", nil, 405},
		{"no file", "GET", "/api/file/" + ben + "/" + strings.Repeat("0", 32), "", nil, 404},
		{"no name of a file", "GET", "/api/file/" + ben + "/..", "", nil, 307},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change := tt.change
			if change == nil {
				change = func(*http.Request) {}
			}
			if code, text := s.status(tt.method, tt.path, tt.body, change); code != tt.want {
				t.Errorf("%d %.200s, want %d", code, text, tt.want)
			}
		})
	}
	var list []message
	if s.ask("GET", "/api/history?talk="+ben, nil, &list); len(list) != 0 {
		t.Errorf("something was sent: %+v", list)
	}
	if s.ask("GET", "/api/history?talk="+ben+"&count=18446744073709551615", nil, &list); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}
