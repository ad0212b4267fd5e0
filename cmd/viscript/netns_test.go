//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// field is a network of hosts on this machine: network namespaces joined by veth pairs, without
// forwarding, so that only the mesh can relay. One more network joins all hosts with the manager's.
type field struct {
	t     testing.TB
	tag   string // begins every name, so that two tests do not meet
	dir   string
	links int
	hosts []string
	roles map[string]*actor
}

// actor is one process of the product on a host.
type actor struct {
	cmd   *exec.Cmd
	ended chan struct{}
	out   string // file
}

// newField makes the hosts; "m" is the manager's. The test is skipped for other users than root.
func newField(t testing.TB, hosts ...string) *field {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"ip", "nft", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("this test needs %s (.ci/tools installs it): %v", tool, err)
		}
	}
	f := &field{t: t, tag: fmt.Sprintf("vs%012x", rand.Uint64()>>16), dir: t.TempDir(), roles: map[string]*actor{}}
	t.Cleanup(f.close)
	for _, h := range append([]string{"m"}, hosts...) {
		f.hosts = append(f.hosts, h)
		f.ip("netns", "add", f.ns(h))
		f.in(h, "ip", "link", "set", "lo", "up")
	}
	f.in("m", "ip", "link", "add", "name", "hub", "type", "bridge")
	f.in("m", "ip", "addr", "add", "10.76.0.1/24", "dev", "hub")
	f.in("m", "ip", "link", "set", "hub", "up")
	for i, h := range hosts {
		f.ip("link", "add", "mgmt", "netns", f.ns(h), "type", "veth", "peer", "name", "h"+h, "netns", f.ns("m"))
		f.in("m", "ip", "link", "set", "dev", "h"+h, "master", "hub", "up")
		f.in(h, "ip", "addr", "add", fmt.Sprintf("10.76.0.%d/24", 2+i), "dev", "mgmt")
		f.in(h, "ip", "link", "set", "mgmt", "up")
		// It is for the manager alone: hosts do not reach each other over it.
		f.in(h, "nft", "add table inet mgmt; add chain inet mgmt in { type filter hook input priority 0; }; "+
			"add rule inet mgmt in iifname mgmt ip saddr != 10.76.0.1 drop")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, f.program()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *field) ns(host string) string { return f.tag + host }

func (f *field) program() string { return filepath.Join(f.dir, "viscript") }

// ip runs ip(8), which must succeed.
func (f *field) ip(args ...string) {
	f.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		f.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// in runs a program on a host; it must succeed.
func (f *field) in(host string, args ...string) {
	f.t.Helper()
	f.ip(append([]string{"netns", "exec", f.ns(host)}, args...)...)
}

// link joins two hosts: 10.77.N.1 is a's address and 10.77.N.2 is b's, N counting from 1.
// It returns b's address.
func (f *field) link(a, b string) string {
	f.t.Helper()
	f.links++
	for _, e := range []struct{ host, peer, last string }{{a, b, "1"}, {b, a, "2"}} {
		if e.last == "1" {
			f.ip("link", "add", "to"+b, "netns", f.ns(a), "type", "veth", "peer", "name", "to"+a, "netns", f.ns(b))
		}
		f.in(e.host, "ip", "addr", "add", fmt.Sprintf("10.77.%d.%s/30", f.links, e.last), "dev", "to"+e.peer)
		f.in(e.host, "ip", "link", "set", "dev", "to"+e.peer, "up")
	}
	return fmt.Sprintf("10.77.%d.2", f.links)
}

// cut drops every packet between two neighbours, silently; heal ends that.
func (f *field) cut(a, b string) {
	f.t.Helper()
	f.in(a, "nft", fmt.Sprintf("add table inet cut%s; add chain inet cut%[1]s in { type filter hook input priority 0; }; "+
		"add chain inet cut%[1]s out { type filter hook output priority 0; }; "+
		"add rule inet cut%[1]s in iifname to%[1]s drop; add rule inet cut%[1]s out oifname to%[1]s drop", b))
}

func (f *field) heal(a, b string) {
	f.t.Helper()
	f.in(a, "nft", "delete table inet cut"+b)
}

// start runs a role on a host until the test ends or it is killed; name is unique.
func (f *field) start(host, name string, args ...string) {
	f.t.Helper()
	f.run(host, name, append([]string{f.program()}, append(args, "--state", filepath.Join(f.dir, "state-"+name))...)...)
}

// run is start for any program.
func (f *field) run(host, name string, args ...string) {
	f.t.Helper()
	args = append([]string{"netns", "exec", f.ns(host)}, args...)
	r := &actor{cmd: exec.Command("ip", args...), ended: make(chan struct{}), out: filepath.Join(f.dir, name+".out")}
	r.cmd.Env = cleanEnv()
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := os.OpenFile(r.out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer out.Close()
	r.cmd.Stdout, r.cmd.Stderr = out, out
	if err := r.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		_ = r.cmd.Wait()
	}()
	f.roles[name] = r
}

// kill ends a role at once and without a word.
func (f *field) kill(name string) {
	f.t.Helper()
	r := f.roles[name]
	_ = r.cmd.Process.Kill()
	<-r.ended
	delete(f.roles, name)
}

// listens waits until something on the host takes connections at hostport.
func (f *field) listens(host, hostport string) {
	f.t.Helper()
	_, port, _ := strings.Cut(hostport, ":")
	var n int
	_, _ = fmt.Sscan(port, &n)
	eventuallyTrue(f.t, fmt.Sprintf("%s listens on %s", host, hostport), func() error { return f.hasSocket(host, "tcp", n, "0A") })
}

// takes waits until something on the host takes datagrams at a port.
func (f *field) takes(host string, port int) {
	f.t.Helper()
	eventuallyTrue(f.t, fmt.Sprintf("%s takes datagrams at %d", host, port), func() error { return f.hasSocket(host, "udp", port, "07") })
}

// hasSocket looks for a socket of a host in a state of the kernel's.
func (f *field) hasSocket(host, protocol string, port int, state string) error {
	out, err := exec.Command("ip", "netns", "exec", f.ns(host), "cat", "/proc/net/"+protocol, "/proc/net/"+protocol+"6").Output()
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(out), "\n") {
		if w := strings.Fields(line); len(w) > 3 && w[3] == state && strings.HasSuffix(w[1], fmt.Sprintf(":%04X", port)) {
			return nil
		}
	}
	return fmt.Errorf("not yet")
}

// program on a host, such as curl, with ctx.
func (f *field) command(ctx context.Context, host string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", f.ns(host)}, args...)...)
	cmd.Env = cleanEnv()
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// close ends what runs, shows what it said if the test failed, and takes the network away.
func (f *field) close() {
	for name, r := range f.roles {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-r.ended:
		case <-time.After(patience):
			f.t.Errorf("%s does not end", name)
			_ = r.cmd.Process.Kill()
			<-r.ended
		}
	}
	if f.t.Failed() {
		outs, _ := filepath.Glob(filepath.Join(f.dir, "*.out"))
		for _, path := range outs {
			f.t.Logf("%s said at its end:\n%s", filepath.Base(path), tail(path, 4<<10))
		}
	}
	for _, h := range f.hosts {
		_ = exec.Command("ip", "netns", "del", f.ns(h)).Run()
	}
}

// tail is the last n bytes of a file.
func tail(path string, n int64) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		_, _ = file.Seek(max(0, size-n), io.SeekStart)
	}
	b, _ := io.ReadAll(file)
	return string(b)
}
