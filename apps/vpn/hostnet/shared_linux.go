package hostnet

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// maxAncestors bounds the way up to the first process.
const maxAncestors = 64

// sharedWithAncestor tells whether the file at path is the same one for a process above us that lives in another network
// namespace, such as the shell that ran `ip netns exec`. Processes that we may not look at do not count.
func sharedWithAncestor(path string) bool {
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return false
	}
	here, err := os.Lstat(path)
	if err != nil {
		return false
	}
	pid := os.Getppid()
	for range maxAncestors {
		if pid <= 0 {
			return false
		}
		dir := fmt.Sprintf("/proc/%d", pid)
		if theirs, err := os.Readlink(dir + "/ns/net"); err == nil && theirs != ours {
			there, err := os.Lstat(dir + "/root" + path)
			return err == nil && os.SameFile(here, there)
		}
		pid = parentOf(dir)
	}
	return false
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
