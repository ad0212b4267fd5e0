// Command window opens a window and says why it cannot, for the tests of what such an executable needs.
package main

import (
	"fmt"
	"os"

	"github.com/skycoin/viscript/viscript/gl"
)

func main() {
	w, err := gl.Open(gl.Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	w.Close()
}
