package main

import (
	"errors"
	"os"
	"path/filepath"
)

// envState tells children of a daemon its state folder.
const envState = "VISCRIPT_STATE"

// stateDir is the state folder as an absolute path: the one given, else the default one.
func stateDir(given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) { // the specification: others are ignored
		return filepath.Join(dir, "viscript"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return "", errors.New("no state folder: neither XDG_STATE_HOME nor HOME is set; give one with --state")
	}
	return filepath.Join(home, ".local", "state", "viscript"), nil
}
