package route

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/node/identity"
)

// String is the terms as flags: "--hops 2 --via KEY,KEY --avoid KEY". Terms of one meaning have one text, which Parse reads; none
// are "".
func (t Terms) String() string {
	t.Avoid = t.sorted()
	return t.text(identity.PubKey.String)
}

// Brief is String with keys in the words of name; nil: their short forms.
func (t Terms) Brief(name func(identity.PubKey) string) string {
	if name == nil {
		name = identity.PubKey.Short
	}
	return t.text(name)
}

func (t Terms) text(name func(identity.PubKey) string) string {
	var words []string
	say := func(flag string, n uint8) {
		if n != 0 {
			words = append(words, flag, strconv.Itoa(int(n)))
		}
	}
	if t.MinHops == t.MaxHops {
		say("--hops", t.MinHops)
	} else {
		say("--min-hops", t.MinHops)
		say("--max-hops", t.MaxHops)
	}
	list := func(flag string, keys []identity.PubKey) {
		if len(keys) > 0 {
			names := make([]string, len(keys))
			for i, k := range keys {
				names[i] = name(k)
			}
			words = append(words, flag, strings.Join(names, ","))
		}
	}
	list("--via", t.Via)
	list("--avoid", t.Avoid)
	return strings.Join(words, " ")
}

// Parse is the inverse of String.
func Parse(text string) (t Terms, err error) {
	words := strings.Fields(text)
	if len(words)%2 != 0 {
		return Terms{}, errors.New("want flags, each with its value")
	}
	for i := 0; i < len(words) && err == nil; i += 2 {
		err = t.set(words[i], words[i+1])
	}
	if err == nil {
		err = t.Check()
	}
	if err != nil {
		return Terms{}, err
	}
	return t, nil
}

func (t *Terms) set(flag, value string) (err error) {
	switch flag {
	case "--hops", "--min-hops", "--max-hops":
		n, err := strconv.ParseUint(value, 10, 8)
		if err != nil || n == 0 {
			return fmt.Errorf("%s %q: want a number of links", flag, value)
		}
		if flag != "--max-hops" {
			t.MinHops = uint8(n)
		}
		if flag != "--min-hops" {
			t.MaxHops = uint8(n)
		}
	case "--via":
		t.Via, err = keysOf(flag, value)
	case "--avoid":
		t.Avoid, err = keysOf(flag, value)
	default:
		err = fmt.Errorf("%q: no such flag", flag)
	}
	return err
}

func keysOf(flag, value string) (keys []identity.PubKey, err error) {
	texts := strings.Split(value, ",")
	if len(texts) > MaxNodes {
		return nil, fmt.Errorf("%s: more than %d nodes", flag, MaxNodes)
	}
	for _, text := range texts {
		k, err := identity.ParseHex(text)
		if err != nil {
			return nil, fmt.Errorf("%s %q: want public keys in hex, separated by commas: %w", flag, text, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}
