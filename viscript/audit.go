package viscript

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
	"github.com/skycoin/viscript/viscript/term"
)

const (
	auditName = "audit.jsonl"
	auditOld  = "audit.old.jsonl"
	// maxAudit bounds the file, in bytes; then it becomes the old one, and that one goes.
	maxAudit = 4 << 20
	// maxAuditText bounds the command line and the result of an entry, in bytes.
	maxAuditText = 4 << 10
)

// Audit is the record of who did what to apps and the daemon: DIR/audit.jsonl, mode 0600, one
// JSON object a line, at most 8 MiB with the older one. It holds what may change something, after
// the fact, without arguments that look like secrets. A record that cannot be written is told
// in the log and holds nothing up. nil records nothing. Safe for concurrent use.
type Audit struct {
	path, old string
	table     *command.Table
	log       *slog.Logger
	now       func() time.Time

	apps func(context.Context) ([]signal.App, error)

	mu     sync.Mutex // guards the following, and the order of lines
	file   *os.File   // nil: to be opened
	size   int64
	failed bool // the last write did, and was told
}

// AuditEntry is one line of the record.
type AuditEntry struct {
	Time    time.Time `json:"time"` // of the request
	Via     string    `json:"via"`  // operator (the socket's own methods), exec, prompt, watch
	UID     int       `json:"uid"`
	Pid     int       `json:"pid"`
	Exe     string    `json:"exe,omitempty"` // the asking process's executable, where it could be read
	Command string    `json:"command"`
	Result  string    `json:"result"` // ok, failed, bad usage, or an error in words
	TookMS  int64     `json:"took_ms"`
}

// OpenAudit opens the record in dir. Close it when the daemon has ended. apps lists the apps there are: a word of one is recorded as
// what it tells the app, and without arguments where the app wants that; nil: there are none.
func OpenAudit(dir string, apps func(context.Context) ([]signal.App, error), log *slog.Logger) (*Audit, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &Audit{
		path: filepath.Join(dir, auditName), old: filepath.Join(dir, auditOld),
		table: command.New(), log: log, now: time.Now, apps: apps,
	}
	return a, a.openLocked() // nobody else has it yet
}

// Operator records what comes over the operator socket; it has the form the signal server wants.
func (a *Audit) Operator(who signal.Credentials, method string, params json.RawMessage) func(result any, err error) {
	if a == nil {
		return nil
	}
	e := AuditEntry{Via: "operator", UID: who.UID, Pid: who.Pid}
	if method == signal.MethodExec {
		e.Via = "exec"
	}
	words := a.asked(method, params)
	told, private := a.told(words)
	if words == nil || method == signal.MethodExec && told == nil && !a.table.Changes(words) {
		return nil
	}
	finish := a.begin(e, words)
	return func(result any, err error) {
		if private && err != nil {
			err = errPrivate
		}
		finish(outcome(result, err))
	}
}

// errPrivate stands for an app's explanation that is not to be recorded.
var errPrivate = errors.New("the app refused it")

// told is what a line tells an app, nil if nothing, without what is not to be recorded.
func (a *Audit) told(words []string) (as []string, private bool) {
	if a.apps == nil {
		return nil, false
	}
	if as, private = a.table.Told(a.known(), words); private {
		as = append(slices.Clone(as[:min(3, len(as))]), command.Hidden)
	}
	return as, private
}

// knownTime bounds how long the table of apps is waited for; it is in this process.
const knownTime = time.Second

func (a *Audit) known() []signal.App {
	if a.apps == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), knownTime)
	defer cancel()
	all, err := a.apps(ctx)
	if err != nil {
		return nil
	}
	return all
}

// Command records a line run by this process: via says for whom. nil when it changes nothing.
func (a *Audit) Command(via string, words []string) func(code int) {
	if a == nil {
		return nil
	}
	if told, _ := a.told(words); told == nil && !a.table.Changes(words) {
		return nil
	}
	finish := a.begin(AuditEntry{Via: via, UID: os.Getuid(), Pid: os.Getpid()}, words)
	return func(code int) { finish(codeText(code)) }
}

// begin notes what must be asked while the caller is there.
func (a *Audit) begin(e AuditEntry, words []string) func(result string) {
	e.Time = a.now()
	if e.Pid > 0 {
		e.Exe, _ = os.Readlink("/proc/" + strconv.Itoa(e.Pid) + "/exe") // it may be gone already
	}
	if told, _ := a.told(words); told != nil {
		words = told
	}
	e.Command = cut(command.Redact(words))
	return func(result string) {
		e.Result, e.TookMS = cut(result), a.now().Sub(e.Time).Milliseconds()
		e.Time = e.Time.Round(0)
		a.add(e)
	}
}

func cut(text string) string {
	if len(text) > maxAuditText {
		text = text[:maxAuditText] + "..."
	}
	return term.Clean(text)
}

// asked is a request as a line, nil for those that only look.
func (a *Audit) asked(method string, params json.RawMessage) []string {
	switch method {
	case signal.MethodTermNew:
		var p signal.TermNew
		_ = json.Unmarshal(params, &p) // what cannot be read is refused
		if len(p.Args) == 0 {
			p.Args, _ = command.Split(p.Line) // what cannot be split is refused
		}
		return append([]string{"new_term"}, p.Args...)
	case signal.MethodTermClose:
		var p signal.TermParams
		_ = json.Unmarshal(params, &p) // it is refused
		return []string{"close_term", p.ID}
	}
	var p struct {
		signal.ExecRequest
		signal.AppParams
		App string `json:"app"`
	}
	if err := json.Unmarshal(params, &p); err != nil && len(params) > 0 {
		return nil // it is refused
	}
	id := strconv.FormatUint(uint64(p.ID), 10)
	switch method {
	case signal.MethodExec:
		if p.Line != "" {
			words, _ := a.table.Line(a.known(), p.Line) // what cannot be split is refused
			return words
		}
		return p.Args
	case signal.MethodAppStart:
		return append([]string{"start", p.App}, p.Args...)
	case signal.MethodAppTell:
		return append([]string{"tell", id}, p.Args...)
	}
	if slices.Contains(lookingMethods, method) {
		return nil
	}
	words := []string{method}
	if p.ID != 0 {
		words = append(words, id)
	}
	return words
}

// lookingMethods change nothing; a method that is not known is recorded.
var lookingMethods = []string{
	signal.MethodAppList, signal.MethodAppPing, signal.MethodAppUsage, signal.MethodAppWaitReady,
	signal.MethodAppCommands, signal.MethodAppLogs, signal.MethodEvents,
	signal.MethodAppInput, // what is typed is the app's; that somebody attached is recorded
	signal.MethodTermSearch, signal.MethodTermLines, signal.MethodTermText,
}

func outcome(result any, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	if r, ok := result.(signal.ExecResult); ok {
		return codeText(r.Code)
	}
	return "ok"
}

func codeText(code int) string {
	switch code {
	case command.OK:
		return "ok"
	case command.Usage:
		return "bad usage"
	}
	return "failed"
}

// add writes an entry.
func (a *Audit) add(e AuditEntry) {
	line, err := json.Marshal(e)
	if err != nil {
		return // no field of it can fail
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	err = a.writeLocked(append(line, '\n'))
	if err != nil && !a.failed {
		a.log.Error("the audit record cannot be written", "err", err)
	}
	a.failed = err != nil
}

func (a *Audit) writeLocked(line []byte) error {
	if a.file != nil && a.size+int64(len(line)) > maxAudit {
		a.closeLocked()
		if err := os.Rename(a.path, a.old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if a.file == nil {
		if err := a.openLocked(); err != nil {
			return err
		}
	}
	n, err := a.file.Write(line)
	a.size += int64(n)
	if err != nil {
		a.closeLocked() // the next entry begins a new line
	}
	return err
}

func (a *Audit) openLocked() error {
	f, err := os.OpenFile(a.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening the audit record: %w", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.Close()
		return fmt.Errorf("opening the audit record: %s is no file that can be written (%v)", a.path, err)
	}
	a.file, a.size = f, info.Size()
	last := make([]byte, 1)
	if a.size > 0 {
		if _, err := f.ReadAt(last, a.size-1); err == nil && last[0] != '\n' { // a crash cut the line short
			n, _ := f.WriteString("\n")
			a.size += int64(n)
		}
	}
	return nil
}

func (a *Audit) closeLocked() {
	if a.file != nil {
		a.file.Close()
		a.file = nil
	}
}

// Close ends the record; what is added later opens it anew.
func (a *Audit) Close() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closeLocked()
}
