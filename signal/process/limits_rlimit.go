//go:build linux

package process

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// limitData bounds what a process can write to: heap, private mappings, stacks of threads.
// RLIMIT_AS would count what a runtime merely reserves, which for Go is hundreds of MiB.
func limitData(pid int, max uint64) (string, error) {
	return "each process by itself, its private writable memory", setRlimit(pid, unix.RLIMIT_DATA, max)
}

func limitFiles(pid int, max uint64) (string, error) {
	return "", setRlimit(pid, unix.RLIMIT_NOFILE, max)
}

// limitTasks bounds processes and threads. The kernel counts all of the user, so what the
// user runs now is added.
func limitTasks(pid int, max uint64) (string, error) {
	status, err := readSmall("/proc/"+strconv.Itoa(pid)+"/status", maxStatus)
	if err != nil {
		return "", err
	}
	uid := field(status, "Uid:")
	if uid == 0 {
		return "", errors.New("needs a delegated cgroup: the kernel counts no processes of root")
	}
	now := tasksOf(uid)
	return fmt.Sprintf("the user's %d tasks of now and %d more", now, max), setRlimit(pid, unix.RLIMIT_NPROC, now+max)
}

// tasksOf counts the threads of all processes of a user.
func tasksOf(uid uint64) (n uint64) {
	for _, name := range list("/proc", -1) {
		if name[0] < '1' || name[0] > '9' {
			continue
		}
		status, err := readSmall("/proc/"+name+"/status", maxStatus)
		if err == nil && field(status, "Uid:") == uid {
			n += field(status, "Threads:")
		}
	}
	return n
}

// setRlimit sets the soft and the hard limit.
func setRlimit(pid, resource int, max uint64) error {
	var now unix.Rlimit
	err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: max, Max: max}, &now)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	if unix.Prlimit(pid, resource, nil, &now) == nil {
		return fmt.Errorf("the daemon itself may have at most %d", now.Max)
	}
	return errors.New("limits of another user's process need the capability CAP_SYS_RESOURCE")
}
