//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// The configuration that TestReload begins with, a line each.
const reloadBase = `apps:
  steady: {path: /bin/sh, default_args: [-c, "while :; do sleep 1000; done", main=steady], daemon: true, autostart: true}
  edited: {path: /bin/sh, default_args: [-c, "while :; do sleep 1000; done", main=edited], daemon: true, autostart: true}
  goes: {path: /bin/sh, default_args: [-c, "while :; do sleep 1000; done", main=goes], daemon: true, autostart: true}
`

// TestReload changes the configuration of a daemon that runs, in every way: the plan says before what
// is done, only what needs it is restarted, and a file that cannot be used changes nothing.
func TestReload(t *testing.T) {
	s := newSite(t, map[string]any{"apps": map[string]any{}})
	s.configure(reloadBase)
	s.launch()
	s.settle("all run", func() error {
		if n := len(s.pids()); n != 3 {
			return fmt.Errorf("%d of 3", n)
		}
		return nil
	})
	policy := strings.Replace(reloadBase, "main=edited], ", "main=edited], restart: always, ", 1)
	args := strings.Replace(policy, "sleep 1000; done\", main=edited", "sleep 1001; done\", main=edited", 1)
	added := args + `  comes: {path: /bin/sh, default_args: [-c, "while :; do sleep 1000; done", main=comes], daemon: true, autostart: true}` + "\n"
	removed := strings.Join(slices.DeleteFunc(strings.SplitAfter(added, "\n"), func(l string) bool { return strings.HasPrefix(l, "  goes") }), "")
	large := removed + strings.Repeat("# "+strings.Repeat("x", 97)+"\n", (maxConfig-len(removed))/100)
	for _, c := range []struct {
		what, file string
		plan       map[string]string // action by app; those left out are same
		fails      string            // what the error says
	}{
		{what: "comment only", file: "# a comment\n" + reloadBase},
		{what: "policy only", file: policy, plan: map[string]string{"edited": "policy"}},
		{what: "arguments", file: args, plan: map[string]string{"edited": "restart"}},
		{what: "an app more", file: added, plan: map[string]string{"comes": "add"}},
		{what: "an app less", file: removed, plan: map[string]string{"goes": "remove"}},
		{what: "a megabyte", file: large},
		{what: "more than a megabyte", file: large + strings.Repeat("#", 200), fails: "config.yaml: the file is too large; allowed: 1048576 bytes"},
		{what: "no YAML", file: strings.Replace(removed, "[-c", "[-c [", 1), fails: "config.yaml:2"},
		{what: "unknown key", file: strings.Replace(removed, "restart:", "restrat:", 1), fails: `config.yaml:3: key "restrat": unknown in app "edited"`},
		{what: "half written", file: removed[:len(removed)/2], fails: "config.yaml:3"},
		{what: "empty of apps, not a map", file: "apps: []\n", fails: "config.yaml:1"},
		{what: "as it was", file: removed},
	} {
		before := s.pids()
		s.configure(c.file)
		if c.fails != "" {
			for _, words := range [][]string{{"reload", "--dry-run"}, {"reload"}} {
				if _, errs, code := s.exec(words...); code == exitOK || !strings.Contains(errs, "nothing was changed") || !strings.Contains(errs, c.fails) {
					t.Errorf("%s: %q: %d, %s, want %q", c.what, words, code, errs, c.fails)
				}
			}
			if now := s.pids(); !maps.Equal(before, now) {
				t.Errorf("%s: %v became %v", c.what, before, now)
			}
			continue
		}
		for _, words := range [][]string{{"reload", "--dry-run"}, {"reload"}} {
			if now := s.pids(); !maps.Equal(before, now) {
				t.Errorf("%s, before %q: %v became %v", c.what, words, before, now)
			}
			s.wantPlan(c.what, s.ok(append([]string{"--json"}, words...)...), before, c.plan)
		}
		now := s.pids()
		for app, pid := range before {
			switch c.plan[app] {
			case "restart":
				if now[app] == pid || now[app] == 0 {
					t.Errorf("%s: %s has pid %d, before %d", c.what, app, now[app], pid)
				}
			case "remove":
				if now[app] != 0 {
					t.Errorf("%s: %s runs", c.what, app)
				}
			default:
				if now[app] != pid {
					t.Errorf("%s: %s has pid %d, before %d", c.what, app, now[app], pid)
				}
			}
		}
		for app, action := range c.plan {
			if action == "add" && now[app] == 0 {
				t.Errorf("%s: %s does not run", c.what, app)
			}
		}
		if out := s.ok("reload"); !strings.Contains(out, "nothing has changed") {
			t.Errorf("%s: again: %s", c.what, out)
		}
	}
	s.settle("the table and the processes agree", func() error { _, err := s.agree(); return err })
	s.stopAll()
	s.quit()
}

func (s *site) configure(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path("config.yaml"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// pids are those of the apps that run, by name.
func (s *site) pids() map[string]int {
	s.t.Helper()
	list, err := s.List(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	pids := make(map[string]int)
	for _, a := range list {
		if a.Pid != 0 {
			pids[a.App] = a.Pid
		}
	}
	return pids
}

// wantPlan compares the answer of reload with what is to be done with each app.
func (s *site) wantPlan(what, answer string, running map[string]int, plan map[string]string) {
	s.t.Helper()
	var got struct {
		Plan []struct{ Action, App, Error string }
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		s.t.Fatalf("%s: %v: %s", what, err, answer)
	}
	want := make(map[string]string)
	for app := range running {
		want[app] = "same"
	}
	maps.Copy(want, plan)
	have := make(map[string]string)
	for _, step := range got.Plan {
		have[step.App] = step.Action + step.Error
	}
	if !maps.Equal(want, have) {
		s.t.Errorf("%s: plan %v, want %v", what, have, want)
	}
}
