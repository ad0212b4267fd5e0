// Package terminals is the daemon's terminals: each a grid with scrollback (package term) that holds
// a prompt of the console or a program on a pseudo terminal, and the windows that show them. They
// live here, so a window may come and go; what shows them speaks package signal's window protocol.
//
//	all := terminals.New(terminals.Config{Prompt: console.PromptAt, ...})
//	t, err := all.Open(ctx, signal.TermNew{Args: []string{"vim"}})
//	server.Config.Window = all.Window      // an operator becomes a window
//	all.Close()                            // ends what runs in them
//
// A byte from a program goes: command_linux.go (read from the pty) → terminal.go (into the grid, wakes
// whoever watches) → window.go (what is new of each terminal, when the window has shown what it got).
// A key goes: say.go (encoded by the modes of the terminal) → inbox.go → prompt or pty.
//
// What floods yields to who types elsewhere: yield.go.
//
// Locks, in this order: terminal.writes, terminal.mu, Terminals.mu, window.mu, typing.mu. None but the first is held
// while anything blocks.
package terminals
