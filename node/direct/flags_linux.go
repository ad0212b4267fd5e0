package direct

import "golang.org/x/sys/unix"

// receiveFlags make descriptors that arrive close at exec.
const receiveFlags = unix.MSG_CMSG_CLOEXEC
