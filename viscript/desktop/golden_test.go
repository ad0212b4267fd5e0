package desktop

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compares whole pictures, as text, with files of testdata.
func TestGolden(t *testing.T) {
	for name, script := range map[string]string{
		"empty":      "",
		"terminals":  "open 1 40x6; open 2 30x5 fixed; open 3 20x4; click task 1; move 2.close",
		"backscroll": "open 1 40x6 0 50; wheel 2 1.body; press 1.body:3,1.5; move 1.body:9,3.5; release 1.body:9,3.5; mods ctrl shift; key f; mods; type needle",
		"menu":       "open 1 20x4; click start; move menu Start socks",
		"notices":    "open 1 20x4",
		"suggest":    "open 1 20x4",
		"link":       "open 1 40x4; move 1.body:8.5,0.5",
		"scale":      "size 500.5x300 1.5; open 1 20x4; mods ctrl; wheel 2 1.body",
		"light":      "open 1 20x4; mods ctrl shift; key y; key d",
	} {
		s := newStage(t)
		s.Apps([]App{{"node", "a node"}, {"socks", ""}})
		s.lines.text["1"] = map[uint64]string{0: "see https://a.example for more"}
		s.step("size 600x400")
		s.play(script + "; wait 10s")
		switch name {
		case "notices":
			s.Notify(Notice{Title: "app 3 (node) crashed", Text: "exit code 2", Level: Alarm, Action: "why 3"})
			s.Notify(Notice{Title: "route changed"})
			s.play("wait 5500ms")
		case "suggest":
			s.Offer("1", Pos{1, 3}, []Suggestion{{"start", "start an app"}, {"stop", ""}})
			s.play("key down")
		}
		var picture scene.Scene
		s.Scene(&picture)
		got := string(picture.AppendText(nil))
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is drawn otherwise (go test -update writes it anew):\n%s", name, got)
		}
	}
}
