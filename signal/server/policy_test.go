//go:build linux

package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	sig "github.com/skycoin/viscript/signal"
)

// A policy set by an operator counts for the daemon after this one too.
func TestPolicySurvives(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir)
	r := shell("exec sleep 600")
	r.Daemon = true
	v := started(t, d, r)
	d.kill()
	s := serveDir(t, dir, nil)
	op := operatorOf(t, s)
	if err := op.Await(t.Context(), v.ID, sig.OnStarted); err != nil {
		t.Error(err)
	}
	got, err := op.Request(t.Context(), v.ID)
	if err != nil || got.App != r.App || got.Restart != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	got.Restart = sig.RestartAlways
	if err := op.SetPolicy(t.Context(), v.ID, got); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the record has it", func() bool { return strings.Contains(recordOf(t, dir, v.ID), `"restart":"always"`) })
	wantCode(t, "policy of none", op.SetPolicy(t.Context(), v.ID+1, got), sig.CodeNoApp)
	wantCode(t, "awaiting none", op.Await(t.Context(), v.ID+1, sig.OnReady), sig.CodeNoApp)
	got.App = "another"
	wantCode(t, "another app", op.SetPolicy(t.Context(), v.ID, got), sig.CodeParams)
}

// fakeCgroup is a folder that looks like a delegated cgroup.
func fakeCgroup(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{"cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestLimitsByCgroup(t *testing.T) {
	root := fakeCgroup(t)
	s := serve(t, func(c *Config) { c.Cgroup = root })
	r := shell("exec sleep 600")
	r.Limits = sig.Limits{Memory: 1 << 30, CPU: 1.5, Files: 99}
	v := launch(t, s, r)
	if want := "memory 1GiB by cgroup; cpu 1.5 cores by cgroup; files 99 by rlimit"; v.Limits != want {
		t.Errorf("limits %q, want %q", v.Limits, want)
	}
	group := filepath.Join(root, "app-1")
	if text, err := os.ReadFile(filepath.Join(group, "memory.max")); err != nil || string(text) != "1073741824" {
		t.Errorf("memory.max %s, %v", text, err)
	}
	free := launch(t, s, shell("exec sleep 600"))
	if _, err := os.Stat(filepath.Join(root, "app-2")); err == nil || free.Limits != "" {
		t.Errorf("a cgroup without limits: %v, %q", err, free.Limits)
	}
	entries, err := os.ReadDir(group) // the kernel's own files go with a cgroup
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(group, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Stop(t.Context(), v.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cgroup of an ended app is gone", func() bool { _, err := os.Stat(group); return os.IsNotExist(err) })
}

func TestLimitsWithoutCgroup(t *testing.T) {
	s := serve(t, func(c *Config) { c.Cgroup = filepath.Join(c.Dir, "none") })
	r := shell("exec sleep 600")
	r.Limits = sig.Limits{Memory: 1 << 30, CPU: 1.5}
	v := launch(t, s, r)
	if !strings.HasPrefix(v.Limits, "memory 1GiB by rlimit") || !strings.Contains(v.Limits, "cpu 1.5 cores not applied: needs a delegated cgroup") {
		t.Errorf("limits %q", v.Limits)
	}
}
