//go:build ignore

// Record runs a program in a pseudo terminal of 80x24 and keeps what it writes:
//
//	go run testdata/record.go NAME COMMAND [KEYS...]
//
// Each KEYS (Go escapes) is typed once nothing was written for half a second. Where it begins with
// @, the screen at that moment is a mark: testdata/NAME.marks lists their offsets in NAME.raw, the
// last being the end. Then TestTmux -update makes NAME.golden.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"
	"github.com/skycoin/viscript/viscript/term"
)

func main() {
	name, command, keys := os.Args[1], os.Args[2], os.Args[3:]
	cmd := exec.Command("sh", "-c", command)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8", "PS1=$ ", "LESSHISTFILE=-", "COLORTERM=", "TMUX=")
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 80, Rows: 24})
	if err != nil {
		panic(err)
	}
	t := term.New(80, 24, term.Config{Answer: func(p []byte) { f.Write(p) }})
	var mu sync.Mutex
	var raw []byte
	last := time.Now()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			mu.Lock()
			raw, last = append(raw, buf[:n]...), time.Now()
			mu.Unlock()
			t.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	settle := func() int {
		start := time.Now()
		for {
			time.Sleep(50 * time.Millisecond)
			mu.Lock()
			quiet, n := time.Since(last), len(raw)
			mu.Unlock()
			if n > 0 && quiet > 500*time.Millisecond && time.Since(start) > 600*time.Millisecond {
				return n
			}
		}
	}
	var marks []int
	mark := func(n int) {
		if len(marks) == 0 || marks[len(marks)-1] != n {
			marks = append(marks, n)
		}
	}
	for _, k := range keys {
		n := settle()
		if k, ok := strings.CutPrefix(k, "@"); ok {
			mark(n)
			f.WriteString(unquote(k))
		} else {
			f.WriteString(unquote(k))
		}
	}
	n := settle()
	mark(n)
	mu.Lock()
	out := append([]byte(nil), raw[:n]...)
	mu.Unlock()
	cmd.Process.Kill()
	cmd.Wait()
	os.WriteFile("testdata/"+name+".raw", out, 0o644)
	os.WriteFile("testdata/"+name+".marks", []byte(strings.Trim(fmt.Sprintln(marks), "[]\n")+"\n"), 0o644)
	var s term.Snapshot
	t.Snapshot(&s)
	for i := range s.Lines {
		fmt.Println(s.Lines[i].String())
	}
	fmt.Println(name, n, "bytes, marks", marks)
}

func unquote(s string) string {
	out, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		panic(err)
	}
	return out
}
