//go:build linux

package process

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
)

// maxComm bounds the name of a process, in bytes: TASK_COMM_LEN of Linux is 16 with the newline.
const maxComm = 64

// Parts are the live processes of the tree one by one, parents before their children, at most
// signal.MaxTree.
func (p *Process) Parts(t Table) []signal.ProcessUsage {
	members := slices.DeleteFunc(p.members(t), func(s Stat) bool { return !s.alive() })
	out := make([]signal.ProcessUsage, 0, min(len(members), signal.MaxTree))
	for _, s := range inOrder(members)[:min(len(members), signal.MaxTree)] {
		comm, _ := readSmall("/proc/"+strconv.Itoa(s.Pid)+"/comm", maxComm) // it may have ended
		out = append(out, signal.ProcessUsage{
			Pid: s.Pid, Parent: s.Parent, Name: strings.TrimSuffix(string(comm), "\n"), Threads: s.Threads,
			RSSBytes:   s.RSSPages * uint64(os.Getpagesize()),
			CPUSeconds: (time.Duration(s.UserTicks+s.SystemTicks) * (time.Second / ticksPerSecond)).Seconds(),
		})
	}
	return out
}

// inOrder puts each process behind its parent, siblings by the time they started. Those whose
// parent is not among them come as roots.
func inOrder(members []Stat) []Stat {
	slices.SortFunc(members, func(a, b Stat) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Pid, b.Pid))
	})
	children, here := map[int][]Stat{}, map[int]bool{}
	for _, s := range members {
		here[s.Pid] = true
		children[s.Parent] = append(children[s.Parent], s)
	}
	out, placed := make([]Stat, 0, len(members)), map[int]bool{}
	var place func(s Stat)
	place = func(s Stat) {
		if placed[s.Pid] { // a torn reading shows a circle
			return
		}
		placed[s.Pid] = true
		out = append(out, s)
		for _, c := range children[s.Pid] {
			place(c)
		}
	}
	for _, s := range members {
		if !here[s.Parent] || s.Parent == s.Pid {
			place(s)
		}
	}
	for _, s := range members {
		place(s)
	}
	return out
}
