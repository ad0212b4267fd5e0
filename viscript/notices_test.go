package viscript

import (
	"bytes"
	"testing"
)

// TestNoticesForPeople: what is told to people goes to prompts, not to a log; other lines go where somebody is sure to find them.
func TestNoticesForPeople(t *testing.T) {
	var plain bytes.Buffer
	var seen []string
	n := NewNotices(&plain)
	n.Tell("Ben wrote")
	detach := n.attach(func(line string) { seen = append(seen, line) }, false)
	n.Tell("Ben wrote again")
	n.Line("app 3 has ended")
	detach()
	n.Tell("Ben wrote once more")
	if plain.String() != "app 3 has ended\n" || len(seen) != 2 || seen[0] != "Ben wrote again" || seen[1] != "app 3 has ended" {
		t.Errorf("log %q, prompt %q", plain.String(), seen)
	}
}
