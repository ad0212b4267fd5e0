//go:build linux

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/skycoin/viscript/signal"
)

// The log's folder becomes read-only while an app prints: the app goes on to its end, and what the
// log does not have is counted. A rotation cannot take place, and the file that is open stays.
func TestLogReadOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting takes root")
	}
	top := t.TempDir()
	dir := filepath.Join(top, "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	goFile := filepath.Join(top, "go")
	s := shell(t, `seq 1000; while test ! -e "$0"; do sleep 0.01; done; seq 200000; echo end`)
	s.Args = append(s.Args, goFile)
	s.Log, s.Caps = filepath.Join(dir, "log"), signal.LogCaps{Size: 64 << 10, Count: 3}
	p := start(t, s)
	logged(t, s, "1000")
	if out, err := exec.Command("mount", "-o", "bind", dir, dir).CombinedOutput(); err != nil {
		t.Skipf("no bind mount: %s", out)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	if out, err := exec.Command("mount", "-o", "remount,ro,bind", dir).CombinedOutput(); err != nil {
		t.Skipf("no read-only mount: %s", out)
	}
	if err := os.WriteFile(goFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e := wait(t, p); e.Code != 0 {
		t.Errorf("exit %+v", e)
	}
	<-p.gone
	const printed = 3893 + 1288895 + 4 // bytes
	text := readLog(t, s.Log)
	there := uint64(len(text))
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "[viscript: ") { // was not printed
			there -= uint64(len(line))
		}
	}
	if there > 64<<10+2*lineSlack || there+p.Missed() != printed {
		t.Errorf("%d bytes in the log and %d missing, %d were printed", there, p.Missed(), printed)
	}
}
