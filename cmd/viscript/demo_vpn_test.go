//go:build linux

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestDemoVPN brings the group demo-vpn of the shipped config.yaml up, and down again.
func TestDemoVPN(t *testing.T) {
	if testing.Short() || os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	dir := t.TempDir()
	prefix := freePrefix(t)
	config, err := os.ReadFile("../../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "bin", "viscript")
	for _, err := range []error{
		os.MkdirAll(filepath.Dir(program), 0o755), os.Symlink(self, program),
		os.WriteFile(filepath.Join(dir, "config.yaml"), bytes.ReplaceAll(unhurried(t, config), []byte("vsdemo"), []byte(prefix)), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "--headless", "--state", filepath.Join(dir, "state"), "--signal", "none", "--stop-all",
		"--config", filepath.Join(dir, "config.yaml"), "--up", "demo-vpn")
	cmd.Env = cleanEnv()
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(2 * patience):
			t.Error("the daemon does not end")
			_ = cmd.Process.Kill()
			<-ended
		}
		if spaces, _ := filepath.Glob("/run/netns/" + prefix + "*"); len(spaces) > 0 {
			t.Errorf("left: %v", spaces)
			for _, s := range spaces {
				_ = exec.Command("ip", "netns", "del", filepath.Base(s)).Run()
			}
		}
		if t.Failed() {
			t.Logf("the daemon said:\n%s", tail(out.Name(), 8<<10))
		}
	})
	eventuallyTrue(t, "the exit answers through the relay", func() error {
		text, err := exec.Command("ip", "netns", "exec", prefix+"-client", "ping", "-c", "1", "-W", "1", "10.96.0.1").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return err
	})
}

// freePrefix is what the names of network namespaces may begin with: no other has such names, and until the test ends no other test
// that asks here gets the same.
func freePrefix(t *testing.T) string {
	t.Helper()
	for range 1000 {
		prefix := fmt.Sprintf("vd%04x", rand.IntN(1<<16))
		ours, err := net.Listen("unix", "@viscript-test-"+prefix)
		if err != nil {
			continue
		}
		t.Cleanup(func() { ours.Close() })
		if there, err := filepath.Glob("/run/netns/" + prefix + "*"); err == nil && len(there) == 0 {
			return prefix
		}
	}
	t.Fatal("no free names for namespaces")
	return ""
}
