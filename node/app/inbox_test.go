//go:build unix

package app

import (
	"os"
	"syscall"
	"testing"
)

// A descriptor that could not be received keeps its place: the one after it is not taken for it.
func TestLostDescriptorKeepsItsPlace(t *testing.T) {
	i := &Inbox{}
	defer i.Close()
	i.keep(nil, true)
	fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	i.files = append(i.files, fd)
	if tcp, ok, err := i.TakeTCP(); tcp != nil || ok || err != nil {
		t.Errorf("a lost descriptor: %v, %t, %v", tcp, ok, err)
	}
	f := i.TakeFile()
	if f == nil {
		t.Fatal("the one after it is lost too")
	}
	f.Close()
	for range 3 * maxWaitingFiles {
		i.keep(nil, true)
	}
	if len(i.files) != maxWaitingFiles || i.TakeConn() != nil || i.TakeFile() != nil {
		t.Errorf("%d wait", len(i.files))
	}
}
