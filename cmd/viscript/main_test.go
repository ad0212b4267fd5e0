//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skycoin/viscript/signal"
)

func TestMain(m *testing.M) {
	if _, ok := roleForName(filepath.Base(os.Args[0])); ok { // a link such as meshnet-run-node
		os.Exit(run(os.Args))
	}
	testscript.Main(tidy{m}, map[string]func(){
		"viscript": func() { os.Exit(run(os.Args)) },
		"speaker":  speaker,
		"wan":      wan,
		"flooder":  flooder,
	})
}

// speaker is an app that speaks signal.
func speaker() {
	greet := signal.Command{
		Name: "greet", Args: "NAME...", Help: "say hello",
		Run: func(_ context.Context, names []string) (any, error) {
			type greeting struct {
				Name   string `json:"name"`
				Length int    `json:"length"`
			}
			var all []greeting
			for _, n := range names {
				all = append(all, greeting{n, len(n)})
			}
			return all, nil
		},
	}
	ctx := signal.Attach(context.Background(), signal.Options{
		Name: "speaker", Commands: []signal.Command{greet}, NotReady: true, // until it has said what it does
		OnShutdown: func(context.Context) error { fmt.Println("cleaned up"); return nil },
	})
	signal.FromContext(ctx).Status("try: speaking to me")
	signal.FromContext(ctx).Ready()
	<-ctx.Done()
	signal.FromContext(ctx).Wait()
}

// TestScripts runs the command as a user does; see testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("STATE", env.WorkDir+"/state")
			// The race detector would make each of the many short processes wait a second at its end.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "takeport": takePort, "eventually": eventually, "matches": matches,
		},
	})
}

// patience is how long a test waits for what happens at once on an idle machine.
const patience = time.Minute

// await STATE waits until a daemon serves the state folder.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await STATE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if _, err := signal.DialOperator(ctx, socketPath(args[0])); err == nil {
			return
		}
	}
	ts.Fatalf("no daemon serves %s", args[0])
}

// takePort NAME listens on a port for the rest of the script and puts its address in NAME.
func takePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: takeport NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// eventually TEXT COMMAND... runs a command until it succeeds and its output holds TEXT.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually TEXT COMMAND...")
	}
	until(ts, args[1:], args[0], func(out string) bool { return strings.Contains(out, args[0]) })
}

// matches REGEXP COMMAND... is eventually for output of which REGEXP matches a part, "^" and "$" those of its lines. It is for
// questions that the daemon gives a second or two to be answered in, which a loaded machine may not have.
func matches(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: matches REGEXP COMMAND...")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	until(ts, args[1:], args[0], re.MatchString)
}

// until runs a command until it succeeds and says what is wanted.
func until(ts *testscript.TestScript, args []string, what string, wanted func(out string) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out []byte
	for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		// Not ts.Exec, which would log every try.
		cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `exec "$@"`, "sh"}, args...)...)
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "GORACE=" + ts.Getenv("GORACE")}
		var err error
		if out, err = cmd.CombinedOutput(); err == nil && wanted(string(out)) {
			return
		}
	}
	ts.Fatalf("%q never says %q, at last:\n%s", args, what, out)
}
