package command

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// wordList is a list of strings and numbers with commas between them, and - for an empty one.
func wordList(p json.RawMessage) (string, bool) {
	var elements []json.RawMessage
	if len(p) == 0 || p[0] != '[' || json.Unmarshal(p, &elements) != nil {
		return "", false
	}
	var words []string
	for _, e := range elements {
		if e[0] == '[' || e[0] == '{' {
			return "", false
		}
		words = append(words, cell(e))
	}
	if len(words) == 0 {
		return "-", true
	}
	return strings.Join(words, ", "), true
}

// wordFields is the members of an object on one line, each its name and its value, and - for an empty one. ok is false
// if p is no object, or one with lists or objects in it.
func wordFields(p json.RawMessage) (line string, ok bool) {
	got, ok := fields(p)
	if !ok {
		return "", false
	}
	var words []string
	for _, f := range got {
		if f.value[0] == '[' || f.value[0] == '{' {
			return "", false
		}
		name, text := f.name, cell(f.value)
		if short, write := unitOf(name); write != nil {
			name, text = short, write(text)
		}
		words = append(words, name+" "+text)
	}
	if len(words) == 0 {
		return "-", true
	}
	return strings.Join(words, ", "), true
}

// unitOf takes the unit from the end of a name, where the numbers of that name are written with
// theirs; write nil: there is none. What is no number write leaves as it is.
func unitOf(name string) (short string, write func(string) string) {
	units := []struct {
		suffix string
		write  func(float64) string
	}{
		{"_seconds", seconds},
		{"_ms", millis},
		{"_ns", func(v float64) string {
			if v < 1e9 {
				return millis(v / 1e6)
			}
			return seconds(v / 1e9)
		}},
		{"_bytes_per_second", func(v float64) string { return size(uint64(v)) + "/s" }},
		{"_bytes", func(v float64) string { return size(uint64(v)) }},
	}
	for _, u := range units {
		short, ok := strings.CutSuffix(name, u.suffix)
		if !ok || short == "" {
			continue
		}
		return short, func(text string) string {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil || math.Abs(v) >= 1<<62 || v < 0 && strings.HasPrefix(u.suffix, "_bytes") {
				return text
			}
			return u.write(v)
		}
	}
	return "", nil
}

func millis(v float64) string { return fmt.Sprintf("%.4g ms", v) }

// seconds writes a number of seconds as a span, a short one with a decimal.
func seconds(v float64) string {
	switch {
	case v < 0:
		return "-" + seconds(-v)
	case v < 60:
		return fmt.Sprintf("%.1fs", v)
	case v >= math.MaxInt64/float64(time.Second):
		return fmt.Sprintf("%.0fs", v)
	}
	return span(time.Duration(v * float64(time.Second)))
}
