// Package viscript is the console: it assembles the command table, the configuration and the
// signal servers it knows, runs lines for `viscript exec` and for its own prompt, and tells
// what happens to apps.
//
//	console, err := viscript.New(viscript.Options{Host: server, Config: cfg, ...})
//	server.Config.Exec = console.Exec        // lines that come over the operator socket
//	console.Prompt(ctx, viscript.Terminal{}) // lines typed at this terminal
//
// The prompt is made of three parts: keys.go turns bytes of a terminal into keys, editor.go
// and its neighbours turn keys into a line and a picture of it, both without any I/O;
// prompt.go connects them to the terminal.
package viscript

import "github.com/skycoin/viscript/viscript/command"

// The configuration the console works with; package command uses it, the door reads it from config.yaml.
type (
	Config   = command.Config
	App      = command.App
	Group    = command.Group
	Member   = command.Member
	Settings = command.Settings
	Changes  = command.Changes
)
