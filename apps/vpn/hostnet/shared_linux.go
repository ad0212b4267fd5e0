package hostnet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// maxAncestors bounds the way up to the first process.
const maxAncestors = 64

// hostAbove finds a process above us that lives in another network namespace, such as the shell that ran `ip netns exec`, and returns
// its folder in /proc. Processes that we may not look at do not count.
func hostAbove() (dir string, ok bool) {
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return "", false
	}
	pid := os.Getppid()
	for range maxAncestors {
		if pid <= 0 {
			break
		}
		dir := fmt.Sprintf("/proc/%d", pid)
		if theirs, err := os.Readlink(dir + "/ns/net"); err == nil && theirs != ours {
			return dir, true
		}
		pid = parentOf(dir)
	}
	return "", false
}

// sharedWithHostAbove tells whether what lies at path, a link being one, is the same for the process that hostAbove finds. Where nothing
// lies there, what we would put there would.
func sharedWithHostAbove(path string) bool {
	dir, ok := hostAbove()
	if !ok {
		return false
	}
	here, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		path = filepath.Dir(path)
		here, err = os.Lstat(path)
	}
	if err != nil {
		return false
	}
	there, err := os.Lstat(dir + "/root" + path)
	return err == nil && os.SameFile(here, there)
}

// parentOf reads the parent of the process with that folder (proc_pid_stat(5)); 0 if it is gone.
func parentOf(dir string) int {
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0
	}
	words := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]) // a name may hold anything
	if len(words) < 2 {
		return 0
	}
	pid, _ := strconv.Atoi(string(words[1]))
	return pid
}
