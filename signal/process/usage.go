//go:build linux

package process

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// Usage is the kernel's word on a whole tree. Sizes in bytes. Memory that processes share
// counts once for each of them.
type Usage struct {
	Processes    int
	Threads      int
	RSSBytes     uint64
	PeakRSSBytes uint64 // the sum of each process's own peak
	VirtualBytes uint64
	CPU          time.Duration // user and system, with what ended children used
	ReadBytes    uint64        // through read calls: files, pipes and sockets
	WrittenBytes uint64
	OpenFiles    int
	VolSwitches  uint64
	InvolSwitch  uint64
	Uptime       time.Duration // of the child itself
}

// Limits for one process's answer: its status file, its io file, and how many of its
// threads are asked for their context switches.
const (
	maxStatus  = 8 << 10
	maxIO      = 1 << 10
	maxThreads = 256
)

// Usage adds up the live processes of the tree as they are in t, a table just read: one
// reading can serve many trees. After the end of the child it tells what is left of the tree.
func (p *Process) Usage(t Table) Usage {
	u := Usage{Uptime: p.uptime()}
	for _, s := range p.members(t) {
		if s.alive() {
			u.add(s)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// An orphan takes its times along when init reaps it: the sum never goes back.
	p.maxCPU = max(p.maxCPU, u.CPU)
	u.CPU = p.maxCPU
	return u
}

func (p *Process) uptime() time.Duration {
	if e, ended := p.ended(); ended {
		return e.At.Sub(p.record.Started)
	}
	return time.Since(p.record.Started)
}

func (u *Usage) add(s Stat) {
	u.Processes++
	u.Threads += s.Threads
	u.VirtualBytes += s.VirtualBytes
	u.CPU += time.Duration(s.UserTicks+s.SystemTicks+s.ReapedTicks) * (time.Second / ticksPerSecond)
	rss := s.RSSPages * uint64(os.Getpagesize())
	u.RSSBytes += rss
	dir := "/proc/" + strconv.Itoa(s.Pid)
	status, _ := readSmall(dir+"/status", maxStatus)
	u.PeakRSSBytes += max(rss, field(status, "VmHWM:")<<10)
	io, _ := readSmall(dir+"/io", maxIO)
	u.ReadBytes += field(io, "rchar:")
	u.WrittenBytes += field(io, "wchar:")
	u.OpenFiles += openFiles(dir)
	u.addSwitches(dir, status)
}

// addSwitches asks every thread: a process's own status speaks of its first thread only.
func (u *Usage) addSwitches(dir string, status []byte) {
	names := list(dir+"/task", maxThreads)
	if len(names) > 1 {
		for _, name := range names {
			s, _ := readSmall(dir+"/task/"+name+"/status", maxStatus)
			u.VolSwitches += field(s, "voluntary_ctxt_switches:")
			u.InvolSwitch += field(s, "nonvoluntary_ctxt_switches:")
		}
		return
	}
	u.VolSwitches += field(status, "voluntary_ctxt_switches:")
	u.InvolSwitch += field(status, "nonvoluntary_ctxt_switches:")
}

// openFiles counts descriptors. Since Linux 6.2 the size of the folder is the count.
func openFiles(dir string) int {
	if info, err := os.Stat(dir + "/fd"); err == nil && info.Size() > 0 {
		return int(info.Size())
	}
	return len(list(dir+"/fd", -1))
}

func list(path string, n int) []string {
	dir, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(n)
	return names
}

// field returns the number after key at the start of a line, 0 when there is none.
func field(text []byte, key string) uint64 {
	for line := range bytes.Lines(text) {
		rest, ok := bytes.CutPrefix(line, []byte(key))
		if !ok {
			continue
		}
		f := bytes.Fields(rest)
		if len(f) == 0 {
			return 0
		}
		n, _ := strconv.ParseUint(string(f[0]), 10, 64)
		return n
	}
	return 0
}
