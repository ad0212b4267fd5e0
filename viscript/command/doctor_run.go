package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/skycoin/viscript/signal"
)

const (
	// maxRecordFile bounds the record of a keeper that is read, in bytes.
	maxRecordFile = 4 << 20
	// knockTime bounds the try to connect to a socket, which answers at once, listened at or not: it is for a machine that stands still.
	knockTime = 5 * time.Second
	// maxShownFindings bounds the findings of one kind; of more only the number is told.
	maxShownFindings = 20
	// clockSlack is how far the wall clock may differ from the time since the start: ntpd and adjtime
	// move it by less than a part in a thousand.
	clockSlack = 2 * time.Second
	clockShare = 1000
	// firstYear is before any clock that runs right.
	firstYear = 2024
)

// runFile is a file of an app in the run folder: ID.lock, ID.sock, ID.json, ID.exit.
var runFile = regexp.MustCompile(`^([0-9]{1,20})\.(lock|sock|json|exit)$`)

// checkRun looks for keepers, locks and sockets of apps that the daemon knows nothing of.
func checkRun(ctx context.Context, dir string, all []signal.App) []finding {
	run := filepath.Join(dir, "run")
	entries, err := os.ReadDir(run)
	if err != nil {
		return nil // no app was started yet
	}
	known := map[string]signal.App{}
	for _, a := range all {
		known[strconv.FormatUint(uint64(a.ID), 10)] = a
	}
	stray := map[string][]string{} // ID of an app not in the table, or ended: its files
	var ids []string
	for _, e := range entries {
		m := runFile.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		if a, ok := known[m[1]]; ok && (live(a) || m[2] == "exit" || m[2] == "json") {
			continue
		}
		if stray[m[1]] == nil {
			ids = append(ids, m[1])
		}
		stray[m[1]] = append(stray[m[1]], filepath.Join(run, e.Name()))
	}
	var found []finding
	for _, id := range ids {
		if f, ok := checkStray(ctx, run, id, stray[id]); ok {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return []finding{good("no keeper, lock or socket is left over")}
	}
	return few(found)
}

// few leaves out findings above the limit and says so.
func few(found []finding) []finding {
	if n := len(found) - maxShownFindings; n > 0 {
		found = append(found[:maxShownFindings], bad("as above", "and %d more like these", n))
	}
	return found
}

// checkStray judges the files of one ID.
func checkStray(ctx context.Context, run, id string, files []string) (finding, bool) {
	if lockHeld(filepath.Join(run, id+".lock")) {
		pid := keeperPid(filepath.Join(run, id+".json"))
		if pid == 0 {
			return bad("start the daemon anew: it finds the keeper again", "the keeper of app %s runs, but the daemon does not know the app", id), true
		}
		return bad(fmt.Sprintf("start the daemon anew, which finds it again; or end it and its app: kill %d", pid),
			"the keeper of app %s (pid %d) runs, but the daemon does not know the app", id, pid), true
	}
	old := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return strings.HasSuffix(f, ".sock") && answers(ctx, f) })
	if len(old) == 0 {
		return finding{}, false
	}
	return bad("rm "+Join(old), "left over of app %s, whose keeper is gone: %s", id, names(old)), true
}

func names(files []string) string {
	var out []string
	for _, f := range files {
		out = append(out, filepath.Base(f))
	}
	return strings.Join(out, ", ")
}

// keeperPid is the pid in the record of a keeper, if that process is one; 0 otherwise: a pid
// is used again, and nobody is told to kill a stranger.
func keeperPid(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	var record struct {
		Keeper struct {
			Pid   int    `json:"pid"`
			Start uint64 `json:"start"`
		} `json:"keeper"`
	}
	if json.NewDecoder(io.LimitReader(f, maxRecordFile)).Decode(&record) != nil || record.Keeper.Pid <= 1 {
		return 0
	}
	if start, ok := startTicks(record.Keeper.Pid); !ok || start != record.Keeper.Start {
		return 0
	}
	return record.Keeper.Pid
}

// startTicks is when a process started, in clock ticks after boot: field 22 of its stat, proc(5).
func startTicks(pid int) (uint64, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(f) < 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(f[19], 10, 64)
	return n, err == nil
}

// answers says whether somebody listens at a Unix socket. One that cannot be asked is taken for alive.
func answers(ctx context.Context, path string) bool {
	ctx, cancel := context.WithTimeout(ctx, knockTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
		return true
	}
	return !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, os.ErrNotExist)
}

// checkClock compares the wall clock with the time since the daemon started, which no setting of
// the clock changes, and with the events.
func checkClock(ctx context.Context, c *call) []finding {
	now := c.now()
	var found []finding
	if now.Year() < firstYear {
		found = append(found, bad("set the clock (timedatectl set-ntp true)", "the clock says %s", now.Format(time.DateTime)))
	}
	if !c.Started.IsZero() {
		passed := now.Sub(c.Started) // by the monotonic clock where both have it
		wall := now.Round(0).Sub(c.Started.Round(0))
		if jump, jumped := clockJump(wall, passed); jumped {
			found = append(found, bad("see that one time service runs (timedatectl); restarts and uptimes are not touched by it",
				"the clock was moved by %v since the daemon started", jump.Round(time.Millisecond)))
		}
	}
	var last time.Time
	err := c.Host.Events(ctx, 0, false, func(e signal.Event) error {
		last = e.Time
		return nil
	})
	if err == nil && last.Sub(now) > clockSlack {
		found = append(found, bad("set the clock (timedatectl set-ntp true)", "the last event is of %s, in the future: the clock was set back", last.Local().Format(time.DateTime)))
	}
	if len(found) == 0 {
		found = append(found, good("the clock runs evenly"))
	}
	return found
}

// clockJump is by how much the wall clock went another way than time did, and whether that is
// more than keeping it right takes.
func clockJump(wall, passed time.Duration) (time.Duration, bool) {
	jump := wall - passed
	return jump, jump.Abs() > clockSlack+passed.Abs()/clockShare
}

// checkStore reads what the daemon has to find again after a restart.
func checkStore(dir string, all []signal.App) []finding {
	var found []finding
	if f, ok := checkIDs(filepath.Join(dir, "ids"), all); !ok {
		found = append(found, f)
	}
	for _, name := range []string{"events.jsonl", "audit.jsonl"} {
		if f, ok := checkLines(filepath.Join(dir, name)); !ok {
			found = append(found, f)
		}
	}
	for _, id := range brokenRecords(filepath.Join(dir, "run")) {
		found = append(found, bad("start the daemon anew; it shows what it cannot verify", "store: the record %s cannot be read", id))
	}
	if len(found) == 0 {
		found = append(found, good("the store can be read"))
	}
	return few(found)
}

// checkIDs reads the counter of IDs, without which they would begin at 1 again.
func checkIDs(path string, all []signal.App) (finding, bool) {
	highest := signal.ID(0)
	for _, a := range all {
		highest = max(highest, a.ID)
	}
	fix := fmt.Sprintf("end the daemon, then: echo %d > %s", highest, Quote(path))
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && highest == 0 {
		return finding{}, true
	}
	if err != nil {
		return bad(fix, "store: the counter of IDs: %v", err), false
	}
	last, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 63)
	if err != nil {
		return bad(fix, "store: the counter of IDs, %s, holds no number: %.40q", path, text), false
	}
	if uint64(highest) > last {
		return bad(fix, "store: there is an app %d, above the counter of IDs, %d", highest, last), false
	}
	return finding{}, true
}

// brokenRecords names the records in the run folder that are no JSON.
func brokenRecords(run string) (broken []string) {
	files, err := filepath.Glob(filepath.Join(run, "*.json"))
	if err != nil {
		return nil // the pattern is right
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			continue // it ended meanwhile
		}
		var any json.RawMessage
		if json.NewDecoder(io.LimitReader(f, maxRecordFile)).Decode(&any) != nil {
			broken = append(broken, path)
		}
		f.Close()
	}
	return broken
}

// checkLines looks at the last line of a file of JSON lines, which a crash may have cut short.
func checkLines(path string) (finding, bool) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return finding{}, true
	}
	if err != nil {
		return bad("make it readable and writable for this user", "store: %v", err), false
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return bad("move it away and start the daemon anew", "store: %s is no file", path), false
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return bad("chmod 600 "+Quote(path), "store: %s is open to other users (%04o)", path, info.Mode().Perm()), false
	}
	return finding{}, true
}
