//go:build !unix

package viscript

import (
	"errors"
	"fmt"
	"os"
)

// readTerminal cannot be done here: a read of a console cannot be ended.
func readTerminal(*os.File) (input <-chan []byte, stop func(), err error) {
	return nil, nil, fmt.Errorf("a prompt on this system: %w", errors.ErrUnsupported)
}
