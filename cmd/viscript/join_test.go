package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager"
)

func TestJoinOptions(t *testing.T) {
	var keys []string
	for range 3 {
		k, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k.Public().String())
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	list := file("list", "# who\n\n"+keys[0]+"  # the office\n\t"+keys[1]+"\r\n")
	for name, tt := range map[string]struct {
		o       joinOptions
		closed  bool
		members int
		err     string
	}{
		"open":            {joinOptions{join: "open"}, false, 0, ""},
		"allow":           {joinOptions{join: "open", allow: keys}, true, 3, ""},
		"list":            {joinOptions{join: list}, true, 2, ""},
		"list and allow":  {joinOptions{join: list, allow: keys[2:]}, true, 3, ""},
		"empty list":      {joinOptions{join: file("empty", "")}, true, 0, ""},
		"no file":         {joinOptions{join: filepath.Join(dir, "none")}, true, 0, "want open, or a file"},
		"no key":          {joinOptions{join: file("bad", keys[0]+"\nfoo\n")}, true, 0, "bad:2: \"foo\""},
		"no key to allow": {joinOptions{join: "open", allow: []string{"foo"}}, true, 0, `--allow "foo"`},
	} {
		j, err := tt.o.policy()
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", name, err, tt.err)
			continue
		}
		if err == nil && (j.Closed != tt.closed || len(j.Members) != tt.members) {
			t.Errorf("%s: %+v", name, j)
		}
	}
}

func TestPathQuery(t *testing.T) {
	for line, want := range map[string]nodemanager.PathQuery{
		"a b":                             {A: "a", B: "b", Disjoint: 1},
		"a b --hops 3":                    {A: "a", B: "b", MinHops: 3, MaxHops: 3, Disjoint: 1},
		"--min-hops=2 a --max-hops 4 b":   {A: "a", B: "b", MinHops: 2, MaxHops: 4, Disjoint: 1},
		"a b --via x,y --via z --avoid=q": {A: "a", B: "b", Via: []string{"x", "y", "z"}, Avoid: []string{"q"}, Disjoint: 1},
		"a b --disjoint 3":                {A: "a", B: "b", Disjoint: 3},
	} {
		if got, err := readPathQuery(strings.Fields(line)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
	for line, want := range map[string]string{
		"a": "two nodes", "a b c": "two nodes", "a b --hops 0": "--hops 0", "a b --hops 2 --min-hops 1": "--hops says both",
		"a b --hop 2": "unknown flag", "a b --hops x": "invalid", "a b --help": "help",
	} {
		if _, err := readPathQuery(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}
