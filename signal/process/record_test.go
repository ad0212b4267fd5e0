//go:build linux

package process

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testRecord() Record {
	return Record{
		ID: 7, Boot: "b00t", Keeper: Identity{10, 100}, App: Identity{11, 110}, Started: time.Unix(1, 2).UTC(),
		Want: Up, Log: "/logs/7", Mark: "A=b", Pipe: "pipe:[5]", Request: json.RawMessage(`{"app":"x"}`),
	}
}

func TestRecordBytes(t *testing.T) {
	at := place{t.TempDir(), 7}
	if err := at.writeRecord(testRecord()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(at.path(recordExt))
	want := `{"id":7,"boot":"b00t","keeper":{"pid":10,"start":100},"app":{"pid":11,"start":110},` +
		`"started":"1970-01-01T00:00:01.000000002Z","want":"up","log":"/logs/7","mark":"A=b","pipe":"pipe:[5]","request":{"app":"x"}}` + "\n"
	if err != nil || string(text) != want {
		t.Errorf("got  %s\nwant %s%v", text, want, err)
	}
	// Daemons of other versions: what they do not know is ignored, what is cut short is refused.
	for n := range len(text) - 1 {
		os.WriteFile(at.path(recordExt), text[:n], 0o600)
		if _, err := at.readRecord(); err == nil {
			t.Fatalf("%d bytes were enough", n)
		}
	}
	os.WriteFile(at.path(recordExt), []byte(strings.Replace(want, `"id":7`, `"id":7,"new":[1]`, 1)), 0o600)
	if r, err := at.readRecord(); err != nil || r.App != testRecord().App {
		t.Errorf("%+v, %v", r, err)
	}
	os.WriteFile(at.path(recordExt), []byte(strings.Replace(want, `"id":7`, `"id":8`, 1)), 0o600)
	if _, err := at.readRecord(); err == nil {
		t.Error("another id's record was taken")
	}
}

func TestEndingIsOfOneRun(t *testing.T) {
	at := place{t.TempDir(), 7}
	r := testRecord()
	if err := at.writeEnding(Ending{App: r.App, Boot: r.Boot, Exit: Exit{Code: 42}}); err != nil {
		t.Fatal(err)
	}
	if e, ok := at.readEnding(r); !ok || e.Exit.Code != 42 {
		t.Errorf("%+v %v", e, ok)
	}
	for _, other := range []func(*Record){
		func(r *Record) { r.App.Start++ }, func(r *Record) { r.App.Pid++ }, func(r *Record) { r.Boot = "another" },
	} {
		r := r
		other(&r)
		if _, ok := at.readEnding(r); ok {
			t.Error("another run's ending was taken")
		}
	}
}

func FuzzRecord(f *testing.F) {
	text, _ := json.Marshal(testRecord())
	f.Add(text)
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, text []byte) {
		at := place{t.TempDir(), 7}
		os.WriteFile(at.path(recordExt), text, 0o600)
		r, err := at.readRecord()
		if err != nil {
			return
		}
		if err := at.writeRecord(r); err != nil && r.Started.Year() >= 0 && r.Started.Year() < 10000 {
			t.Error(err)
		}
	})
}

func TestLock(t *testing.T) {
	at := place{t.TempDir(), 7}
	if at.held() {
		t.Error("held by nobody")
	}
	if _, err := os.Stat(at.path(lockExt)); err == nil {
		t.Error("a look made the file")
	}
	f, err := at.lock(0)
	if err != nil || !at.held() {
		t.Fatalf("%v, held %v", err, at.held())
	}
	if _, err := at.lock(0); !errors.Is(err, ErrHeld) {
		t.Errorf("locked twice: %v", err)
	}
	// Whoever waits while the holder removes the file gets the lock of the new one.
	got := make(chan *os.File)
	go func() {
		f, err := at.lock(slack)
		if err != nil {
			t.Error(err)
		}
		got <- f
	}()
	time.Sleep(20 * time.Millisecond)
	os.Remove(at.path(lockExt))
	f.Close()
	second := <-got
	defer second.Close()
	if !at.isLock(second) || !at.held() {
		t.Error("locked a file that is nobody's lock any more")
	}
}

func TestIDs(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"1.json", "1.lock", "2.sock", "3.exit", "4.token", "x.json", "0.json", "keeper.log", "5.json.new"} {
		os.WriteFile(filepath.Join(dir, name), nil, 0o600)
	}
	ids, err := IDs(dir)
	if err != nil || len(ids) != 3 {
		t.Errorf("%v, %v", ids, err)
	}
}

func TestSecondKeeperIsRefused(t *testing.T) {
	s := shell(t, "exec sleep 60")
	p := start(t, s)
	lock, err := place{s.Run, s.ID}.lock(0)
	if !errors.Is(err, ErrHeld) {
		lock.Close()
		t.Errorf("the lock of a kept id: %v", err)
	}
	if again, err := Adopt(s.Run, s.ID, nil); err != nil || again.Pid() != p.Pid() {
		t.Errorf("%v, %v", again, err)
	} else {
		again.Release()
	}
	if !running(p.Pid()) {
		t.Error("released, and ended by it")
	}
}

// A pid of another boot is nobody's.
func TestAnotherBoot(t *testing.T) {
	run := t.TempDir()
	own, err := readStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	r := testRecord()
	r.App = Identity{own.Pid, own.Start}
	r.Mark = "TEST_MARK=" + run // a mark that nobody else has
	at := place{run, 7}
	if err := at.writeRecord(r); err != nil {
		t.Fatal(err)
	}
	p, err := Adopt(run, 7, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := p.Exit(); !e.Unknown || !strings.Contains(e.Why, "started anew") {
		t.Errorf("%+v", e)
	}
	if rep, err := p.Stop(t.Context(), nil, strict); err != nil || rep.Rung != Gone {
		t.Errorf("%+v, %v", rep, err)
	}
	<-p.gone
	if _, err := Adopt(run, 8, nil); !errors.Is(err, ErrNothing) {
		t.Errorf("nothing was adopted: %v", err)
	}
}
