package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Limits of an env file.
const (
	maxEnvFile = 256 << 10 // bytes
	maxEnvVars = 1024
)

// ReadEnvFile reads the variables of an env file, KEY=VALUE each. Errors name file and line,
// never a value: these files hold secrets.
func ReadEnvFile(path string) ([]string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a named pipe does not keep us waiting
	if err != nil {
		return nil, fmt.Errorf("process: env file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a plain file")
	}
	if err != nil {
		return nil, fmt.Errorf("process: env file %s: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxEnvFile+1))
	if err != nil {
		return nil, fmt.Errorf("process: env file %s: %w", path, err)
	}
	return ParseEnvFile(path, text)
}

// ParseEnvFile reads the text of an env file; name is its name in errors. Line by line:
//
//	# comment, and empty lines
//	NAME=value           # to the end of the line or " #"; spaces around are dropped
//	export NAME=value    # the word export is allowed
//	NAME='as it is $x'   # up to the next quote
//	NAME="a \"b\"\n"     # with \n \r \t \" \\ \$
//
// Nothing is expanded, a value has one line, and a name may be set once.
func ParseEnvFile(name string, text []byte) ([]string, error) {
	if len(text) > maxEnvFile {
		return nil, fmt.Errorf("%s: the env file is too large; allowed: %d bytes", name, maxEnvFile)
	}
	var vars []string
	first := map[string]int{}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		number++
		key, value, err := parseEnvLine(strings.TrimRight(line, "\r\n"))
		switch {
		case err == nil && key == "":
			continue
		case err == nil && first[key] != 0:
			err = fmt.Errorf("%s is set twice, first in line %d", key, first[key])
		case err == nil && len(vars) == maxEnvVars:
			err = fmt.Errorf("too many variables; allowed: %d", maxEnvVars)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		first[key] = number
		vars = append(vars, key+"="+value)
	}
	return vars, nil
}

var (
	errEnvLine    = errors.New("not of the form NAME=value")
	errEnvName    = errors.New("before the = stands no name; allowed: letters, digits and _, no digit first")
	errEnvQuote   = errors.New("a quote is not closed in its line")
	errEnvBehind  = errors.New("something stands behind the closing quote")
	errEnvEscape  = errors.New(`unknown escape in quotes; allowed: \n \r \t \" \\ \$`)
	errEnvControl = errors.New("a zero byte or something that is not UTF-8")
)

// parseEnvLine returns an empty key for a line without a variable.
func parseEnvLine(line string) (key, value string, err error) {
	if strings.ContainsRune(line, 0) || !utf8.ValidString(line) {
		return "", "", errEnvControl
	}
	line = strings.Trim(line, " \t")
	if line == "" || line[0] == '#' {
		return "", "", nil
	}
	if rest, ok := strings.CutPrefix(line, "export"); ok && rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
		line = strings.TrimLeft(rest, " \t")
	}
	key, value, ok := strings.Cut(line, "=")
	switch {
	case !ok:
		return "", "", errEnvLine
	case !IsEnvName(key):
		return "", "", errEnvName
	}
	value, err = parseEnvValue(strings.TrimLeft(value, " \t"))
	return key, value, err
}

// IsEnvName says whether a shell could set a variable of this name.
func IsEnvName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func parseEnvValue(s string) (string, error) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return cutComment(s), nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			if cutComment(s[i+1:]) != "" {
				return "", errEnvBehind
			}
			return b.String(), nil
		case s[i] == '\\' && s[0] == '"':
			if i++; i == len(s) {
				return "", errEnvQuote
			}
			n := strings.IndexByte(`nrt"\$`, s[i])
			if n < 0 {
				return "", errEnvEscape
			}
			b.WriteByte("\n\r\t\"\\$"[n])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", errEnvQuote
}

// cutComment drops what begins with a # at the beginning or behind a space, and spaces at the end.
func cutComment(s string) string {
	for i := range len(s) {
		if s[i] == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			s = s[:i]
			break
		}
	}
	return strings.TrimRight(s, " \t")
}
