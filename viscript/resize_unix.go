//go:build unix

package viscript

import (
	"os"
	ossignal "os/signal"
	"syscall"
)

// watchSize tells when the size of the terminal has changed; stop ends that.
func watchSize() (resized <-chan struct{}, stop func()) {
	signals, told, quit := make(chan os.Signal, 1), make(chan struct{}, 1), make(chan struct{})
	ended := make(chan struct{})
	ossignal.Notify(signals, syscall.SIGWINCH)
	go func() {
		defer close(ended)
		for {
			select {
			case <-signals:
			case <-quit:
				return
			}
			select {
			case told <- struct{}{}:
			default: // it is told already
			}
		}
	}()
	return told, func() { ossignal.Stop(signals); close(quit); <-ended }
}
