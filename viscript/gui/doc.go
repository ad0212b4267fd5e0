// Package gui is the window of the console without its pixels: it connects a desktop.Desktop with the
// daemon. Terminals, panels and notifications come in over the operator socket, what the person does goes
// out; package gl, or a test, gives it input and draws.
//
//	p, err := gui.New(gui.Config{Operator: op, ...})
//	go p.Run(ctx)                       // feeds, connection, requests
//	p.Handle(input); p.Scene(s); ...    // on the goroutine that draws
//
// Everything that comes from apps, nodes or files is bounded here or in desktop.
package gui
