//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Stat is what /proc/PID/stat says of one process (proc(5)).
type Stat struct {
	Pid, Parent, Group, Session int
	State                       byte   // R S D Z T t X I ...
	UserTicks, SystemTicks      uint64 // own time, in clock ticks (100 a second)
	ReapedTicks                 uint64 // time of the children it waited for
	Threads                     int
	Start                       uint64 // ticks after boot; with the pid it names one process for ever
	VirtualBytes                uint64
	RSSPages                    uint64
}

// ticksPerSecond is USER_HZ, 100 on every Linux architecture that Go runs on.
const ticksPerSecond = 100

// maxStat bounds a stat line: 52 numbers of at most 20 digits and a name of at most 64 bytes.
const maxStat = 2 << 10

var errStat = errors.New("process: malformed stat line")

// alive is false for a zombie: it has ended and only waits for its parent to look.
func (s Stat) alive() bool { return s.State != 'Z' && s.State != 'X' && s.State != 'x' }

// stopped is true for a process halted by SIGSTOP or a debugger: it answers nothing.
func (s Stat) stopped() bool { return s.State == 'T' || s.State == 't' }

// readStat reads the stat line of one process. The error wraps fs.ErrNotExist when
// there is no such process.
func readStat(pid int) (Stat, error) {
	line, err := readSmall("/proc/"+strconv.Itoa(pid)+"/stat", maxStat)
	if err != nil {
		return Stat{}, err
	}
	return parseStat(line)
}

// parseStat reads one stat line. The second field, the program's name in brackets, may
// itself hold spaces and brackets: the last closing bracket ends it.
func parseStat(line []byte) (Stat, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 2 || end < open {
		return Stat{}, errStat
	}
	pid, err := strconv.Atoi(string(line[:open-1]))
	if err != nil || pid <= 0 {
		return Stat{}, errStat
	}
	f := bytes.Fields(line[end+1:])
	if len(f) < 22 || len(f[0]) != 1 {
		return Stat{}, errStat
	}
	s := Stat{Pid: pid, State: f[0][0]}
	var n numbers
	s.Parent, s.Group, s.Session = int(n.signed(f[1])), int(n.signed(f[2])), int(n.signed(f[3]))
	s.UserTicks, s.SystemTicks = n.unsigned(f[11]), n.unsigned(f[12])
	s.ReapedTicks = uint64(max(0, n.signed(f[13])) + max(0, n.signed(f[14])))
	s.Threads = int(n.signed(f[17]))
	s.Start, s.VirtualBytes = n.unsigned(f[19]), n.unsigned(f[20])
	s.RSSPages = uint64(max(0, n.signed(f[21])))
	if n.err != nil {
		return Stat{}, fmt.Errorf("%w: %w", errStat, n.err)
	}
	return s, nil
}

// exitCode is the last field of a stat line: how a zombie ended, as wait(2) would tell.
func exitCode(line []byte) (uint32, bool) {
	f := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(f) < 50 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(f[49]), 10, 32)
	return uint32(n), err == nil
}

// numbers parses decimal fields and keeps the first error.
type numbers struct{ err error }

func (n *numbers) signed(b []byte) int64 {
	v, err := strconv.ParseInt(string(b), 10, 64)
	n.keep(err)
	return v
}

func (n *numbers) unsigned(b []byte) uint64 {
	v, err := strconv.ParseUint(string(b), 10, 64)
	n.keep(err)
	return v
}

func (n *numbers) keep(err error) {
	if n.err == nil {
		n.err = err
	}
}

// readSmall reads at most limit bytes of a /proc file in one go, so that what is read is
// one moment of it.
func readSmall(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, limit)
	n, err := f.Read(buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
