package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

const (
	// maxSyntaxSearch bounds the text in which the line of an error is looked for, in bytes.
	maxSyntaxSearch = 256 << 10
	// maxFlowLines is how many lines one value written in brackets or quotes may take without
	// being mistaken for the place of an error.
	maxFlowLines = 40
)

var (
	yamlLine   = regexp.MustCompile(`^line (\d+): (.*)$`)
	yamlAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntax is an error of the YAML parser with file and line.
func (r *configReader) syntax(text []byte, err error) error {
	msg, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1]) // it matched digits
		msg = m[2]
	}
	if m := yamlAnchor.FindStringSubmatch(msg); m != nil {
		before, _, _ := bytes.Cut(text, []byte("*"+m[1]))
		return fmt.Errorf("%s:%d: unknown anchor %q", r.file, bytes.Count(before, []byte("\n"))+1, m[1])
	}
	if len(text) <= maxSyntaxSearch {
		line = brokenLine(text)
	}
	if indentedByTab(text, line) {
		msg += "; YAML is indented with spaces, never with tabs"
	}
	return fmt.Errorf("%s:%d: %s", r.file, line, msg)
}

// indentedByTab says whether the line of that number, from 1, has a tab before its first word.
func indentedByTab(text []byte, line int) bool {
	for range line - 1 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	text, _, _ = bytes.Cut(text, []byte("\n"))
	indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
	return bytes.IndexByte(indent, '\t') >= 0
}

// brokenLine is the number of the first line with which text is no YAML any more. The library
// often tells where the mapping begins in which something is wrong, not where it is wrong.
func brokenLine(text []byte) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	good, bad := 0, len(lines) // counts of lines that can be parsed, and that cannot
	for range maxFlowLines {
		for lo, hi := good, bad; hi-lo > 1; {
			if mid := (lo + hi) / 2; parses(lines[:mid]) {
				lo, good = mid, mid
			} else {
				hi = mid
			}
		}
		next := good
		for n := good + 2; n < bad && n <= good+maxFlowLines; n++ {
			if parses(lines[:n]) { // good+1 only ended inside brackets or quotes
				next = n
			}
		}
		if next == good {
			break
		}
		good = next
	}
	return good + 1
}

func parses(lines [][]byte) bool {
	return yaml.Unmarshal(bytes.Join(lines, nil), new(yaml.Node)) == nil
}
