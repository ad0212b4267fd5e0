//go:build linux

package process

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// rescued is the output of an app whose keeper was killed, read by ourselves; nil when there
// is none to read. The app has kept its pipe alive meanwhile, with what it printed in it.
type rescued struct{ *output }

// rescueOutput looks for the pipe among the files of the tree and goes on with the log. It
// starts goroutines that leave ends.
func (p *Process) rescueOutput() rescued {
	if p.record.Pipe == "" && !p.record.Pty || p.record.Log == "" {
		return rescued{}
	}
	file := p.takeTerminal()
	if file == nil && p.record.Pipe != "" {
		file = p.openPipeOfTree()
	}
	if file == nil {
		return rescued{}
	}
	log, err := openLogFile(p.record.Log, p.record.Caps)
	if err != nil {
		file.Close() // the app will stand still once the pipe is full; nobody can help that
		return rescued{}
	}
	out := newOutput(log)
	out.file = file
	out.say("[viscript: the keeper was killed; what it had not written yet is missing here]")
	out.start()
	return rescued{out}
}

// openPipeOfTree opens the pipe by way of a process that has it, the app itself first.
func (p *Process) openPipeOfTree() *os.File {
	pids := []int{p.Pid()}
	if t, err := p.reader.After(time.Now()); err == nil {
		for _, s := range p.members(t) {
			pids = append(pids, s.Pid)
		}
	}
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		for _, name := range list(dir, -1) {
			if to, err := os.Readlink(dir + "/" + name); err != nil || to != p.record.Pipe {
				continue
			}
			fd, err := syscall.Open(dir+"/"+name, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
			if err == nil {
				return os.NewFile(uintptr(fd), "output")
			}
		}
	}
	return nil
}

// settle returns when the last of the output is in the log.
func (r rescued) settle() {
	if r.output != nil {
		r.drain()
	}
}

// leave stops reading; what is in the pipe stays there.
func (r rescued) leave() {
	if r.output == nil {
		return
	}
	r.file.Close()
	<-r.pumped
	<-r.recorded
}
