//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/signal"
)

// Exit code of curl when a proxy refuses, and replies of RFC 1928 section 6.
const (
	curlProxy    = 97
	replyOK      = 0
	replyGeneral = 1
	replyDenied  = 2
	replyNoNet   = 3
	replyNoHost  = 4
	replyRefused = 5
	replyCommand = 7
)

// request sends one SOCKS5 request to the demo's proxy, byte by byte as RFC 1928 has it, and returns the reply code.
func (d *demo) request(t *testing.T, command byte, host, port string) (net.Conn, byte) {
	t.Helper()
	conn, err := net.Dial("tcp", d.addr(proxyPort))
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(2 * patience))
	var answer [10]byte
	conn.Write([]byte{5, 1, 0})
	if _, err := io.ReadFull(conn, answer[:2]); err != nil || answer[0] != 5 || answer[1] != 0 {
		t.Fatalf("method: %v %v", answer[:2], err)
	}
	conn.Write(append([]byte{5, command, 0}, socksAddress(host, port)...))
	if _, err := io.ReadFull(conn, answer[:]); err != nil || answer[0] != 5 || answer[3] != 1 {
		t.Fatalf("%s:%s: %v %v", host, port, answer, err)
	}
	return conn, answer[1]
}

// ask returns the reply code alone.
func (d *demo) ask(t *testing.T, command byte, host, port string) byte {
	t.Helper()
	conn, reply := d.request(t, command, host, port)
	conn.Close()
	return reply
}

// connect opens a connection through the mesh.
func (d *demo) connect(t *testing.T, host, port string) net.Conn {
	t.Helper()
	conn, reply := d.request(t, 1, host, port)
	if reply != replyOK {
		conn.Close()
		t.Fatalf("%s:%s: reply %d", host, port, reply)
	}
	return conn
}

func socksAddress(host, port string) (b []byte) {
	if ip, err := netip.ParseAddr(host); err != nil {
		b = append(append(b, 3, byte(len(host))), host...)
	} else if ip.Is4() {
		b = append(append(b, 1), ip.AsSlice()...)
	} else {
		b = append(append(b, 4), ip.AsSlice()...)
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		panic(err)
	}
	return binary.BigEndian.AppendUint16(b, uint16(n))
}

// testProxy checks what the mesh says of targets of all kinds.
func testProxy(t *testing.T, d *demo) {
	closed := freePorts(t, 1)[0]
	for _, target := range []struct {
		what       string
		command    byte
		host, port string
		want       byte
	}{
		{"a web server", 1, "127.0.0.1", d.ports[pagePort], replyOK},
		{"a name, resolved at the exit", 1, "localhost", d.ports[pagePort], replyOK},
		{"nobody listens", 1, "127.0.0.1", closed, replyRefused},
		{"link-local: what clouds serve secrets at", 1, "169.254.169.254", "80", replyDenied},
		{"link-local of IPv6", 1, "fe80::1", "80", replyDenied},
		{"no single host", 1, "224.0.0.1", "80", replyDenied},
		{"the exit's node, for apps", 1, "127.0.0.1", d.ports[appPort2], replyDenied},
		{"the same by a name", 1, "localhost", d.ports[appPort2], replyDenied},
		{"the same by IPv6", 1, "::1", d.ports[appPort2], replyDenied},
		{"the same, mapped", 1, "::ffff:127.0.0.1", d.ports[appPort2], replyDenied},
		{"the exit's node, for links", 1, "127.0.0.1", d.ports[linkPort2], replyDenied},
		{"another node of this host", 1, "127.0.0.1", d.ports[appPort0], replyDenied},
		{"the daemon", 1, "127.0.0.1", d.ports[signalPort], replyDenied},
		{"loopback that was not allowed", 1, "127.0.0.2", d.ports[pagePort], replyDenied},
		{"this machine by its oddest name", 1, "0.0.0.0", d.ports[pagePort], replyDenied},
		{"BIND, for which this exit has no ports", 2, "127.0.0.1", d.ports[pagePort], replyDenied},
		{"no command", 4, "127.0.0.1", d.ports[pagePort], replyCommand},
	} {
		if got := d.ask(t, target.command, target.host, target.port); got != target.want {
			t.Errorf("%s (%s:%s): reply %d, want %d", target.what, target.host, target.port, got, target.want)
		}
	}
	cmd := exec.Command("curl", append([]string{"-q", "-sS"}, d.proxied("http://127.0.0.1:"+closed+"/")...)...)
	cmd.Env = cleanEnv()
	if _, errs, code := try(cmd); code != curlProxy || !strings.Contains(errs, "(5)") {
		t.Errorf("curl, refused: exit status %d, %s", code, errs)
	}
	if err := d.curl(io.Discard, d.proxied("http://localhost:"+d.ports[pagePort]+"/")...); err != nil {
		t.Errorf("by name: %v", err)
	}
	testProxyIPv6(t, d)
}

func testProxyIPv6(t *testing.T, d *demo) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Log("this machine has no ::1: ", err)
		return
	}
	web := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "six: ", r.Host)
	})}}
	web.Start()
	defer web.Close()
	var out strings.Builder
	if err := d.curl(&out, d.proxied(web.URL)...); err != nil || out.String() != "six: "+l.Addr().String() {
		t.Errorf("by IPv6: %q, %v", out.String(), err)
	}
}

// testPassword adds a proxy that wants a user and a password.
func testPassword(t *testing.T, d *demo) {
	port := freePorts(t, 1)[0]
	file := filepath.Join(d.dir, "password")
	if err := os.WriteFile(file, []byte("anna:se:cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var started struct{ ID signal.ID }
	d.json(t, &started, "start", "socks-client", "locked", d.addr(appPort0), port, "--server", "demo-exit", "--auth", file)
	id := fmt.Sprint(started.ID)
	proxy := "socks5h://127.0.0.1:" + port
	eventuallyTrue(t, "the right password opens", func() error {
		return d.curl(io.Discard, "-x", proxy, "-U", "anna:se:cret", d.page("/"))
	})
	for _, wrong := range [][]string{nil, {"-U", "anna:secret"}, {"-U", "bert:se:cret"}, {"-U", "anna:"}} {
		cmd := exec.Command("curl", append([]string{"-q", "-sS", "-x", proxy, d.page("/")}, wrong...)...)
		cmd.Env = cleanEnv()
		if _, errs, code := try(cmd); code != curlProxy {
			t.Errorf("curl %q: exit status %d, %s", wrong, code, errs)
		}
	}
	if out := d.ok(t, "logs", id); strings.Contains(out, "se:cret") {
		t.Error("the password is in the log")
	}
	d.ok(t, "sd", id)
}

// testForeignUser knocks as another user of this machine.
func testForeignUser(t *testing.T, d *demo) {
	if os.Geteuid() != 0 {
		t.Skip("being somebody else needs root")
	}
	as := func(uid uint32, stdin string, args ...string) (string, int) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, "curl", append([]string{"-q", "-sS"}, args...)...)
		cmd.Dir, cmd.Env, cmd.Stdin = "/", cleanEnv(), strings.NewReader(stdin)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: true}}
		out, _, code := try(cmd)
		return out, code
	}
	const nobody = 65534
	if _, code := as(nobody, "", d.page("/")); code != 0 {
		t.Skip("curl does not run as another user here")
	}
	if out, code := as(nobody, "", d.proxied(d.page("/"))...); code == 0 || out != "" {
		t.Errorf("another user gets through the proxy: %q", out)
	}
	question := app.AppendFrame(nil, app.Info, app.Request{Kind: app.Info}.AppendBody(nil))
	node := []string{"--max-time", "3", "telnet://" + d.addr(appPort0)} // it ends by its time
	eventuallyTrue(t, "the node answers its own user", func() error {
		if out, _ := as(0, string(question), node...); !strings.Contains(out, "node0") {
			return fmt.Errorf("%q", out)
		}
		return nil
	})
	if out, _ := as(nobody, string(question), node...); out != "" {
		t.Errorf("the node answers another user: %q", out)
	}
}

// testRefusedByMesh starts what the mesh or this machine does not want.
func testRefusedByMesh(t *testing.T, d *demo) {
	for _, bad := range []struct{ what, name, node, port, want string }{
		{"a mesh port that is taken", "other", d.addr(appPort2), "0", "the node refuses mesh port 1080"},
		{"a name that is another node's", "demo-exit", d.addr(appPort0), "2000", `the app tracker refuses the name "demo-exit"`},
	} {
		// by hand, not by the daemon: the state folder of a name is locked
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		cmd := d.product(ctx, "socks-server", bad.name, bad.node, bad.port, "--state", t.TempDir())
		_, errs, code := try(cmd)
		cancel()
		if code != exitFailed || !strings.Contains(errs, bad.want) {
			t.Errorf("%s: exit status %d\n%s", bad.what, code, errs)
		}
	}
	var started struct{ ID signal.ID }
	d.json(t, &started, "start", "node", d.addr(linkPort1), d.addr(managerPort), "false", freePorts(t, 1)[0], "node9")
	eventuallyTrue(t, "it says whose port it wanted", func() error { return saysWhy(d, started.ID, d.addr(linkPort1)) })
	if err := d.works(); err != nil {
		t.Error(err)
	}
}

// testArticle runs the entry that the article of 2017 shows, with the words that it shows.
func testArticle(t *testing.T, d *demo) {
	a := &demo{dir: t.TempDir(), ended: make(chan error, 1)}
	a.state = filepath.Join(a.dir, "state")
	a.install(t)
	const article = `apps:
  meshnet-socks-server:
    daemon: true
    desc: DESCRIPTION GOES HERE
    path: bin/meshnet/meshnet-run-socks-server
    default_args: []
    help: |
        [1] Text name of app, must be unique
        [2] Node address which app will be talked with. ex 101.202.34.56:9000
        [3] Port which socks server will use for connecting with target host. ex 8000

        Full Example Command:
            start meshnet-socks-server sockssrv0 101.202.34.56:9000 8001
`
	if err := os.WriteFile(filepath.Join(a.dir, "config.yaml"), []byte(article), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	daemon := a.product(ctx, "--state", a.state, "--signal", "none", "--stop-all") // finds ./config.yaml
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer daemon.Wait()
	defer daemon.Process.Signal(syscall.SIGTERM)
	eventuallyTrue(t, "the daemon answers", func() error { _, err := a.apps(); return err })

	// An address of another host, as in the article's example, is refused with the reason.
	var started struct{ ID signal.ID }
	a.json(t, &started, "start", "meshnet-socks-server", "sockssrv0", "101.202.34.56:9000", "8001")
	eventuallyTrue(t, "it says why", func() error { return saysWhy(a, started.ID, "is not on this host") })

	nowhere := freePorts(t, 1)[0]
	a.json(t, &started, "start", "meshnet-socks-server", "sockssrv0", "127.0.0.1:"+nowhere, "8001")
	id := fmt.Sprint(started.ID)
	eventuallyTrue(t, "it waits for its node", func() error {
		if out, errs, code := a.exec("logs", id); code != exitOK || !strings.Contains(out, "waiting for the node") {
			return fmt.Errorf("%s%s", out, errs)
		}
		_, errs, code := a.exec("ping", id)
		if code != exitOK {
			return fmt.Errorf("ping: %s", errs)
		}
		return nil
	})
	var stopped signal.StopReport
	a.json(t, &stopped, "sd", id)
	if stopped.Rung != signal.RungShutdown || stopped.ExitCode != 0 {
		t.Errorf("sd answers %+v", stopped)
	}

	a.ok(t, "start meshnet-socks-server sockssrv0 "+d.addr(appPort0)+" 8001")
	eventuallyTrue(t, "it is ready", func() error {
		apps, err := a.apps()
		if err == nil && apps[len(apps)-1].State != signal.Ready {
			err = fmt.Errorf("%+v", apps[len(apps)-1])
		}
		return err
	})
	eventuallyTrue(t, "the tracker knows it", func() error {
		if out := d.ok(t, "tell", d.id(t, "demo-tracker"), "apps"); !strings.Contains(out, "sockssrv0") {
			return fmt.Errorf("it knows:\n%s", out)
		}
		return nil
	})
}

// saysWhy checks that an app ended with exit code 1 and a reason in its log.
func saysWhy(d *demo, id signal.ID, want string) error {
	apps, err := d.apps()
	if err != nil {
		return err
	}
	for _, a := range apps {
		if a.ID == id && (a.ExitCode == nil || *a.ExitCode != exitFailed) {
			return fmt.Errorf("%+v", a)
		}
	}
	if out, errs, code := d.exec("why", fmt.Sprint(id)); code != exitOK || !strings.Contains(out, want) {
		return fmt.Errorf("why says %s%s", out, errs)
	}
	return nil
}
