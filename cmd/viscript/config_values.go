package main

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// word is text that is not empty.
func (r *configReader) word(k, v *yaml.Node) (string, error) {
	s, err := r.text(k, v)
	if err == nil && (s == "" || strings.ContainsRune(s, 0)) {
		err = r.errorf(v, k.Value, "is empty; allowed: text")
	}
	return s, err
}

// oneOf is a word of a list.
func oneOf[T ~string](r *configReader, k, v *yaml.Node, allowed []T) (T, error) {
	s, err := r.text(k, v)
	if err != nil {
		return "", err
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		if words[i] = string(a); words[i] == s {
			return a, nil
		}
	}
	return "", r.errorf(v, k.Value, "is %s; allowed: %s", kind(target(v)), strings.Join(words, ", "))
}

// duration is written with its unit, from least up.
func (r *configReader) duration(k, v *yaml.Node, least signal.Duration) (signal.Duration, error) {
	s, err := r.text(k, v)
	if err != nil {
		return 0, err
	}
	var d signal.Duration
	if d.UnmarshalText([]byte(s)) != nil || d < least || target(v).Tag == "!!int" && s != "0" {
		return 0, r.errorf(v, k.Value, "is %s; allowed: a duration from %v to 8760h, as 500ms, 2s or 1m30s", kind(target(v)), least)
	}
	return d, nil
}

// whole is a number without a fraction.
func (r *configReader) whole(k, v *yaml.Node, least, most uint64) (uint64, error) {
	n := target(v)
	x, err := strconv.ParseUint(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || x < least || x > most {
		return 0, r.errorf(v, k.Value, "is %s; allowed: a number from %d to %d", kind(n), least, most)
	}
	return x, nil
}

var sizeForm = regexp.MustCompile(`^([0-9]{1,19}) ?(B|KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB)?$`)

var sizeUnits = map[string]uint64{
	"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

// parseSize reads bytes, 64MiB or 64 MB or 65536.
func parseSize(s string) (uint64, bool) {
	m := sizeForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	unit := sizeUnits[m[2]]
	return n * unit, err == nil && n <= math.MaxUint64/unit
}

func (r *configReader) size(k, v *yaml.Node, least, most uint64) (uint64, error) {
	n := target(v)
	x, ok := parseSize(n.Value)
	if n.Kind != yaml.ScalarNode || !ok || x < least || x > most {
		return 0, r.errorf(v, k.Value, "is %s; allowed: a size from %s to %s, as 64MiB, 1GiB or 65536", kind(n), signal.SizeText(least), signal.SizeText(most))
	}
	return x, nil
}

// cores is a number of processor cores, 1.5, or percent of one, 150%.
func (r *configReader) cores(k, v *yaml.Node) (float64, error) {
	n := target(v)
	text, percent := strings.CutSuffix(n.Value, "%")
	x, err := strconv.ParseFloat(text, 64)
	if percent {
		x /= 100
	}
	if n.Kind != yaml.ScalarNode || err != nil || !(x >= signal.MinCPU && x <= signal.MaxCPU) {
		return 0, r.errorf(v, k.Value, "is %s; allowed: cores from %g to %d, as 1.5 or 150%%", kind(n), signal.MinCPU, signal.MaxCPU)
	}
	return x, nil
}

// variables are names and values of the environment; nil when there are none.
func (r *configReader) variables(k, v *yaml.Node) (env map[string]string, err error) {
	err = r.mapping(v, k.Value, nil, func(name string, k, v *yaml.Node) error {
		if !process.IsEnvName(name) {
			return r.errorf(k, name, "is no name of a variable; allowed: letters, digits and _, no digit first")
		}
		if target(v).Kind == yaml.ScalarNode && strings.ContainsRune(target(v).Value, 0) {
			return r.errorf(v, name, "holds a NUL character, which no variable can")
		}
		if env == nil {
			env = map[string]string{}
		}
		env[name], err = r.text(k, v)
		return err
	})
	return env, err
}

// wordOrWords is one text or a list of them.
func (r *configReader) wordOrWords(k, v *yaml.Node) ([]string, error) {
	if target(v).Kind != yaml.SequenceNode {
		s, err := r.word(k, v)
		return []string{s}, err
	}
	all, err := r.texts(k, v)
	for _, s := range all {
		if s == "" {
			return nil, r.errorf(v, k.Value, "holds an empty name; allowed: paths")
		}
	}
	return all, err
}

// stopSignal is the name of a signal, with or without SIG.
func (r *configReader) stopSignal(k, v *yaml.Node) (string, error) {
	s, err := r.word(k, v)
	if err != nil {
		return "", err
	}
	if _, bad := process.ParseSignal(s); bad != nil {
		return "", r.errorf(v, k.Value, "is %s; allowed: TERM, INT, HUP, QUIT, USR1, USR2, KILL and the others of `kill -l`", kind(target(v)))
	}
	return "SIG" + strings.TrimPrefix(s, "SIG"), nil
}

// breakerWindow is the window of a breaker that is on by itself, and its starts.
const (
	breakerWindow = signal.Duration(10 * time.Minute)
	breakerStarts = 10
)

// defaultBreaker is what an app that is restarted has without a breaker of its own.
func defaultBreaker(pause signal.Backoff) signal.Breaker {
	b := signal.Breaker{Starts: breakerStarts}
	b.Window = min(max(breakerWindow, b.Reach(pause)), signal.MaxDuration)
	return b
}
