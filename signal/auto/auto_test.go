package auto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

const (
	childEnv = "AUTO_TEST_CHILD" // fine, failing: run as a child that only imports this package
	slack    = 60 * time.Second
)

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "failing":
		OnShutdown(func(context.Context) error { return errors.New("disk full") })
	}
	OnShutdown(func(context.Context) error { fmt.Println("first added"); return nil })
	OnShutdown(func(context.Context) error { fmt.Println("last added"); return nil })
	fmt.Println("added") // the server may be faster than this function
	time.Sleep(2 * slack)
	os.Exit(9)
}

// serve is a signal server that lets one process register and then gives it to use.
func serve(t *testing.T, token []byte, use func(p *signal.Peer)) (socket string) {
	socket = filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		registered := make(chan struct{})
		p := signal.NewPeer(signal.NewFrames(conn), signal.PeerOptions{Handle: func(_ context.Context, method string, params json.RawMessage) (any, error) {
			if method == signal.MethodRegister {
				close(registered)
				return signal.RegisterResult{ID: 7, App: "auto"}, nil
			}
			var hello signal.HelloParams
			if err := signal.DecodeParams(params, &hello); err != nil {
				return nil, err
			}
			nonce := signal.NewNonce()
			return signal.HelloResult{Protocol: 1, Nonce: nonce, Proof: signal.Proof(token, signal.RoleServer, hello.Nonce, nonce)}, nil
		}})
		go func() {
			select {
			case <-registered:
				use(p)
			case <-p.Done():
			}
		}()
		p.Run(context.Background())
	}()
	return socket
}

// output is what a child prints; first is closed with the first of it.
type output struct {
	strings.Builder
	first chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	if o.Len() == 0 {
		close(o.first)
	}
	return o.Builder.Write(p)
}

func TestManagedByImport(t *testing.T) {
	for mode, want := range map[string]struct {
		code   signal.Code
		exit   int
		output string
	}{
		"fine":    {0, 0, "last added\nfirst added\n"},
		"failing": {signal.CodeCleanup, 1, "last added\nfirst added\n"},
	} {
		t.Run(mode, func(t *testing.T) {
			token := signal.NewToken()
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, signal.FormatToken(token), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), slack)
			defer cancel()
			answered, added := make(chan error, 1), make(chan struct{})
			socket := serve(t, token, func(p *signal.Peer) {
				if err := p.Call(ctx, signal.MethodPing, nil, nil); err != nil {
					t.Error(err)
				}
				select {
				case <-added:
				case <-ctx.Done():
				}
				answered <- p.Call(ctx, signal.MethodShutdown, nil, nil)
			})
			child := exec.CommandContext(ctx, os.Args[0])
			child.Env = append(os.Environ(), childEnv+"="+mode,
				signal.EnvClient+"=1", signal.EnvID+"=7", signal.EnvTokenFile+"="+file, signal.EnvSocket+"="+socket)
			out := &output{first: added}
			child.Stdout = out
			err := child.Run()
			if exit := child.ProcessState.ExitCode(); exit != want.exit || out.String() != "added\n"+want.output {
				t.Fatalf("exit code %d, %v, output %q", exit, err, out)
			}
			if err := <-answered; signal.CodeOf(err) != want.code || want.code == 0 && err != nil {
				t.Errorf("shutdown was answered %v", err)
			}
		})
	}
}
