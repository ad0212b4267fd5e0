package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inOwnNetwork runs shell commands in a network of their own, with VISCRIPT as the program, and returns what they print and
// their exit code.
func inOwnNetwork(t *testing.T, lines string) (stdout, stderr string, code int) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "viscript")
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-ec", "ip link set lo up\n"+lines)
	cmd.Env = append(cleanEnv(), "VISCRIPT="+program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	return try(cmd)
}

func TestVPNDown(t *testing.T) {
	state := t.TempDir()
	dir, conf := filepath.Join(state, "vpn-client", "work"), filepath.Join(state, "resolv.conf")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// what is left of an earlier boot
	ours, before := "# ours\nnameserver 10.99.0.1\n", "nameserver 192.0.2.1\n"
	b64 := base64.StdEncoding.EncodeToString
	journal := fmt.Sprintf(`{"version":1,"boot":"another","netns":1,"done":[{"rule":{"priority":29993,"not_mark":1,"table":30300}},
		{"resolver":{"path":%q,"ours":%q,"before":%q}}]}`, conf, b64([]byte(ours)), b64([]byte(before)))
	for file, text := range map[string]string{filepath.Join(dir, "hostnet.json"): journal, conf: ours} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, code := inOwnNetwork(t, "$VISCRIPT vpn down --state "+state)
	if code != 0 || out != "undone: resolvers in "+conf+"\n" {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	if b, err := os.ReadFile(conf); err != nil || string(b) != before {
		t.Errorf("%q, %v", b, err)
	}
	if out, errs, code = inOwnNetwork(t, "$VISCRIPT vpn down --state "+state); code != 0 || out != "nothing to undo\n" {
		t.Errorf("a second time: %d, %q, %q", code, out, errs)
	}
	out, errs, code = inOwnNetwork(t, `nft add table inet viscript_vpn_x; ip rule add priority 29993 lookup 30300 protocol 118; ip rule add priority 5 lookup 7
		! $VISCRIPT vpn down --state `+state+`
		$VISCRIPT vpn down --all --state `+state+`
		nft list ruleset; ip rule`)
	if code != 0 || strings.Count(errs, "--all") != 2 || strings.Count(out, "undone: ") != 2 || strings.Contains(out, "table inet") || !strings.Contains(out, "lookup 7") || strings.Contains(out, "29993:") {
		t.Errorf("leftovers: %d, %q, %q", code, out, errs)
	}
	if _, errs, code := inOwnNetwork(t, "$VISCRIPT vpn test --state "+state); code != 1 || !strings.Contains(errs, "no VPN client") {
		t.Errorf("test without a VPN: %d, %q", code, errs)
	}
}
