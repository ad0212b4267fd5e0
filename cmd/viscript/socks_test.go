//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/skycoin/viscript/signal"
)

// failoverWithin is how long new connections may fail after an exit died, on a loaded machine; the aim is two seconds.
const failoverWithin = patience

// extra is an app that a test adds to the demo.
func (d *demo) extra(t *testing.T, args ...string) (id string) {
	t.Helper()
	var started struct{ ID signal.ID }
	d.json(t, &started, append([]string{"start"}, args...)...)
	id = fmt.Sprint(started.ID)
	eventuallyTrue(t, args[1]+" is ready", func() error {
		apps, err := d.apps()
		if err != nil {
			return err
		}
		for _, a := range apps {
			if a.ID == started.ID && a.State == signal.Ready {
				return nil
			}
		}
		return fmt.Errorf("app %s is not ready", id)
	})
	return id
}

// testSocks uses the proxy with programs of all kinds, over an exit that may listen for them.
func testSocks(t *testing.T, d *demo) {
	from := 32_000 + 50*rand.IntN(15) // above those of freePorts, below those that the kernel gives
	exit := d.extra(t, "socks-server", "listener", d.addr(appPort2), "2000", "--allow-target", "127.0.0.1:*", "--bind-ports", fmt.Sprintf("%d-%d", from, from+49))
	port := freePorts(t, 1)[0]
	entry := d.extra(t, "socks-client", "everything", d.addr(appPort0), port, "--server", "listener")
	for _, part := range []struct {
		name string
		test func(*testing.T, *demo, string)
	}{{"DNS", testDNS}, {"FTP", testFTP}, {"HTTP", testHTTP}, {"Browser", testBrowser}} {
		t.Run(part.name, func(t *testing.T) { part.test(t, d, port) })
	}
	for _, id := range []string{entry, exit} {
		var stats struct {
			Datagrams struct{ Up, Down uint64 }
		}
		out := d.ok(t, "--json", "tell", id, "status")
		if err := json.Unmarshal([]byte(out), &stats); err != nil || stats.Datagrams.Up < 2 || stats.Datagrams.Down < 2 {
			t.Errorf("status of %s: %s, %v", id, out, err)
		}
		d.ok(t, "tell", id, "connections")
	}
	d.ok(t, "tell", entry, "users")
	if out := d.ok(t, "tell", exit, "keys"); !strings.Contains(out, "1024") {
		t.Errorf("keys: %s", out)
	}
	d.ok(t, "sd", entry)
	d.ok(t, "sd", exit)
}

// python runs testdata/socks.py.
func python(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", append([]string{"testdata/socks.py"}, args...)...)
	cmd.Env = cleanEnv()
	out, errs, code := try(cmd)
	if code != 0 {
		t.Fatalf("socks.py %q: exit status %d\n%s%s", args, code, out, errs)
	}
	return strings.TrimSpace(out)
}

// testDNS asks a DNS server through UDP ASSOCIATE, by python and by Go.
func testDNS(t *testing.T, d *demo, port string) {
	server := dnsServer(t)
	if got := python(t, "dns", port, server, "answer.example"); got != "192.0.2.7" {
		t.Errorf("python got %q", got)
	}
	control, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	_ = control.SetDeadline(time.Now().Add(2 * patience))
	reply := make([]byte, 12)
	if _, err := control.Write([]byte{5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(control, reply); err != nil || reply[3] != 0 {
		t.Fatalf("reply % x, %v", reply, err)
	}
	relay := netip.AddrPortFrom(netip.AddrFrom4([4]byte(reply[6:10])), uint16(reply[10])<<8|uint16(reply[11]))
	udp, err := net.Dial("udp4", relay.String())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	question := dnsmessage.Message{Header: dnsmessage.Header{ID: 77, RecursionDesired: true}, Questions: []dnsmessage.Question{
		{Name: dnsmessage.MustNewName("answer.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	packed, err := question.Pack()
	if err != nil {
		t.Fatal(err)
	}
	head := append([]byte{0, 0, 0}, socksAddress("127.0.0.1", server)...)
	b := make([]byte, 2000)
	n := 0
	for range 20 { // datagrams may be lost: asked again as resolvers do
		if _, err := udp.Write(append(head, packed...)); err != nil {
			t.Fatal(err)
		}
		_ = udp.SetReadDeadline(time.Now().Add(2 * time.Second))
		if n, err = udp.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	if err != nil || !bytes.HasPrefix(b[:n], head) {
		t.Fatalf("% x, %v", b[:n], err)
	}
	var answer dnsmessage.Message
	if err := answer.Unpack(b[len(head):n]); err != nil || answer.ID != 77 || len(answer.Answers) != 1 {
		t.Errorf("%+v, %v", answer, err)
	}
}

// dnsServer answers every question for an address with 192.0.2.7 and returns its port.
func dnsServer(t *testing.T) string {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		conn.Close()
		serving.Wait()
	})
	serving.Go(func() {
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response = true
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 60},
				Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}},
			}}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	})
	return strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)
}

// testFTP fetches and stores a file in active mode: the server connects to the exit.
func testFTP(t *testing.T, d *demo, port string) {
	file := make([]byte, 3<<20)
	rand.NewChaCha8([32]byte{3}).Read(file)
	server, stored := ftpServer(t, file)
	if got, want := python(t, "ftp", port, server, "big.bin"), fmt.Sprintf("%x", sha256.Sum256(file)); got != want {
		t.Errorf("fetched %s, want %s", got, want)
	}
	script, err := os.ReadFile("testdata/socks.py")
	if err != nil {
		t.Fatal(err)
	}
	if got := <-stored; !bytes.Equal(got, script) {
		t.Errorf("%d bytes were stored, want %d", len(got), len(script))
	}
}

// ftpServer serves one file in active mode only (RFC 959) and hands out what is stored.
func ftpServer(t *testing.T, file []byte) (port string, stored <-chan []byte) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan []byte, 8)
	var serving sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(3 * patience))
				ftpSession(conn, file, got)
			})
		}
	})
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port), got
}

func ftpSession(conn net.Conn, file []byte, stored chan<- []byte) {
	say := func(s string) { fmt.Fprintf(conn, "%s\r\n", s) }
	say("220 here")
	active := ""
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		switch strings.ToUpper(verb) {
		case "USER":
			say("331 password")
		case "PASS":
			say("230 in")
		case "TYPE":
			say("200 binary")
		case "PORT":
			var h [4]byte
			var p [2]int
			fmt.Sscanf(rest, "%d,%d,%d,%d,%d,%d", &h[0], &h[1], &h[2], &h[3], &p[0], &p[1])
			active = netip.AddrPortFrom(netip.AddrFrom4(h), uint16(p[0]<<8|p[1])).String()
			say("200 there")
		case "RETR", "STOR":
			say("150 connecting to " + active)
			data, err := net.Dial("tcp", active)
			if err != nil {
				say("425 " + err.Error())
				continue
			}
			if verb == "RETR" {
				_, _ = data.Write(file)
			} else {
				b, _ := io.ReadAll(data)
				stored <- b
			}
			data.Close()
			say("226 done")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 no")
		}
	}
}

// testHTTP uses the same port as an HTTP proxy and with SOCKS 4a.
func testHTTP(t *testing.T, d *demo, port string) {
	proxy := "127.0.0.1:" + port
	const n = 300_000
	for name, args := range map[string][]string{
		"socks5h": {"-x", "socks5h://" + proxy}, "socks4a": {"-x", "socks4a://" + proxy}, "http": {"-x", "http://" + proxy}, "tunnel": {"-p", "-x", "http://" + proxy},
	} {
		h := sha256.New()
		if err := d.curl(h, append(args, d.page(fmt.Sprint("/bytes/", n)))...); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := sameSum(h, n); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := python(t, "http", port, d.page(fmt.Sprint("/bytes/", n))); got != pageSum(n) {
		t.Errorf("urllib: %s", got)
	}
	for name, args := range map[string][]string{"http": nil, "tunnel": {"-p"}} { // the exit's node
		var code strings.Builder
		args = append(args, "-o", "/dev/null", "-w", "%{http_code} %{http_connect}", "-x", "http://"+proxy, "http://"+d.addr(appPort2)+"/")
		cmd := exec.Command("curl", append([]string{"-q", "-s"}, args...)...)
		cmd.Env, cmd.Stdout = cleanEnv(), &code
		_ = cmd.Run()
		if !strings.Contains(code.String(), "403") {
			t.Errorf("%s: the exit's own port: status %s", name, &code)
		}
	}
}

// testBrowser loads a page of 200 objects in Chromium, through SOCKS and through HTTP.
func testBrowser(t *testing.T, d *demo, port string) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("this test needs chromium (.ci/tools installs it): ", err)
	}
	const objects = 200
	for _, scheme := range []string{"socks5", "http"} {
		t.Run(scheme, func(t *testing.T) {
			var served sync.Map // paths; Chromium may ask twice when a connection ends
			count := func() (n int) {
				served.Range(func(any, any) bool { n++; return true })
				return n
			}
			page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/object/") {
					served.Store(r.URL.Path, true)
					w.Header().Set("Content-Type", "image/svg+xml")
					fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><!-- %s --></svg>`, strings.Repeat("x", 10_000))
					return
				}
				if r.URL.Path != "/" { // its icon
					http.NotFound(w, r)
					return
				}
				w.Header().Set("Content-Type", "text/html")
				fmt.Fprint(w, `<!doctype html><title>loading</title><body><script>var ok=0,all=0;function done(e){all++;if(e.type=="load")ok++;if(all==200)document.title="loaded "+ok}</script>`)
				for i := range objects {
					fmt.Fprintf(w, `<img src="/object/%d.svg" onload="done(event)" onerror="done(event)">`, i)
				}
			}))
			defer page.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
				"--disable-component-update", "--user-data-dir="+filepath.Join(t.TempDir(), "profile"), "--proxy-server="+scheme+"://127.0.0.1:"+port, "--proxy-bypass-list=<-loopback>",
				"--timeout=120000", "--dump-dom", page.URL+"/")
			cmd.Env = append(cleanEnv(), "HOME="+t.TempDir())
			out, errs, code := try(cmd)
			if want := fmt.Sprintf("<title>loaded %d</title>", objects); code != 0 || !strings.Contains(out, want) {
				t.Errorf("exit status %d, %d objects served, title %.40q\n%s", code, count(), out[max(0, strings.Index(out, "<title>")):], errs)
			}
			if n := count(); n != objects {
				t.Errorf("%d objects served", n)
			}
		})
	}
}

// halt stops an app's process without ending it.
func (d *demo) halt(id string) error {
	apps, err := d.apps()
	if err != nil {
		return err
	}
	for _, a := range apps {
		if fmt.Sprint(a.ID) == id {
			return syscall.Kill(a.Pid, syscall.SIGSTOP)
		}
	}
	return fmt.Errorf("no app %s", id)
}

// testFailover kills exits while a client that may use any goes on.
func testFailover(t *testing.T, d *demo) {
	ports := freePorts(t, 3)
	node := d.extra(t, "node", "127.0.0.1:"+ports[0], d.addr(managerPort), "false", ports[1], "node8", "--peer", d.addr(linkPort1))
	first := d.extra(t, "socks-server", "first", "127.0.0.1:"+ports[1], "0", "--allow-target", "127.0.0.1:*")
	second := d.extra(t, "socks-server", "second", d.addr(appPort2), "2001", "--allow-target", "127.0.0.1:*")
	entry := d.extra(t, "socks-client", "roaming", d.addr(appPort0), ports[2], "--server", "first", "--server", "second", "--server", "any")
	proxy := "socks5h://127.0.0.1:" + ports[2]
	exits := func() (use string, failed map[string]bool) {
		var rows []exitRow
		d.json(t, &rows, "tell", entry, "servers")
		use, failed = fmt.Sprint(rows), map[string]bool{}
		for _, r := range rows {
			if r.State == "in use" {
				use = r.Name
			}
			failed[r.Name] = r.Failures > 0
		}
		return use, failed
	}
	inUse := func() string { use, _ := exits(); return use }
	// uses wants an exit in use, unless it failed: on a machine that stands still it does not answer within its second.
	uses := func(want string) {
		t.Helper()
		if got, failed := exits(); got != want && !failed[want] {
			t.Errorf("%s is in use", got)
		} else if got != want {
			t.Logf("%s is in use, as %s failed", got, want)
		}
	}
	again := func(what string) {
		t.Helper()
		began := time.Now()
		for {
			err := d.curl(io.Discard, "--max-time", "8", "-x", proxy, d.page("/"))
			if err == nil {
				break
			}
			if time.Since(began) > failoverWithin {
				t.Fatalf("%s: %v", what, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Logf("%s: the next connection after %s, by %s", what, time.Since(began).Round(time.Millisecond), inUse())
	}
	again("at first")
	uses("first")
	d.ok(t, "kill", node) // with it goes the exit beside it
	again("the exit's node killed")
	uses("second")
	if err := d.halt(second); err != nil { // neither dead nor alive
		t.Fatal(err)
	}
	again("the exit halted")
	d.ok(t, "kill", second)
	again("the exit killed")
	if got := inUse(); got == "first" || got == "second" {
		t.Errorf("%s is in use", got)
	}
	d.ok(t, "sd", entry)
	d.ok(t, "sd", first)
}
