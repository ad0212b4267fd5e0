package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/skycoin/viscript/viscript/term"
)

// Run runs one command and returns its exit code. No words: nothing is done, OK. It returns
// soon after ctx has ended.
func (t *Table) Run(ctx context.Context, env *Env, words []string, o Output) int {
	if len(words) == 0 {
		return OK
	}
	cmd := t.Lookup(words[0])
	if cmd == nil {
		return o.report(t.runWord(ctx, env, words, o))
	}
	return o.report(cmd.run(ctx, &call{Env: env, Output: o, cmd: cmd, args: words[1:]}))
}

// report prints err and returns the exit code that stands for it.
func (o Output) report(err error) int {
	if err == nil {
		return OK
	}
	fmt.Fprintln(o.Err, "error: "+term.Clean(err.Error()))
	return ExitCode(err)
}

// ExitCode is what stands for an error of this package.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return OK
	case errors.As(err, new(usageError)), errors.As(err, new(errUnknown)):
		return Usage
	}
	return Failed
}

// answer writes v as JSON, or calls text.
func (c *call) answer(v any, text func(w io.Writer)) error {
	if !c.JSON {
		text(c.Out)
		return nil
	}
	p, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: writing the answer as JSON: %w", c.cmd.Name, err)
	}
	_, err = c.Out.Write(append(p, '\n'))
	return err
}

// list is v, but never nil, so that an empty list is written as [].
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}
