//go:build linux

package server

import (
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// Who tells the daemon to end hears the answer, though it takes a while to write it.
func TestEndAnswersWhoAsked(t *testing.T) {
	const code = 7
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	s, err := New(Config{
		Dir: dir, Ladder: process.Ladder{Ask: slack, Term: slack, Kill: slack}, Limits: Limits{Answers: slack},
		Exec: func(_ context.Context, _ sig.ExecRequest, stdout, _ io.Writer) int {
			cancel()
			time.Sleep(200 * time.Millisecond) // meanwhile the end has begun
			_, _ = io.WriteString(stdout, "so be it\n")
			return code
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	o, err := sig.DialOperator(t.Context(), filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := o.Exec(t.Context(), sig.ExecRequest{Args: []string{"quit"}}, io.Discard, io.Discard); got != code || err != nil {
		t.Errorf("exit code %d, %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
