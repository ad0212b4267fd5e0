package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/skycoin/viscript/viscript/term"
)

// FileWatch looks at the configuration file and reloads it when it has changed.
type FileWatch interface {
	// Set switches it on or off; it returns when that is done.
	Set(ctx context.Context, on bool) error
	// Watching says whether it is on.
	Watching() bool
}

// isWatch says whether the words are `reload --watch ...`.
func isWatch(words []string) bool {
	return len(words) > 0 && (words[0] == "--watch" || strings.HasPrefix(words[0], "--watch="))
}

// watchReload is `reload --watch on|off`.
func (c *call) watchReload(ctx context.Context) error {
	value, on := "", false
	read := func(s string) error {
		if value = s; s != "on" && s != "off" {
			return fmt.Errorf("%q: allowed: on, off", s)
		}
		return nil
	}
	if err := c.options(option{name: "--watch", value: read}); err != nil {
		return err
	}
	if err := c.count(0, 0); err != nil {
		return err
	}
	on = value == "on"
	if c.Watch == nil || c.Config().File == "" {
		return fmt.Errorf("reload: the daemon has no configuration file: start it anew where there is a config.yaml, or with --config FILE")
	}
	ctx, cancel := context.WithTimeout(ctx, watchWait)
	defer cancel()
	if err := c.Watch.Set(ctx, on); err != nil {
		return fmt.Errorf("reload: watching %s: %w", c.Config().File, err)
	}
	answer := struct {
		File     string `json:"file"`
		Watching bool   `json:"watching"`
	}{c.Config().File, c.Watch.Watching()}
	always := c.Config().Settings.WatchConfig
	return c.answer(answer, func(w io.Writer) {
		if answer.Watching {
			fmt.Fprintf(w, "%s is watched: a change of it is a reload%s\n", term.Clean(answer.File), lasts(!always))
			return
		}
		fmt.Fprintf(w, "%s is not watched%s\n", term.Clean(answer.File), lasts(always))
	})
}

// lasts says what a switch does not: only the file outlives the daemon.
func lasts(shortly bool) string {
	if !shortly {
		return ""
	}
	return ", until the daemon ends; for good: watchConfig in settings"
}

// watchWait bounds the time to switch the watch.
const watchWait = 5 * time.Second
