//go:build linux

package server

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

func TestCounter(t *testing.T) {
	dir := t.TempDir()
	c, err := openCounter(dir, slog.New(slog.DiscardHandler), func() uint64 { return 70 })
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[sig.ID]bool{}
	for range 20 {
		all.Go(func() {
			id, err := c.next()
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[id] {
				t.Errorf("id %d twice, or %v", id, err)
			}
			seen[id] = true
		})
	}
	all.Wait()
	// As after kill -9: nothing was closed.
	again, err := openCounter(dir, slog.New(slog.DiscardHandler), func() uint64 { return 70 })
	if err != nil {
		t.Fatal(err)
	}
	if id, err := again.next(); err != nil || id != 21 {
		t.Errorf("id %d, %v, want 21", id, err)
	}
	c.close()
	again.close()
	if got, _ := os.ReadFile(filepath.Join(dir, "ids")); string(got) != "00000000000000000021\n" {
		t.Errorf("file holds %q", got)
	}
	for text, want := range map[string]bool{"7\n": true, "7": true, "": false, "x": false, "-1": false, "1 2": false,
		"99999999999999999999\n": false, "000000000000000000000000007\n": false} {
		os.WriteFile(filepath.Join(dir, "ids"), []byte(text), 0o600)
		c, err := openCounter(dir, slog.New(slog.DiscardHandler), func() uint64 { return 70 })
		if err != nil {
			t.Fatal(err)
		}
		id, err := c.next()
		c.close()
		if first := sig.ID(70 + idMargin + 1); err != nil || want && id != 8 || !want && id != first {
			t.Errorf("%q: id %d, %v; is a number: %v", text, id, err, want)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(appendID(nil, 1<<62))
	f.Add([]byte("7"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if n, err := parseID(line); err == nil {
			if m, err := parseID(appendID(nil, n)); err != nil || m != n {
				t.Errorf("%d came back as %d, %v", n, m, err)
			}
		}
	})
}

func openTestJournal(t *testing.T, dir string) *journal {
	t.Helper()
	j, err := openJournal(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.close)
	return j
}

func TestJournalGoesOn(t *testing.T) {
	dir := t.TempDir()
	j := openTestJournal(t, dir)
	for i := range 3 {
		j.add(sig.Event{ID: 7, App: "a", Kind: "app", Text: fmt.Sprint(i), Fields: json.RawMessage(`{"n":1}`)})
	}
	// A crash in the middle of a line, and a line of nonsense.
	f, err := os.OpenFile(filepath.Join(dir, eventsName), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("nonsense\n" + `{"seq":4,"ti`)
	f.Close()
	j = openTestJournal(t, dir)
	j.add(sig.Event{Kind: "app", Text: "next"})
	j = openTestJournal(t, dir)
	events, _ := j.after(0)
	if len(events) != 4 || events[3].Seq != 4 || events[3].Text != "next" || string(events[0].Fields) != `{"n":1}` || events[0].ID != 7 {
		t.Errorf("%+v", events)
	}
	if info, err := os.Stat(filepath.Join(dir, eventsName)); err != nil || info.Mode() != 0o600 {
		t.Error(info, err)
	}
}

func TestJournalIsBounded(t *testing.T) {
	dir := t.TempDir()
	j := openTestJournal(t, dir)
	long := strings.Repeat("x", 8<<10)
	n := 3 * maxEventFile / len(long)
	for range n {
		j.add(sig.Event{Kind: "app", Text: long})
	}
	for _, name := range []string{eventsName, oldEvents} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() > maxEventFile {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	for range keptEvents {
		j.add(sig.Event{Kind: "app"})
	}
	if len(j.ring) != keptEvents {
		t.Errorf("%d in the ring", len(j.ring))
	}
	events, _ := j.after(0)
	if len(events) != batchEvents || events[0].Seq != uint64(n)+1 {
		t.Errorf("%d events from %d, want %d", len(events), events[0].Seq, n+1)
	}
	if events, _ = j.after(uint64(n+keptEvents) - 2); len(events) != 2 {
		t.Errorf("%d events, want 2", len(events))
	}
	if events, _ = j.after(1 << 60); len(events) != 0 {
		t.Errorf("%d events from the future", len(events))
	}
	if j = openTestJournal(t, dir); j.seq != uint64(n+keptEvents) {
		t.Errorf("seq %d after opening again, want %d", j.seq, n+keptEvents)
	}
}

// Events go on when the disk does not.
func TestJournalWithoutDisk(t *testing.T) {
	j := openTestJournal(t, t.TempDir())
	j.add(sig.Event{Kind: "app", Text: "one"})
	j.file.Close()
	for range 2 {
		j.add(sig.Event{Kind: "app", Text: "more"})
	}
	if events, _ := j.after(0); len(events) != 3 || events[2].Seq != 3 {
		t.Errorf("%+v", events)
	}
}

func FuzzParseEvent(f *testing.F) {
	line, _ := json.Marshal(sig.Event{Seq: 1, Time: time.Unix(0, 0).UTC(), ID: 7, Kind: "app", Fields: json.RawMessage("[1]")})
	f.Add(line)
	f.Fuzz(func(t *testing.T, line []byte) {
		if e, ok := parseEvent(line); ok {
			if _, err := json.Marshal(e); err != nil && e.Time.Year() >= 0 && e.Time.Year() < 10000 {
				t.Error(err)
			}
		}
	})
}

func TestFollowEvents(t *testing.T) {
	s := serve(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan sig.Event, 100)
	done := make(chan error)
	go func() {
		done <- s.Events(ctx, 0, true, func(e sig.Event) error { got <- e; return nil })
	}()
	v := launch(t, s, shell("exit 3"))
	for i, want := range []string{"started", "failed"} {
		e := <-got
		if e.Seq != uint64(i+1) || e.Kind != want || e.ID != v.ID || e.App != "sh" {
			t.Errorf("%+v, want %s", e, want)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	stop := errors.New("enough")
	if err := s.Events(t.Context(), 0, true, func(sig.Event) error { return stop }); err != stop {
		t.Error(err)
	}
}

func TestLogs(t *testing.T) {
	s := serve(t, nil)
	v := launch(t, s, shell("for i in 1 2 3 4 5; do echo line $i; done; printf end"))
	awaitState(t, s, v.ID, sig.Exited)
	for n, want := range map[int]string{
		0: "line 1\nline 2\nline 3\nline 4\nline 5\nend", 1: "end", 2: "line 5\nend", 99: "line 1\nline 2\nline 3\nline 4\nline 5\nend",
	} {
		for _, follow := range []bool{false, true} { // of an ended app it ends by itself
			var out strings.Builder
			if err := s.Logs(t.Context(), v.ID, sig.LogsRequest{Lines: n, Follow: follow}, &out); err != nil || out.String() != want {
				t.Errorf("%d lines: %q, %v, want %q", n, out.String(), err, want)
			}
		}
	}
	wantCode(t, "negative", s.Logs(t.Context(), v.ID, sig.LogsRequest{Lines: -1}, nil), sig.CodeParams)
	wantCode(t, "unknown", s.Logs(t.Context(), 99, sig.LogsRequest{}, nil), sig.CodeNoApp)
	os.Remove(v.Log)
	wantCode(t, "gone", s.Logs(t.Context(), v.ID, sig.LogsRequest{}, nil), sig.CodeUnavailable)
}

func TestFollowLog(t *testing.T) {
	s := serve(t, nil)
	goFile := filepath.Join(t.TempDir(), "go")
	v := launch(t, s, shell(`echo one; while test ! -e "$0"; do sleep 0.01; done; echo two; printf three`, goFile))
	awaitLog(t, v, "one")
	var out strings.Builder
	err := s.Logs(t.Context(), v.ID, sig.LogsRequest{Follow: true}, writerFunc(func(p []byte) (int, error) {
		if out.Len() == 0 {
			os.WriteFile(goFile, nil, 0o600)
		}
		return out.Write(p)
	}))
	if err != nil || out.String() != "one\ntwo\nthree" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestLastLinesAcrossPieces(t *testing.T) {
	line := strings.Repeat("x", 100) + "\n"
	text := strings.Repeat(line, 2000)
	f := strings.NewReader(text)
	for _, n := range []int{1, 300, 400, 1999, 2000, 2001} {
		at, err := lastLines(t.Context(), f, int64(len(text)), n)
		if want := max(0, len(text)-n*len(line)); err != nil || int(at) != want {
			t.Errorf("%d lines begin at %d, %v, want %d", n, at, err, want)
		}
	}
}

func TestSockDiag(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Log("no", addr)
			continue
		}
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		owner, err := peerSocket(conn.(*net.TCPConn))
		if err != nil || !owner.established || owner.uid != os.Getuid() || owner.inode == 0 {
			t.Errorf("%s: %+v, %v", addr, owner, err)
		}
		client.Close()
		if owner, err = peerSocket(conn.(*net.TCPConn)); err == nil && owner.established && owner.inode != 0 {
			t.Errorf("%s: a closed socket has an owner: %+v", addr, owner)
		}
		conn.Close()
		l.Close()
		if owner, err = peerSocket(conn.(*net.TCPConn)); err == nil && owner.inode != 0 {
			t.Errorf("%s: nobody has the socket any more: %+v", addr, owner)
		}
	}
}

// An IPv6 socket connected to an IPv4 address, as Java makes them.
func TestSockDiagMapped(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip("no IPv6:", err)
	}
	defer syscall.Close(fd)
	to := &syscall.SockaddrInet6{Port: l.Addr().(*net.TCPAddr).Port}
	copy(to.Addr[:], net.ParseIP("127.0.0.1").To16())
	if err := syscall.Connect(fd, to); err != nil {
		t.Skip("no mapped addresses:", err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if owner, err := peerSocket(conn.(*net.TCPConn)); err != nil || !owner.established || owner.inode == 0 {
		t.Errorf("%+v, %v", owner, err)
	}
}

func diagAnswer(state byte, uid, inode uint32) []byte {
	b := make([]byte, syscall.SizeofNlMsghdr+diagMessageLen)
	binary.NativeEndian.PutUint16(b[4:], sockDiagByFamily)
	m := b[syscall.SizeofNlMsghdr:]
	m[1] = state
	binary.NativeEndian.PutUint32(m[diagUIDOffset:], uid)
	binary.NativeEndian.PutUint32(m[diagInodeOffset:], inode)
	return b
}

func TestParseDiag(t *testing.T) {
	whole := diagAnswer(tcpEstablished, 7, 9)
	if got, err := parseDiag(whole); err != nil || got != (socketOwner{established: true, uid: 7, inode: 9}) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range whole {
		if _, err := parseDiag(whole[:n]); err == nil {
			t.Errorf("%d bytes were enough", n)
		}
	}
}

func FuzzParseDiag(f *testing.F) {
	f.Add(diagAnswer(tcpEstablished, 0, 1))
	f.Add(diagAnswer(0, 0, 0)[:syscall.SizeofNlMsghdr+4])
	f.Fuzz(func(t *testing.T, b []byte) { parseDiag(b) })
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\nb\tc": "a b c", "\x1b]0;x\x07": "]0;x", "\u202egnp": "gnp", "äöü": "äöü", "\xff\xfe": "��",
		strings.Repeat("ä", 200): strings.Repeat("ä", 10),
	} {
		if got := oneLine(in, 20); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	got := commandLine("/bin/a b", []string{"x", "", "it's", "$HOME", "a\nb", "127.0.0.1:20000", "Grüße"})
	if want := `'/bin/a b' x '' 'it'\''s' '$HOME' $'a\nb' 127.0.0.1:20000 Grüße`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEnviron(t *testing.T) {
	e := newEnviron([]string{"A=1", "B=2", "A=3", "=C:=x", "nonsense", "D=a=b"})
	e.set("B", "4")
	e.unset("D")
	e.set("E", "")
	if got := e.list(); !slices.Equal(got, []string{"A=3", "B=4", "E="}) {
		t.Errorf("%q", got)
	}
}

func TestListFitsAFrame(t *testing.T) {
	s := &Server{apps: map[sig.ID]*app{}}
	over := make(chan struct{})
	close(over)
	for i := range sig.ID(300) {
		a := &app{id: i + 1, run: &run{over: over, proc: new(process.Process)}}
		a.asked.Store(&sig.StartRequest{Path: "/x", Args: []string{strings.Repeat("x", 5000)}})
		s.apps[a.id] = a
	}
	list, err := s.listThatFits(t.Context())
	if err != nil || len(list) < 150 || len(list) == 300 || list[len(list)-1].ID != 300 {
		t.Errorf("%d rows, %v", len(list), err)
	}
	if b, err := json.Marshal(list); err != nil || len(b) > sig.MaxFrame {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func (c *counter) next() (sig.ID, error) {
	id := c.take()
	if err := c.secure(id); err != nil {
		return 0, err
	}
	return id, nil
}
