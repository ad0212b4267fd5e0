package viscript

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/skycoin/viscript/viscript/command"
)

// readLines is a command.LineReader: a prompt of a command's own, whose history is forgotten.
func (c *Console) readLines(ctx context.Context, t command.Terminal, lead string, run func([]string, io.Writer) bool, complete func([]string) []string) {
	history := &History{}
	s := &session{Console: c, tty: t, screen: &screen{out: t}, editor: NewEditor(history), history: history, lead: lead}
	s.runs = func(_ context.Context, _ <-chan []byte, line string) lineEnd {
		words, err := command.Split(line)
		if err != nil {
			fmt.Fprintf(s.screen, "error: %v\n", err)
		}
		if err != nil || len(words) == 0 {
			return lineEnd{}
		}
		return lineEnd{over: !run(words, s.screen)}
	}
	s.complete = func(_ context.Context, before string) (int, []suggestion) {
		at := strings.LastIndexByte(before, ' ') + 1
		var found []suggestion
		for _, w := range complete(strings.Fields(before[:at])) {
			if strings.HasPrefix(w, before[at:]) {
				found = append(found, suggestion{text: w})
			}
		}
		return at, found
	}
	s.run(ctx)
}
