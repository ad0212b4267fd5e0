//go:build linux

package process

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// Table is every process of the machine at one moment. It does not change: one reading
// can serve many trees.
type Table struct {
	at    time.Time // when the reading began
	byPid map[int]Stat
}

// At is when the reading began; what started later is not in it.
func (t Table) At() time.Time { return t.at }

// ReadTable reads all of /proc: a few milliseconds with some hundred processes.
// Processes that end meanwhile are left out.
func ReadTable() (Table, error) {
	t := Table{at: time.Now()}
	dir, err := os.Open("/proc")
	if err != nil {
		return t, fmt.Errorf("process: reading the processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return t, fmt.Errorf("process: reading the processes: %w", err)
	}
	t.byPid = make(map[int]Stat, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil {
			t.byPid[pid] = s
		}
	}
	return t, nil
}

// Reader shares readings between trees, so that stopping or measuring two hundred apps at
// once reads /proc a few times and not two hundred. The zero value is ready; safe for
// concurrent use.
type Reader struct {
	// mu guards last, and is held while reading: those who wait for it then share the result.
	mu   sync.Mutex
	last Table
}

// After returns a table whose reading began after at.
func (r *Reader) After(at time.Time) (Table, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.at.After(at) {
		return r.last, nil
	}
	t, err := ReadTable()
	if err == nil {
		r.last = t
	}
	return t, err
}

// in tells whether the process still runs, or waits as a zombie, in t.
func (id Identity) in(t Table) (Stat, bool) {
	s, ok := t.byPid[id.Pid]
	return s, ok && s.Start == id.Start
}

// tree is the set of processes that belong to one child, remembered over time.
type tree struct {
	root   Identity
	keeper Identity // all below it belong; it does not itself
	group  int      // the root's process group and session, 0 once the number may belong to others
	// seen holds every process ever found in the tree that may still run, and when it
	// was found last: a reading older than that cannot say that it is gone.
	seen map[Identity]time.Time
}

func newTree(root, keeper Identity) tree {
	return tree{root: root, keeper: keeper, group: root.Pid, seen: make(map[Identity]time.Time)}
}

// maxSeen bounds what is remembered of one tree (a fork bomb has more; then the parents
// and the group still find them).
const maxSeen = 4096

// members finds the processes of the tree in t, remembers them and forgets those gone.
func (r *tree) members(t Table) []Stat {
	in := make(map[int]bool, len(r.seen)+1)
	for id, last := range r.seen {
		if _, ok := id.in(t); ok {
			in[id.Pid] = true
		} else if t.at.After(last) {
			delete(r.seen, id)
		}
	}
	if _, ok := r.root.in(t); ok {
		in[r.root.Pid] = true
	}
	keeper := 0
	if _, ok := r.keeper.in(t); ok {
		keeper = r.keeper.Pid
		in[keeper] = true
	}
	var out []Stat
	self := os.Getpid()
	for pid, s := range t.byPid {
		if pid != self && pid != keeper && r.belongs(t, s, in) {
			out = append(out, s)
			r.remember(s, t.at)
		}
	}
	return out
}

// belongs decides by the group and by the chain of parents; in keeps what was decided.
func (r *tree) belongs(t Table, s Stat, in map[int]bool) bool {
	if yes, known := in[s.Pid]; known {
		return yes
	}
	yes := r.group > 0 && (s.Group == r.group || s.Session == r.group)
	if parent, ok := t.byPid[s.Parent]; !yes && ok && s.Parent > 1 && parent.Start <= s.Start {
		in[s.Pid] = false // ends the walk should a torn reading show a circle
		yes = r.belongs(t, parent, in)
	}
	in[s.Pid] = yes
	return yes
}

func (r *tree) remember(s Stat, at time.Time) {
	id := Identity{s.Pid, s.Start}
	if _, known := r.seen[id]; known || len(r.seen) < maxSeen {
		if s.alive() && id != r.root && at.After(r.seen[id]) {
			r.seen[id] = at
		}
	}
}
