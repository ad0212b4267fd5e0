package command

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLine bounds a typed line, in bytes: the most a program can be given as one argument is
// 128 KiB on Linux, and no line typed by hand comes near.
const maxLine = 128 << 10

var (
	errQuote     = errors.New("the line ends inside quotes")
	errBackslash = errors.New("the line ends with a backslash")
	errLine      = errors.New("the line is too long (128 KiB at most)")
	errNul       = errors.New("the line holds a NUL character")
)

// Split cuts a line into words at white space. 'single quotes' keep everything, in "double
// quotes" a backslash stands before a quote or a backslash, elsewhere a backslash keeps the
// next character. Nothing else is special, and letters keep their case.
func Split(line string) ([]string, error) {
	s := scan(line)
	if s.err != nil {
		return nil, s.err
	}
	return s.words, nil
}

// scanned is a line in words; the last one may be unfinished when err is errQuote or errBackslash.
type scanned struct {
	words []string
	start int  // offset at which the last word begins; len(line) when the line ends in white space
	open  bool // the line ends in the last word, not behind it
	quote rune // the quote that is open at the end, or 0
	rest  int  // offset behind the last word that was asked for; 0: the line ended before
	err   error
}

func scan(line string) scanned { return scanWords(line, 0) }

// scanWords is scan for the first n words; 0: for all.
func scanWords(line string, n int) (s scanned) {
	most := n
	if len(line) > maxLine {
		s.err = errLine
		return s
	}
	if strings.IndexByte(line, 0) >= 0 {
		s.err = errNul
		return s
	}
	var word strings.Builder
	escaped := false
	for i, n := 0, 0; i < len(line); i += n {
		var r rune
		r, n = utf8.DecodeRuneInString(line[i:]) // a byte that is no UTF-8 is kept as it is
		if !s.open && !unicode.IsSpace(r) {
			s.open, s.start = true, i
		}
		switch {
		case escaped:
			if s.quote == '"' && r != '"' && r != '\\' {
				word.WriteByte('\\')
			}
			word.WriteString(line[i : i+n])
			escaped = false
		case r == '\\' && s.quote != '\'':
			escaped = true
		case s.quote != 0 && r == s.quote:
			s.quote = 0
		case s.quote == 0 && (r == '\'' || r == '"'):
			s.quote = r
		case s.quote == 0 && unicode.IsSpace(r):
			if s.open {
				s.words = append(s.words, word.String())
				word.Reset()
				s.open = false
				if len(s.words) == most {
					s.rest = i
					return s
				}
			}
		default:
			word.WriteString(line[i : i+n])
		}
	}
	if s.open {
		s.words = append(s.words, word.String())
	} else {
		s.start = len(line)
	}
	if s.quote != 0 {
		s.err = errQuote
	} else if escaped {
		s.err = errBackslash
	}
	return s
}

// Quote writes word so that Split reads it back: as it is where that works, else quoted.
func Quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("'\"\\$`&|;<>()*?[]{}!#~", r) || unicode.IsControl(r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Join writes words as one line.
func Join(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Quote(w)
	}
	return strings.Join(quoted, " ")
}
