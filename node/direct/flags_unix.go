//go:build unix && !linux

package direct

// receiveFlags is zero where the kernel cannot make descriptors that arrive close at exec.
const receiveFlags = 0
