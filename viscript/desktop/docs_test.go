package desktop

import (
	"os"
	"strings"
	"testing"
)

// The table of keys in docs/window.md is that of the window.
func TestDocumentedKeys(t *testing.T) {
	text, err := os.ReadFile("../../docs/window.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, row := range keyRows() {
		table.WriteString("| " + row[0] + " | " + row[1] + " |\n")
	}
	if !strings.Contains(string(text), table.String()) {
		t.Errorf("docs/window.md wants:\n%s", &table)
	}
}
