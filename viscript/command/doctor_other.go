//go:build !(linux || darwin)

package command

import (
	"io/fs"

	"github.com/skycoin/viscript/signal"
)

// What the system is not asked for here.

func owner(fs.FileInfo) (uid int, ok bool) { return 0, false }

func lockHeld(string) bool { return false }

func checkLimits([]signal.App) []finding { return nil }

func checkDisk(string) []finding { return nil }
