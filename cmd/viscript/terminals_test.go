//go:build linux

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestShowTerminal shows a terminal of the daemon in two others, and works in it.
func TestShowTerminal(t *testing.T) {
	dir := t.TempDir()
	state, config := filepath.Join(dir, "state"), filepath.Join(dir, "config.yaml")
	text := "apps: { cat: { path: sh, default_args: [-c, echo began; exec cat], pty: true }, sleeper: { path: sleep, default_args: [600] }, fails: { path: \"false\" } }\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	prompt := sit(t, "--state", state, "--signal", "none", "--config", config)
	prompt.sees("viscript> ")
	prompt.types("new_term\r")
	prompt.sees("terminal t1 (80x24)")

	one := sit(t, "attach", "--state", state, "t1")
	one.sees("viscript> ")
	one.types("start sleeper\r")
	one.sees("Added external app (ID: 1")
	two := sit(t, "attach", "--state", state, "t1") // sees what was done before
	two.sees("Added external app (ID: 1")
	two.types("la\r")
	one.sees("UPTIME")
	two.sees("UPTIME")

	// the prompt of the terminal is one as any other: an app in it, full screens, and back
	one.types("start -a cat\r")
	one.sees("began")
	one.types("typed\r")
	one.sees("typed")
	two.types("\x1a")
	one.sees("detached; app 2 (cat) goes on")
	one.types("top\r")
	two.sees("q quits")
	one.types("q")
	two.sees("viscript> ")
	one.types("clear\r")
	one.types("echo-less\r")
	two.sees("unknown command")

	// the little console of rpc
	one.types("rpc\r")
	one.sees("rpc> ")
	one.types("ltp\r")
	one.sees("TERMINAL")
	one.types("sett t1\r")
	one.types("cft\r")
	one.sees("terminal.t1.screen")
	one.types("setp 2\r")
	one.types("lp\r")
	one.sees("{2}")
	one.types("st\t vi\x17sh -c 'echo of stp; read x'\r")
	one.sees("terminal t2")
	one.types("quit\r")
	one.sees("viscript> ")

	// an event is told at every prompt
	prompt.types("start fails\r")
	two.sees("app 3 (fails) failed")

	two.types("\x1d\x1d")
	two.sees("detached; terminal t1 goes on")
	two.leaves(exitOK)
	one.types("ct t1\r") // the one it is typed in
	one.sees("terminal t1 is closed")
	one.leaves(exitOK)
	none := sit(t, "attach", "--state", state, "t77")
	none.sees("no terminal has the id t77; `list_terms` shows them: t2")
	none.leaves(exitFailed)
	prompt.types("quit\r")
	prompt.leaves(exitOK)
}
