//go:build !windows

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// schemes are those of the addresses that are opened: none of them runs anything here.
var schemes = [...]string{"https://", "http://", "ftp://", "mailto:"}

// visit opens an address with the program of the desktop for it.
func visit(ctx context.Context, address string) error {
	safe := false
	for _, s := range schemes {
		safe = safe || len(address) > len(s) && strings.EqualFold(address[:len(s)], s)
	}
	if !safe {
		return errors.New("only web, FTP and mail addresses are opened")
	}
	opener := "xdg-open"
	if runtime.GOOS == "darwin" {
		opener = "open"
	}
	ctx, cancel := context.WithTimeout(ctx, visitTime)
	defer cancel()
	cmd := exec.Command(opener, address) // a browser that it starts runs on
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w (Debian: xdg-utils)", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done(): // it is still busy, perhaps as the browser itself
		return nil
	}
}
