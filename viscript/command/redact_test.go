package command

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"start node 127.0.0.1:1 name":            "start node 127.0.0.1:1 name",
		"start x --password hunter2 -v":          "start x --password '***' -v",
		"start x --password=hunter2":             "start x '--password=***'",
		"start x --Api-Key hunter2 b":            "start x --Api-Key '***' b",
		"start x --token --verbose":              "start x --token --verbose",
		"start x DB_PASSWORD=hunter2 A=b":        "start x 'DB_PASSWORD=***' A=b",
		"start x socks5://u:hunter2@h:1/p":       "start x 'socks5://***@h:1/p'",
		"start x https://h/p?a=1&token=hunter2":  "start x 'https://h/p?a=1&token=***'",
		"start x https://h/p?%74oken=hunter2":    "start x 'https://h/p?%74oken=***'",
		"start x https://h/p?%zz=hunter2":        "start x 'https://h/p?%zz=***'",
		"start x http://u:p@hunter2@h":           "start x 'http://***@h'",
		"tell 3 unlock --seed 'hunter2 hunter2'": "tell 3 unlock --seed '***'",
	} {
		words, err := Split(in)
		if strings.Contains(in, "&") { // quoted by a person
			words, err = strings.Split(in, " "), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		before := strings.Join(words, " ")
		if got := Redact(words); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
		if strings.Join(words, " ") != before {
			t.Error("the words were changed")
		}
	}
}

func TestChanges(t *testing.T) {
	table := New()
	for _, c := range table.Commands() {
		if got := table.Changes([]string{c.Name}); got == looking[c.Name] {
			t.Errorf("%s changes something: %v", c.Name, got)
		}
	}
	for name := range looking {
		if table.Lookup(name) == nil {
			t.Errorf("there is no command %s", name)
		}
	}
	if table.Changes(nil) || table.Changes([]string{"nothing-such"}) || !table.Changes([]string{"sd", "1"}) || table.Changes([]string{"la"}) {
		t.Error("aliases, unknown commands or no command")
	}
}
