//go:build cgo && linux && !headless

package gl

import (
	"os/exec"
	"strings"
	"testing"
)

func TestClipboard(t *testing.T) {
	if _, err := exec.LookPath("xclip"); err != nil {
		t.Skip("no xclip: .ci/tools installs it")
	}
	startX(t, "800x600x24")
	w := open(t, 300, 200)
	app := &still{}
	large := strings.Repeat("large é世\n", 60_000) // more than fits into one request
	for _, c := range []struct {
		name    string
		primary bool
		text    string
	}{{"clipboard", false, "copied é世\nsecond line"}, {"primary", true, "selected ✓"}, {"large", false, large}, {"empty", true, ""}} {
		t.Run(c.name, func(t *testing.T) {
			got, asked, answered := "", false, false
			which := "clipboard"
			if c.primary {
				which = "primary"
			}
			cmd := exec.Command("xclip", "-i", "-selection", which, "-quiet")
			cmd.Stdin = strings.NewReader(c.text)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			runUntil(t, w, app, func() bool {
				if !asked {
					asked = true
					w.Paste(c.primary, func(text string) {
						if text != c.text { // xclip may not have it yet
							asked = false
							return
						}
						got, answered = text, true
					})
				}
				return answered
			})
			if got != c.text {
				t.Errorf("got %d bytes, want %d", len(got), len(c.text))
			}
		})
	}
}

func TestCopy(t *testing.T) {
	if _, err := exec.LookPath("xclip"); err != nil {
		t.Skip("no xclip: .ci/tools installs it")
	}
	startX(t, "800x600x24")
	w := open(t, 300, 200)
	app := &still{}
	for _, which := range []string{"clipboard", "primary"} {
		want := "ours in " + which + ": é世"
		w.Copy(want+"\x00", which == "primary")
		got, own := make(chan string, 1), ""
		read := exec.CommandContext(t.Context(), "xclip", "-o", "-selection", which)
		go func() {
			out, err := read.CombinedOutput()
			if err != nil {
				out = append(out, err.Error()...)
			}
			got <- string(out)
		}()
		text := ""
		asked, answered := false, false
		runUntil(t, w, app, func() bool {
			if !asked {
				asked = true
				w.Paste(which == "primary", func(s string) {
					own, answered = s, s != ""
					asked = answered // "" is also what comes when nobody has answered in time
				})
			}
			select {
			case text = <-got:
			default:
			}
			return text != "" && answered
		})
		if text != want || own != want {
			t.Errorf("%s: xclip got %q, we got %q, want %q", which, text, own, want)
		}
	}
}
