//go:build linux

package process

import (
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestLookupAccount(t *testing.T) {
	if a, err := LookupAccount(""); err != nil || a != (Account{}) {
		t.Errorf("%+v %v", a, err)
	}
	for text, want := range map[string]string{
		"no-such-user-here": "there is no such user", "root:no-such-group-here": "there is no such group",
		":root": "there is no such user", "3999999999": "UID:GID", "4294967295:1": "there is no such user", "-1": "there is no such user",
	} {
		if _, err := LookupAccount(text); err == nil || os.Geteuid() == 0 && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	a, err := LookupAccount(me.Username)
	if err != nil || a.Home != me.HomeDir {
		t.Errorf("%+v %v", a, err)
	}
	if os.Geteuid() != 0 {
		if _, err := LookupAccount("root"); err == nil || !strings.Contains(err.Error(), "only a daemon that runs as root") {
			t.Errorf("root for %s: %v", me.Username, err)
		}
		return
	}
	if a, err := LookupAccount("64999:64998"); err != nil || a.Credential.Uid != 64999 || a.Credential.Gid != 64998 || len(a.Credential.Groups) != 0 {
		t.Errorf("%+v %v", a, err)
	}
	a, err = LookupAccount("0:64998")
	if err != nil || a.Name != me.Username || strconv.Itoa(int(a.Credential.Gid)) != "64998" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestParseSignal(t *testing.T) {
	for name, want := range map[string]syscall.Signal{"": syscall.SIGTERM, "TERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "USR1": syscall.SIGUSR1} {
		if got, err := ParseSignal(name); err != nil || got != want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	for _, name := range []string{"term", "SIG", "9", "SIGSIGTERM", "NOPE"} {
		if got, err := ParseSignal(name); err == nil {
			t.Errorf("%s is %v", name, got)
		}
	}
}
