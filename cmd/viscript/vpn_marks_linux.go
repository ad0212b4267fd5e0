package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/node/app"
)

// nodeMarks reports whether the node at NODE_ADDR has a right by which it can mark its sockets (socket(7), SO_MARK). Not knowing, it says yes.
func nodeMarks(addr string) bool {
	port, err := app.ParseAddr(addr)
	if err != nil {
		return true
	}
	nc, err := net.Dial("unix", app.SocketName(port))
	if err != nil {
		return true // it is away, and asked again when it is there
	}
	defer nc.Close()
	raw, err := nc.(*net.UnixConn).SyscallConn()
	if err != nil {
		return true
	}
	var cred *unix.Ucred
	if raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }) != nil || err != nil {
		return true
	}
	caps, ok := effective(int(cred.Pid))
	return !ok || caps&(1<<unix.CAP_NET_ADMIN|1<<unix.CAP_NET_RAW) != 0
}

// effective are the capabilities of a process (proc_pid_status(5)).
func effective(pid int) (caps uint64, ok bool) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if text, found := strings.CutPrefix(s.Text(), "CapEff:"); found {
			caps, err = strconv.ParseUint(strings.TrimSpace(text), 16, 64)
			return caps, err == nil
		}
	}
	return 0, false
}
