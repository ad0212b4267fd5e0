//go:build !linux

package process

import (
	"errors"
	"fmt"
	"syscall"
)

// Account is a user whom a program runs as.
type Account struct{ Name, Home string }

// LookupAccount knows the own user only.
func LookupAccount(text string) (Account, error) {
	if text == "" {
		return Account{}, nil
	}
	return Account{}, fmt.Errorf("process: user %q: %w on this system", text, errors.ErrUnsupported)
}

// ParseSignal knows SIGTERM only; empty is SIGTERM.
func ParseSignal(name string) (syscall.Signal, error) {
	switch name {
	case "", "TERM", "SIGTERM":
		return syscall.SIGTERM, nil
	}
	return 0, fmt.Errorf("process: signal %q: %w on this system", name, errors.ErrUnsupported)
}
