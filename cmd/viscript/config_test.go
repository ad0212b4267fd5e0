package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript"
)

// fullConfig has every key, and arguments that other readers take for something else than text.
const fullConfig = `
apps:
  base:
    path: /bin/sh
    health: signal
    restart: on-failure
  job: { path: job, daemon: false }
  node:
    daemon: true
    env: { A: 1, B_2: "x y", C: }
    env_file: [a.env, /b.env]
    dir: work
    user: 1000:1000
    pty: true
    limits: { memory: 64MiB, cpu: 150%, pids: 20, files: 100 }
    autostart: true
    restart: always
    backoff: { min: 500ms, max: 1m30s }
    breaker: { starts: 5, window: 5m }
    stop_timeout: 2s
    stop_signal: INT
    ready: { http: "http://127.0.0.1:1/x", interval: 100ms, timeout: 1s, threshold: 2, within: 1m }
    health: { command: [/bin/check, "-a"], interval: 5s }
    log: { size: 1MB, count: 3 }
    desc: a node
    path: bin/node
    default_args: [true, 0, 127.0.0.1:1, 1_000, 0x1F, 1e3, "two words", '', ~, null, No, 2001-01-01, éà]
    depends_on: { base: healthy, job: exited }
    help: |
      [1] one
      [2] two
groups:
  demo:
    - { app: base }
    - { app: node, name: node0, args: [007, "x"] }
    - { app: node, args: [] }
settings: { verboseInput: true, verifyParsingByPrinting: false, runHeadless: yes }
`

func TestParseConfig(t *testing.T) {
	got, err := parseConfig("config.yaml", []byte(fullConfig))
	if err != nil {
		t.Fatal(err)
	}
	want := &viscript.Config{
		Apps: map[string]viscript.App{
			"base": {Name: "base", Path: "/bin/sh", Policy: signal.Policy{
				Health: &signal.Probe{Signal: true}, Restart: signal.RestartOnFailure,
				Breaker: signal.Breaker{Starts: 10, Window: signal.Duration(10 * time.Minute)},
			}},
			"job": {Name: "job", Path: "job"},
			"node": {
				Name: "node", Desc: "a node", Path: "bin/node", Help: "[1] one\n[2] two\n", Daemon: true,
				DefaultArgs: []string{"true", "0", "127.0.0.1:1", "1_000", "0x1F", "1e3", "two words", "", "~", "null", "No", "2001-01-01", "éà"},
				Env:         map[string]string{"A": "1", "B_2": "x y", "C": ""}, EnvFiles: []string{"a.env", "/b.env"},
				Dir: "work", User: "1000:1000", Pty: true, Limits: signal.Limits{Memory: 64 << 20, CPU: 1.5, Pids: 20, Files: 100},
				Policy: signal.Policy{
					Autostart: true, Restart: signal.RestartAlways,
					Backoff:   signal.Backoff{Min: signal.Duration(500 * time.Millisecond), Max: signal.Duration(90 * time.Second)},
					Breaker:   signal.Breaker{Starts: 5, Window: signal.Duration(5 * time.Minute)},
					StopAfter: signal.Duration(2 * time.Second), StopSignal: "SIGINT",
					DependsOn: []signal.Dependency{{App: "base", On: signal.OnHealthy}, {App: "job", On: signal.OnExited}},
					Ready: &signal.Probe{
						HTTP: "http://127.0.0.1:1/x", Interval: signal.Duration(100 * time.Millisecond), Timeout: signal.Duration(time.Second),
						Threshold: 2, Within: signal.Duration(time.Minute),
					},
					Health: &signal.Probe{Command: []string{"/bin/check", "-a"}, Interval: signal.Duration(5 * time.Second)},
					Log:    signal.LogCaps{Size: 1e6, Count: 3},
				},
			},
		},
		Groups: map[string]viscript.Group{"demo": {Name: "demo", Members: []viscript.Member{
			{App: "base", Name: "base"}, {App: "node", Name: "node0", Args: []string{"007", "x"}}, {App: "node", Name: "node", Args: []string{}},
		}}},
		Settings: viscript.Settings{VerboseInput: true, RunHeadless: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// article is the entry of 2017 as it was published.
const article = `apps:
  meshnet-socks-server:
    daemon: true
    desc: DESCRIPTION GOES HERE
    path: bin/meshnet/meshnet-run-socks-server
    default_args: []
    help: |
        [1] Text name of app, must be unique
        [2] Node address which app will be talked with. ex 101.202.34.56:9000
        [3] Port which socks server will use for connecting with target host. ex 8000

        Full Example Command:
            start meshnet-socks-server sockssrv0 101.202.34.56:9000 8001
`

func TestParseGood(t *testing.T) {
	for name, text := range map[string]string{
		"article":        article,
		"example":        exampleConfig(),
		"empty":          "",
		"comment":        "# nothing\n",
		"null":           "apps:\ngroups:\nsettings:\n",
		"separator":      "---\napps: {}\n",
		"anchors":        "apps:\n  a: &a { path: x, default_args: &l [p] }\n  b: *a\n  c: { path: y, default_args: *l }\n",
		"CRLF":           "apps:\r\n  a:\r\n    path: x\r\n",
		"byte order":     "\ufeffapps: {}\n",
		"null desc":      "apps: { a: { path: x, desc: } }",
		"number as text": "apps: { a: { path: 5, desc: 1.5 } }",
	} {
		if _, err := parseConfig("config.yaml", []byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tables := [][]configKey{appKeys, memberKeys, settingKeys, rootKeys}
	for _, k := range appKeys {
		tables = append(tables, parts(k.name))
	}
	for _, keys := range tables {
		for _, k := range keys {
			if k.doc == "" || !strings.Contains(keysText(), k.doc) && !isKey(rootKeys, k.name) {
				t.Errorf("%s is not explained", k.name)
			}
			if !strings.Contains(exampleConfig(), k.name+":") {
				t.Errorf("the example does not show %s", k.name)
			}
		}
	}
}

const appKeyNames = "path, desc, daemon, default_args, env, env_file, dir, user, pty, limits, autostart, restart, backoff, breaker, " +
	"stop_timeout, stop_signal, depends_on, ready, health, log, help"

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"apps:\n  a: {path: x\n", `c.yaml:2: did not find expected ',' or '}'`},
		{"apps:\n\ta: 1\n", `c.yaml:2: found character that cannot start any token; YAML is indented with spaces, never with tabs`},
		{"apps:\n  a:\n    path: x\n   b: y\n", `c.yaml:4: did not find expected key`},
		{"}", `c.yaml:1: did not find expected node content`},
		{"apps: {}\n a: b: c\n", `c.yaml:2: did not find expected key`},
		{"apps:\n  a: b: c\n", `c.yaml:2: mapping values are not allowed in this context`},
		{"apps:\n  a: {\n    path: x,\n    desc: y }\n  b:\n    path: 'x\n\n      y'\n    path 2\n  c: {}\n", `c.yaml:9: could not find expected ':'`},
		{"apps: [\n", `c.yaml:1: did not find expected node content`},
		{"a: *x\n", `c.yaml:1: unknown anchor "x"`},
		{"apps: {}\nbad\xff: 1\n", `c.yaml:2: byte 0xff is not UTF-8`},
		{"apps: {}\n\n\x00", `c.yaml:3: control character U+0000 is not allowed`},
		{"apps: {}\n---\napps: {}\n", `c.yaml:2: a second document begins; allowed: one`},
		{"just text", `c.yaml:1: the file is "just text", not a mapping; allowed: apps, groups, settings`},
		{"- a\n", `c.yaml:1: the file is a list, not a mapping; allowed: apps, groups, settings`},
		{"app: {}\n", `c.yaml:1: key "app": unknown in the file; allowed: apps, groups, settings`},
		{"apps: {}\napps: {}\n", `c.yaml:2: key "apps": is there twice in the file, first in line 1`},
		{"apps:\n  a: {path: x}\n  b: {path: x}\n  a: {path: x}\n", `c.yaml:4: key "a": is there twice in apps, first in line 2`},
		{"apps:\n  a:\n    path: x\n    restrat: always\n", `c.yaml:4: key "restrat": unknown in app "a"; allowed: ` + appKeyNames},
		{"apps:\n  a:\n    path: x\n    path: y\n", `c.yaml:4: key "path": is there twice in app "a", first in line 3`},
		{"apps:\n  a:\n    desc: x\n", `c.yaml:2: key "a": has no path; a path is the program, absolute, or relative to this file, or in PATH`},
		{"apps:\n  a:\n", `c.yaml:2: app "a" is empty, not a mapping; allowed: ` + appKeyNames},
		{"apps:\n  a: x\n", `c.yaml:2: app "a" is "x", not a mapping; allowed: ` + appKeyNames},
		{"apps: 5\n", `c.yaml:1: apps is "5", not a mapping; allowed: names and what they stand for`},
		{"apps:\n  'a b': {path: x}\n", `c.yaml:2: key "a b": is no name; allowed: up to 64 letters, digits, '.', '_' and '-', a letter or digit first`},
		{"apps:\n  a:\n    path: [x]\n", `c.yaml:3: key "path": is a list; allowed: text`},
		{"apps:\n  a:\n    path: x\n    daemon: maybe\n", `c.yaml:4: key "daemon": is "maybe"; allowed: true, false`},
		{"apps:\n  a:\n    path: x\n    daemon: 'true'\n", `c.yaml:4: key "daemon": is "true"; allowed: true, false`},
		{"apps:\n  a:\n    path: x\n    daemon:\n", `c.yaml:4: key "daemon": is empty; allowed: true, false`},
		{"apps:\n  a:\n    path: x\n    default_args: y\n", `c.yaml:4: key "default_args": is "y"; allowed: a list of text, as [a, "b c"]`},
		{"apps:\n  a:\n    path: x\n    default_args:\n      - y\n      - [z]\n", `c.yaml:6: key "default_args": item 2 is a list; allowed: text ("" is an empty argument)`},
		{"apps:\n  a:\n    path: x\n    default_args:\n      -\n", `c.yaml:5: key "default_args": item 1 is empty; allowed: text ("" is an empty argument)`},
		{"apps:\n  a:\n    path: x\n    default_args: [\"\\0\"]\n", `c.yaml:4: key "default_args": item 1 holds a NUL character, which no argument can`},
		{"apps:\n  a: {path: x, depends_on: [b]}\n", `c.yaml:2: key "depends_on": app "a" depends on "b", which is no app; allowed: a`},
		{
			"apps:\n  d: {path: x, depends_on: [a]}\n  a: {path: x, depends_on: [b]}\n  b: {path: x, depends_on: [c]}\n  c: {path: x, depends_on: [a]}\n",
			`c.yaml:3: key "depends_on": goes in a circle: a -> b -> c -> a`,
		},
		{"apps:\n  a: {path: x, depends_on: [a]}\n", `c.yaml:2: key "depends_on": goes in a circle: a -> a`},
		{"groups:\n  g: {}\n", `c.yaml:2: key "g": is a mapping; want a list of members: - { app: NAME, args: [...] }`},
		{"apps: {a: {path: x}}\ngroups:\n  g:\n    - {app: b}\n", `c.yaml:4: key "app": there is no app "b"; allowed: a`},
		{"apps: {a: {path: x}}\ngroups:\n  g:\n    - {name: b}\n", `c.yaml:4: key "g": a member has no app; allowed: a`},
		{"apps: {a: {path: x}}\ngroups:\n  g:\n    - {app: a}\n    - {app: a}\n", `c.yaml:5: key "g": two members are called "a"; give each a ` + "`name`" + ` of its own`},
		{"apps: {a: {path: x}}\ngroups:\n  g:\n    - {app: a, argv: []}\n", `c.yaml:4: key "argv": unknown in a member of group "g"; allowed: app, name, args`},
		{"apps: {a: {path: x}}\ngroups:\n  g: []\n  g: []\n", `c.yaml:4: key "g": is there twice in groups, first in line 3`},
		{"settings: {runheadless: true}\n", `c.yaml:1: key "runheadless": unknown in settings; allowed: verboseInput, verifyParsingByPrinting, runHeadless, stopAllOnExit, watchConfig, metrics`},
		{"? [a]\n: b\n", `c.yaml:1: a key of the file is a list; allowed: text`},
		{strings.Repeat("#", maxConfig+1), `c.yaml: the file is too large; allowed: 1048576 bytes`},
	} {
		_, err := parseConfig("c.yaml", []byte(c.text))
		if err == nil || err.Error() != c.want {
			t.Errorf("%.80q:\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

// TestConfigBomb makes many values of few bytes.
func TestConfigBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("apps:\n  a0: &a { path: x, default_args: [" + strings.Repeat("x,", 20000) + "x] }\n")
	for i := range 20000 {
		b.WriteString("  b" + strings.Repeat("0", i%7) + string(rune('a'+i%26)) + ": *a\n")
		if i > 20 {
			break
		}
	}
	_, err := parseConfig("c.yaml", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "too many values") {
		t.Errorf("%v", err)
	}
}

func TestFindConfig(t *testing.T) {
	home, here := t.TempDir(), t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Chdir(here)
	expect := func(given, want string) {
		t.Helper()
		if got, err := findConfig(given); got != want || err != nil {
			t.Errorf("found %q, %v; want %q", got, err, want)
		}
	}
	expect("", "")
	os.MkdirAll(filepath.Join(home, "viscript"), 0o700)
	mine := filepath.Join(home, "viscript", "config.yaml")
	os.WriteFile(mine, nil, 0o600)
	expect("", mine)
	os.WriteFile("config.yaml", nil, 0o600)
	expect("", "config.yaml")
	expect("other.yaml", "other.yaml")
	if _, err := loadConfig("other.yaml"); err == nil {
		t.Error("a file that is not there was read")
	}
	cfg, err := loadConfig("config.yaml")
	if err != nil || cfg.Folder() != here {
		t.Errorf("folder %q, %v", cfg.Folder(), err)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(fullConfig))
	f.Add([]byte(article))
	f.Add([]byte(exampleConfig()))
	f.Add([]byte("apps: &a {b: *a}"))
	f.Add([]byte("? [a]\n: *b\n<<: {}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg, err := parseConfig("c.yaml", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "c.yaml:") {
				t.Fatalf("no file in %q", err)
			}
			return
		}
		for _, g := range cfg.Groups {
			if members, _ := cfg.StartOrder(g); len(members) != len(g.Members) {
				t.Fatalf("%d of %d members have a place", len(members), len(g.Members))
			}
		}
	})
}
