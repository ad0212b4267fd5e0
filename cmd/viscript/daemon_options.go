package main

import (
	"os"

	"golang.org/x/term"
)

const (
	// defaultSignal is the address programs of 2017 know.
	defaultSignal = "127.0.0.1:7999"
	// noSignal as --signal: no TCP; as --metrics: off.
	noSignal = "none"
)

type daemonOptions struct {
	headless, stopAll                  bool
	config, state, signal, up, metrics string
}

// tcpAddr is --signal, "" for none.
func (o daemonOptions) tcpAddr() string {
	if o.signal == noSignal {
		return ""
	}
	return o.signal
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
