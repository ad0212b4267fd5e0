//go:build unix

package viscript

import (
	"io/fs"
	"syscall"
)

// inode tells two files of one path from each other.
func inode(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino)
	}
	return 0
}
