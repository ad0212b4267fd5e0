package command

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

func TestStart(t *testing.T) {
	b := newBench(t)
	out, _ := b.run("s node Key 'two words' -x", OK)
	if want := "Added external app (ID: 1, Command: /bin/sh Key 'two words' -x)\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	b.run("start manager", OK)
	if got := b.json("start manager typed"); got != `{"id":3,"pid":103,"command":"/bin/sh typed"}` {
		t.Error(got)
	}
	want := []string{"start node Key 'two words' -x", "start manager -p 1", "start manager typed"}
	if !slices.Equal(b.host.calls, want) {
		t.Errorf("calls %q", b.host.calls)
	}
	if r := b.host.starts[1]; r.Dir != "/etc/viscript" || !r.Daemon || r.Path != "/bin/sh" {
		t.Errorf("request %+v", r)
	}
}

func TestUsageErrors(t *testing.T) {
	b := newBench(t)
	b.run("start echo", OK)
	for line, want := range map[string]string{
		"strat node":                `error: unknown command "strat"; did you mean "start"? (` + "`help` lists them all)",
		"PING 1":                    `unknown command "PING"; did you mean "ping"?`,
		"start nod":                 `there is no app "nod"; did you mean "node"?`,
		"start":                     "start: too few arguments; usage: start [-a] APP [ARGS...]",
		"start -a node":             "viscript attach ID",
		"ping":                      "too few arguments; usage: ping ID",
		"ping 1 2":                  "too many arguments",
		"ping x":                    `ping: "x" is no ID`,
		"sd 0":                      `shutdown: "0" is no ID`,
		"sd -1":                     `"-1" is no ID`,
		"la --json":                 "list_apps has no option --json: it stands before the command, `viscript exec --json list_apps`",
		"la -x":                     "list_apps has no option -x; usage: list_apps [-f] [-a]",
		"la 3":                      "too many arguments",
		"logs -n":                   "option -n needs a value",
		"logs -n many 1":            `option -n: "many" is not a number`,
		"logs -f=1 1":               "option -f takes no value",
		"events --since -1":         "allowed: the number of an event",
		"help nothing-such":         `there is no command and no app "nothing-such"`,
		"up dem":                    `there is no group "dem"; did you mean "demo"? (groups: demo)`,
		"down":                      "usage: down GROUP",
		"tell":                      "usage: tell ID [COMMAND [ARGS...]]",
		"quit now":                  "too many arguments",
		"ping 99999999999999999999": "is no ID",
	} {
		out, errs := b.run(line, Usage)
		has(t, errs, want)
		if out != "" {
			t.Errorf("%s printed %q", line, out)
		}
	}
}

func TestUnknownID(t *testing.T) {
	b := newBench(t)
	for _, line := range []string{"ping 9", "ru 9", "sd 9", "kill 9", "rs 9", "logs 9", "why 9", "tell 9", "tell 9 links"} {
		_, errs := b.run(line, Failed)
		has(t, errs, "error: there is no app with ID 9; none is running")
	}
	b.run("start echo", OK)
	b.run("start echo", OK)
	_, errs := b.run("ping 9", Failed)
	has(t, errs, "there is no app with ID 9; running: 1 (echo), 2 (echo)")
}

func TestMissingProgram(t *testing.T) {
	b := newBench(t)
	_, errs := b.run("start gone", Failed)
	has(t, errs, `app "gone": there is no program /etc/viscript/bin/no-such-program, and no no-such-program in PATH (`)
	if len(b.host.starts) > 0 {
		t.Error("started all the same")
	}
}

func TestResolve(t *testing.T) {
	dir, path := t.TempDir(), t.TempDir()
	t.Setenv("PATH", path)
	cfg := &Config{File: filepath.Join(dir, "config.yaml")}
	write := func(file string, mode os.FileMode) {
		os.MkdirAll(filepath.Dir(file), 0o755)
		if err := os.WriteFile(file, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "bin/here"), 0o755)
	write(filepath.Join(path, "here"), 0o755)
	write(filepath.Join(path, "there"), 0o755)
	write(filepath.Join(dir, "plain"), 0o644)
	for in, want := range map[string]string{
		"bin/here":  dir + "/bin/here",
		"here":      path + "/here",
		"bin/there": path + "/there",
	} {
		if got, err := cfg.resolve(App{Name: "x", Path: in}); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"plain": "not executable (chmod +x", "bin": "is a folder", "/no/such": "there is no program /no/such", "missing": "in PATH",
	} {
		if got, err := cfg.resolve(App{Name: "x", Path: in}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v; want an error with %q", in, got, err, want)
		}
	}
}

func TestListApps(t *testing.T) {
	b := newBench(t)
	out, _ := b.run("la", OK)
	has(t, out, "no apps are running")
	if got := b.json("la"); got != "[]" {
		t.Error(got)
	}
	b.run("start node a", OK)
	b.run("start echo", OK)
	b.run("sd 2", OK)
	out, _ = b.run("la", OK)
	want := "ID  APP   STATE  PID  UPTIME\n 1  node  ready  101   1m30s\n"
	if out != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
	out, _ = b.run("list_apps -f -a", OK)
	has(t, out, "COMMAND\n", "/bin/sh a\n", "exited (0)")
	var rows []map[string]any
	if err := json.Unmarshal([]byte(b.json("la")), &rows); err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	for _, key := range []string{"id", "app", "pid", "state", "command", "started"} {
		if rows[0][key] == nil {
			t.Errorf("no %q in %v", key, rows[0])
		}
	}
}

func TestStopAndMeasure(t *testing.T) {
	b := newBench(t)
	b.run("start node", OK)
	b.run("start echo", OK)
	out, _ := b.run("ping 1", OK)
	has(t, out, "app 1 answered in 0.25 ms")
	if got := b.json("ping 1"); got != `{"id":1,"rtt_ms":0.25}` {
		t.Error(got)
	}
	out, _ = b.run("ru 1", OK)
	has(t, out, "memory      12.0 MiB, at most 13.0 MiB, virtual 1.0 GiB", "goroutines  9", "1.5 % now")
	has(t, b.json("res_usage 1"), `"id":1`, `"rss_bytes":12582912`, `"cpu_percent":1.5`, `"goroutines":9`)
	out, _ = b.run("top", OK)
	has(t, out, "ID  NAME  STATE  PID  CPU %", " 1  node  ready  101    1.5  12.0 MiB")
	has(t, b.json("top"), `[{"app":"node","state":"ready","id":1`)
	out, _ = b.run("sd 1", OK)
	has(t, out, "app 1 (pid 101) ended when asked to, exit code 0 (shutdown)")
	if got := b.json("kill 2"); got != `{"id":2,"pid":102,"rung":"kill","exit_code":137}` {
		t.Error(got)
	}
	if got := b.json("top"); got != "[]" {
		t.Error(got)
	}
}

func TestHelp(t *testing.T) {
	b := newBench(t)
	out, _ := b.run("?", OK)
	for _, c := range b.table.Commands() {
		has(t, out, c.Synopsis(), c.Help)
		if c.Help == "" || c.run == nil {
			t.Errorf("%s is unfinished", c.Name)
		}
		one, _ := b.run("help "+c.Name, OK)
		has(t, one, c.Synopsis(), c.Help)
	}
	out, _ = b.run("h node", OK)
	if want := "node: a node\n    [1] address\n    [2] name\npath: /bin/sh\ndepends on: manager\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	has(t, b.json("help"), `{"name":"start","aliases":["s"],"args":"[-a] APP [ARGS...]"`)
	has(t, b.json("help node"), `"app":"node","desc":"a node"`)
	has(t, b.json("help lg"), `"name":"logs"`)
}

func TestAliases(t *testing.T) {
	table := New()
	for alias, name := range map[string]string{
		"h": "help", "?": "help", "s": "start", "la": "list_apps", "ru": "res_usage", "sd": "shutdown", "rs": "restart",
		"lg": "logs", "cls": "clear", "c": "clear",
	} {
		if c := table.Lookup(alias); c == nil || c.Name != name {
			t.Errorf("%s is %v, want %s", alias, c, name)
		}
	}
	for _, name := range []string{"apps", "ping", "kill", "why", "up", "down", "reload", "tell", "top", "events", "hosts", "doctor", "quit"} {
		if table.Lookup(name) == nil {
			t.Errorf("there is no %s", name)
		}
	}
}

func TestApps(t *testing.T) {
	b := newBench(t)
	out, _ := b.run("apps", OK)
	has(t, out, "APP      DESCRIPTION\necho\n", "manager  knows all\n")
	has(t, b.json("apps"), `{"app":"manager","desc":"knows all","path":"/bin/sh","daemon":true,"default_args":["-p","1"],"depends_on":[],"policy":{}}`)
	b.cfg = &Config{}
	out, _ = b.run("apps", OK)
	has(t, out, "found no config.yaml")
	_, errs := b.run("start x", Usage)
	has(t, errs, "found no config.yaml")
}

func TestLogs(t *testing.T) {
	b := newBench(t)
	b.host.log = "one\n\x1b[2J\x1b[31mtwo\x1b[0m\r\nthree"
	b.run("start echo", OK)
	out, _ := b.run("logs 1", OK)
	if want := "one\n\x1b[31mtwo\x1b[0m\nthree"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if got := b.json("lg -n 0 1"); got != `{"id":1,"lines":["one","\u001b[2J\u001b[31mtwo\u001b[0m","three"]}` {
		t.Error(got)
	}
	b.run("logs 1 -n 5", OK)
	if want := []string{"start echo", "logs 1 100 false", "logs 1 0 false", "logs 1 5 false"}; !slices.Equal(b.host.calls, want) {
		t.Errorf("calls %q", b.host.calls)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	words := []string{"logs", "-f", "1"}
	var lines strings.Builder
	if code := b.table.Run(ctx, b.env, words, Output{Out: &lines, Err: &lines, JSON: true}); code != OK {
		t.Error(code)
	}
	if want := `{"id":1,"line":"three"}` + "\n"; !strings.HasSuffix(lines.String(), want) || strings.Count(lines.String(), "\n") != 3 {
		t.Errorf("got %q", lines.String())
	}
}

func TestLineWriter(t *testing.T) {
	var got []string
	w := &lineWriter{each: func(l string) error { got = append(got, l); return nil }}
	w.Write([]byte("a\r\nb"))
	w.Write([]byte("c\n\n" + strings.Repeat("x", maxLogLine+1)))
	w.flush()
	if len(got) != 5 || got[0] != "a" || got[1] != "bc" || got[2] != "" || len(got[3]) != maxLogLine || got[4] != "x" {
		t.Errorf("%d lines: %.80q", len(got), got)
	}
}

func TestWhy(t *testing.T) {
	b := newBench(t)
	b.host.log = "panic: \x1b]0;x\x07no\n"
	b.run("start echo x", OK)
	b.run("kill 1", OK)
	b.host.apps[0].Reason = "killed from the console"
	out, _ := b.run("why 1", OK)
	has(t, out, "echo (ID 1)", "exited", "137 (SIGKILL)", "killed from the console", "  | panic: \ufffd]0;x\ufffdno\n")
	has(t, b.json("why 1"), `"exit_code":137`, `"reason":"killed from the console"`, `"last_lines":["panic:`)
}

// What an app may use, and what enforces it, is in `la -f` and `why`.
func TestLimitsAreShown(t *testing.T) {
	b := newBench(t)
	b.run("start echo x", OK)
	b.run("start echo y", OK)
	out, _ := b.run("la -f", OK)
	if strings.Contains(out, "LIMITS") {
		t.Errorf("no limits: %s", out)
	}
	b.host.apps[0].Limits = "memory 1GiB by cgroup; files 99 by rlimit"
	out, _ = b.run("la -f", OK)
	has(t, out, "  LIMITS ", "  COMMAND\n", "  memory 1GiB by cgroup; files 99 by rlimit  /bin/sh x\n", "  -  ", "  /bin/sh y\n")
	out, _ = b.run("la", OK)
	if strings.Contains(out, "1GiB") {
		t.Errorf("without -f: %s", out)
	}
	out, _ = b.run("why 1", OK)
	has(t, out, "limits   memory 1GiB by cgroup; files 99 by rlimit\n")
	has(t, b.json("why 1"), `"limits":"memory 1GiB by cgroup; files 99 by rlimit"`)
}

func TestEvents(t *testing.T) {
	b := newBench(t)
	if got := b.json("events"); got != "[]" {
		t.Error(got)
	}
	for i := range 60 {
		b.host.events = append(b.host.events, signal.Event{Seq: uint64(i + 1), Time: clock, ID: 1, App: "node", Kind: "status", Text: "up\x1b[2J"})
	}
	out, _ := b.run("events", OK)
	if n := strings.Count(out, "\n"); n != 50 {
		t.Errorf("%d events", n)
	}
	has(t, out, "status", "1 node: up\ufffd[2J")
	if got := b.json("events --since 59"); !strings.HasPrefix(got, `[{"seq":60,`) {
		t.Error(got)
	}
	if out, _ := b.run("events --since 0", OK); strings.Count(out, "\n") != 60 {
		t.Error(out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	out, _ = b.runAs(ctx, "events -f --since 58", OK, false)
	if strings.Count(out, "\n") != 2 {
		t.Error(out)
	}
}

func TestTell(t *testing.T) {
	b := newBench(t)
	b.run("start node", OK)
	b.host.tell = map[string]string{
		"text":  `"two\nlines \u001b[2J"`,
		"links": `[{"peer":"aa","bytes":12},{"peer":"b","bytes":1234,"note":"slow"}]`,
		"stats": `{"name":"node0","sent":5,"nested":{"a":1},"links":[{"x":1}],"none":null}`,
		"list":  `["a",2,true]`,
		"empty": `[]`, "null": `null`, "number": `12.5`,
	}
	out, _ := b.run("tell 1", OK)
	has(t, out, "links            neighbours\n", "log-level LEVEL  set it\n")
	has(t, b.json("tell 1"), `[{"name":"links","help":"neighbours"}`)
	for cmd, want := range map[string]string{
		"text":   "two\nlines \ufffd[2J\n",
		"links":  "PEER  BYTES  NOTE\naa       12\nb      1234  slow\n",
		"stats":  "name    node0\nsent    5\nnested  a 1\nnone    -\nlinks:\nX\n1\n",
		"list":   "a\n2\ntrue\n",
		"empty":  "(none)\n",
		"null":   "",
		"number": "12.5\n",
	} {
		if out, _ := b.run("tell 1 "+cmd, OK); out != want {
			t.Errorf("tell %s:\n%q, want\n%q", cmd, out, want)
		}
	}
	if got := b.json("tell 1 list"); got != `["a",2,true]` {
		t.Error(got)
	}
	_, errs := b.run("tell 1 link", Failed)
	has(t, errs, `app 1 has no command "link"; did you mean "links"? (it has: links, log-level)`)
}

func TestPrintValueAnything(t *testing.T) {
	for _, p := range []string{"", "{", "[", `{"a":`, `[{"a":1},2]`, `[[1],[2]]`, `"x`, "\x00", `{"a":[{}]}`, `[{">":1}]`} {
		var b strings.Builder
		(&call{}).printValue(&b, []byte(p))
	}
}

func FuzzPrintValue(f *testing.F) {
	f.Add([]byte(`{"name":"node0","links":[{"x":1},{"y":"z"}]}`))
	f.Add([]byte(`[{"peer":"aa","bytes":12},{"peer":"b","note":"slow"}]`))
	f.Add([]byte(`"text"`))
	f.Fuzz(func(t *testing.T, p []byte) {
		var b strings.Builder
		(&call{}).printValue(&b, p)
		if strings.ContainsAny(b.String(), "\x1b\x07\r") {
			t.Fatalf("%q shows %q", p, b.String())
		}
	})
}

func TestConsoleCommands(t *testing.T) {
	b := newBench(t)
	out, _ := b.run("hosts", OK)
	has(t, out, "HOST   ADDRESS", "local  /state/signal.sock     0")
	has(t, b.json("hosts"), `[{"host":"local","address":"/state/signal.sock","apps":0}]`)
	out, _ = b.run("cls", OK)
	has(t, out, "\x1b[2J")
	if got := b.json("clear"); got != "{}" {
		t.Error(got)
	}
	if got := b.json("version"); got != `{"version":"1.2.3"}` {
		t.Error(got)
	}
	_, errs := b.run("reload", Failed)
	has(t, errs, "no configuration file")
	b.run("quit", OK)
	if !b.quit {
		t.Error("quit did not quit")
	}
}

func TestReload(t *testing.T) {
	b := newBench(t)
	next := &Config{File: b.cfg.File, Apps: map[string]App{"node": {Name: "node", Path: "x"}, "echo": b.cfg.Apps["echo"], "new": {}}, Groups: b.cfg.Groups}
	b.env.Reload = func() (Changes, error) { return Compare(b.cfg, next), nil }
	out, _ := b.run("reload", OK)
	has(t, out, "added: app new\nremoved: app gone, app manager\nchanged: app node\n")
	next = b.cfg
	out, _ = b.run("reload", OK)
	has(t, out, "nothing has changed")
	if got := b.json("reload"); got != `{"file":"/etc/viscript/config.yaml","added":[],"removed":[],"changed":[],"plan":[]}` {
		t.Error(got)
	}
}

func TestDoctorPorts(t *testing.T) {
	b := newBench(t)
	b.env.StateDir = t.TempDir()
	os.Chmod(b.env.StateDir, 0o700)
	os.WriteFile(filepath.Join(b.env.StateDir, "ids"), []byte("9\n"), 0o600)
	delete(b.cfg.Apps, "gone")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	busy := l.Addr().String()
	b.cfg.Groups["demo"] = Group{Name: "demo", Members: []Member{{App: "node", Name: "n", Args: []string{busy, "8.8.8.8:53", "127.0.0.1:0"}}}}
	out, _ := b.run("doctor", Failed)
	has(t, out, "problem  group demo names "+busy+", which is in use", "-> end what uses it, or change the port in /etc/viscript/config.yaml")
	has(t, out, "ok       configuration /etc/viscript/config.yaml: 3 apps, 1 group")
	b.run("start node", OK) // it runs: then it is the one that uses it
	if out, _ := b.run("doctor", OK); strings.Contains(out, busy) {
		t.Error(out)
	}
}

func TestDoctor(t *testing.T) {
	b := newBench(t)
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.env.StateDir = dir
	os.WriteFile(filepath.Join(dir, "ids"), []byte("9\n"), 0o600)
	delete(b.cfg.Apps, "gone")
	out, _ := b.run("doctor", OK)
	has(t, out, "ok  state folder", "ok  the programs of all apps are there", "ok  nothing is left over", "ok  no app has failed")
	os.WriteFile(filepath.Join(dir, "run", "7.token"), nil, 0o600)
	os.Chmod(dir, 0o755)
	b.cfg.Apps["gone"] = App{Name: "gone", Path: "no-such-program"}
	b.env.TCPAddr = "127.0.0.1:1"
	b.host.apps = []signal.App{{ID: 3, App: "node", State: signal.Failed, Reason: "exit code 1"}}
	out, errs := b.run("doctor", Failed)
	has(t, out, "problem  state folder", "-> chmod 700", "-> rm ", "7.token is left over", "problem  signal port", "app 3 (node) failed: exit code 1", `app "gone"`)
	has(t, errs, "doctor: 5 of ")
}
