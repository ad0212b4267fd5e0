package viscript

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
)

// entries reads the record of a state folder.
func entries(t *testing.T, path string) []AuditEntry {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []AuditEntry
	for line := range bytes.Lines(text) {
		var e AuditEntry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

func TestAuditOperator(t *testing.T) {
	dir := t.TempDir()
	a, err := OpenAudit(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	me := signal.Credentials{Pid: os.Getpid(), UID: os.Getuid()}
	ask := func(method string, params any, result any, err error) bool {
		p, _ := json.Marshal(params)
		done := a.Operator(me, method, p)
		if done != nil {
			done(result, err)
		}
		return done != nil
	}
	for _, method := range []string{signal.MethodAppList, signal.MethodAppPing, signal.MethodAppLogs, signal.MethodEvents, signal.MethodAppInput} {
		if ask(method, signal.AppParams{ID: 1}, nil, nil) {
			t.Errorf("%s is recorded", method)
		}
	}
	for _, line := range []string{"la", "top", "no-such-command", "'open"} {
		if ask(signal.MethodExec, signal.ExecRequest{Line: line}, signal.ExecResult{}, nil) {
			t.Errorf("exec %s is recorded", line)
		}
	}
	start := signal.StartRequest{
		App: "node", Path: "/bin/node", Args: []string{"--password", "hunter2", "--token=abc", "plain"},
		Env: map[string]string{"SECRET": "hunter2"},
	}
	ask(signal.MethodAppStart, start, signal.App{}, nil)
	ask(signal.MethodAppStop, signal.AppParams{ID: 7}, nil, errors.New("no app has id 7\x1b[2J"))
	ask("app.invented", signal.AppParams{ID: 7}, nil, nil)
	ask(signal.MethodAppTell, signal.TellParams{ID: 3, Args: []string{"log-level", "debug"}}, nil, nil)
	ask(signal.MethodExec, signal.ExecRequest{Args: []string{"sd", "4"}}, signal.ExecResult{Code: 1}, nil)
	ask(signal.MethodExec, signal.ExecRequest{Line: "up demo"}, signal.ExecResult{Code: 2}, nil)

	want := []AuditEntry{
		{Via: "operator", Command: "start node --password '***' '--token=***' plain", Result: "ok"},
		{Via: "operator", Command: "app.stop 7", Result: "error: no app has id 7\ufffd[2J"},
		{Via: "operator", Command: "app.invented 7", Result: "ok"},
		{Via: "operator", Command: "tell 3 log-level debug", Result: "ok"},
		{Via: "exec", Command: "sd 4", Result: "failed"},
		{Via: "exec", Command: "up demo", Result: "bad usage"},
	}
	got := entries(t, filepath.Join(dir, auditName))
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	self, _ := os.Executable()
	for i, e := range got {
		if e.UID != me.UID || e.Pid != me.Pid || e.Exe != self || e.Time.IsZero() {
			t.Errorf("who: %+v", e)
		}
		if e.Via != want[i].Via || e.Command != want[i].Command || e.Result != want[i].Result {
			t.Errorf("got %+v, want %+v", e, want[i])
		}
	}
	info, err := os.Stat(filepath.Join(dir, auditName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAuditRotates(t *testing.T) {
	dir := t.TempDir()
	a, err := OpenAudit(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	big := strings.Repeat("x", maxAuditText)
	for range maxAudit/maxAuditText + 10 {
		a.Command("prompt", []string{"start", big})(0)
	}
	for _, name := range []string{auditName, auditOld} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Size() > maxAudit {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		entries(t, filepath.Join(dir, name))
	}
}

func TestAuditSurvives(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, auditName)
	if err := os.WriteFile(path, []byte(`{"via":"exec","com`), 0o600); err != nil { // a crash cut it short
		t.Fatal(err)
	}
	var log bytes.Buffer
	a, err := OpenAudit(dir, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	a.Command("watch", []string{"reload"})(0)
	text, _ := os.ReadFile(path)
	lines := strings.Split(string(text), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], `"command":"reload"`) {
		t.Errorf("%q", lines)
	}
	a.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a.Command("prompt", []string{"quit"})(0)
	}
	if n := strings.Count(log.String(), "the audit record cannot be written"); n != 1 {
		t.Errorf("told %d times: %s", n, &log)
	}
	os.Remove(path)
	a.Command("prompt", []string{"quit"})(1)
	if got := entries(t, path); len(got) != 1 || got[0].Result != "failed" {
		t.Errorf("after the folder was mended: %+v", got)
	}
	a.Close()
	if _, err := OpenAudit(filepath.Join(dir, "none"), nil, nil); err == nil {
		t.Error("a record in no folder was opened")
	}
	if f := (*Audit)(nil).Command("prompt", []string{"quit"}); f != nil {
		t.Error("no record records")
	}
}

func TestAuditOfTerminals(t *testing.T) {
	for _, c := range []struct{ method, params, want string }{
		{signal.MethodTermNew, `{"args":["vim","x"]}`, "new_term vim x"},
		{signal.MethodTermNew, `{"line":"vim x"}`, "new_term vim x"},
		{signal.MethodTermNew, `{}`, "new_term"},
		{signal.MethodTermClose, `{"id":"t1"}`, "close_term t1"},
		{signal.MethodTermText, `{"id":"t1"}`, ""},
		{signal.MethodWindow, `{"name":"gui"}`, "window"},
	} {
		if got := strings.Join((&Audit{table: command.New()}).asked(c.method, json.RawMessage(c.params)), " "); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.method, c.params, got, c.want)
		}
	}
}

// TestAuditOfWhatAppsAreTold: a word of an app is recorded as what it tells, and nothing of what an app wants kept private.
func TestAuditOfWhatAppsAreTold(t *testing.T) {
	dir := t.TempDir()
	words := []signal.Command{{Name: "msg", Word: true, Rest: 2}}
	list := func(context.Context) ([]signal.App, error) {
		return []signal.App{
			{ID: 4, App: "chat", Member: "ann", State: signal.Ready, Words: words, Private: true},
			{ID: 5, App: "node", State: signal.Ready},
		}, nil
	}
	a, err := OpenAudit(dir, list, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	exec := func(line string, err error) {
		p, _ := json.Marshal(signal.ExecRequest{Line: line})
		if done := a.Operator(signal.Credentials{}, signal.MethodExec, p); done != nil {
			done(signal.ExecResult{}, err)
		}
	}
	exec("msg Ben don't tell anybody", nil)
	exec("tell ann msg Ben 'the secret'", errors.New("no person Ben"))
	exec("tell node log-level debug", nil)
	exec("inbox", nil) // nobody's word
	p, _ := json.Marshal(signal.TellParams{ID: 4, Args: []string{"add", "key", "Ben"}})
	a.Operator(signal.Credentials{}, signal.MethodAppTell, p)(nil, errors.New("Ben is taken"))
	a.Command("prompt", []string{"msg@ann", "Ben", "the secret"})(0)
	want := []string{"tell 4 msg '***' ok", "tell ann msg '***' error: the app refused it", "tell node log-level debug ok", "tell 4 add '***' error: the app refused it", "tell 4 msg '***' ok"}
	got := entries(t, filepath.Join(dir, auditName))
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, e := range got {
		if e.Command+" "+e.Result != want[i] {
			t.Errorf("%s %s, want %s", e.Command, e.Result, want[i])
		}
	}
}
