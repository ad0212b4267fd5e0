package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// document parses text, which holds one YAML document, and returns its root; nil: it is empty.
func (r *configReader) document(text []byte) (*yaml.Node, error) {
	if len(text) > maxConfig {
		return nil, fmt.Errorf("%s: the file is too large; allowed: %d bytes", r.file, maxConfig)
	}
	if err := r.characters(text); err != nil {
		return nil, err
	}
	var doc, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, r.syntax(text, err)
	}
	switch err := d.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("%s:%d: a second document begins; allowed: one", r.file, second.Line)
	case !errors.Is(err, io.EOF):
		return nil, r.syntax(text, err)
	}
	root := target(&doc)
	if len(root.Content) > 0 {
		root = target(root.Content[0])
	}
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	return root, nil
}

// characters refuses what YAML does not admit; its parser would not say where it is.
func (r *configReader) characters(text []byte) error {
	for line := 1; len(text) > 0; {
		c, n := utf8.DecodeRune(text)
		switch {
		case c == utf8.RuneError && n == 1:
			return fmt.Errorf("%s:%d: byte 0x%02x is not UTF-8", r.file, line, text[0])
		case c < 0x20 && c != '\n' && c != '\r' && c != '\t', c >= 0x7f && c < 0xa0 && c != 0x85, c == 0xfffe, c == 0xffff:
			return fmt.Errorf("%s:%d: control character %U is not allowed", r.file, line, c)
		case c == '\n':
			line++
		}
		text = text[n:]
	}
	return nil
}

// errorf names the file, the line of n and a key.
func (r *configReader) errorf(n *yaml.Node, key, format string, a ...any) error {
	return fmt.Errorf("%s:%d: key %q: %s", r.file, n.Line, key, fmt.Sprintf(format, a...))
}

// count bounds the work that aliases can make.
func (r *configReader) count(n *yaml.Node) error {
	if r.values++; r.values > maxConfigValues {
		return fmt.Errorf("%s:%d: too many values; allowed: %d", r.file, n.Line, maxConfigValues)
	}
	return nil
}

// mapping calls each for every key of n; allowed nil admits any name. what says where n stands.
func (r *configReader) mapping(n *yaml.Node, what string, allowed []configKey, each func(key string, k, v *yaml.Node) error) error {
	line := n.Line
	n = target(n)
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" && allowed == nil {
		return nil // `apps:` with nothing in it
	}
	if n.Kind != yaml.MappingNode {
		want := "names and what they stand for"
		if allowed != nil {
			want = strings.Join(keyNames(allowed), ", ")
		}
		return fmt.Errorf("%s:%d: %s is %s, not a mapping; allowed: %s", r.file, line, what, kind(n), want)
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if err := r.count(k); err != nil {
			return err
		}
		key := target(k)
		if key.Kind != yaml.ScalarNode {
			return fmt.Errorf("%s:%d: a key of %s is %s; allowed: text", r.file, k.Line, what, kind(key))
		}
		if was, ok := first[key.Value]; ok {
			return r.errorf(k, key.Value, "is there twice in %s, first in line %d", what, was)
		}
		first[key.Value] = k.Line
		if allowed != nil && !isKey(allowed, key.Value) {
			return r.errorf(k, key.Value, "unknown in %s; allowed: %s", what, strings.Join(keyNames(allowed), ", "))
		}
		if err := each(key.Value, k, v); err != nil {
			return err
		}
	}
	return nil
}

func isKey(keys []configKey, name string) bool {
	for _, k := range keys {
		if k.name == name {
			return true
		}
	}
	return false
}

// name refuses what cannot be a word of the console and a part of a file name.
func (r *configReader) name(n *yaml.Node, name string) error {
	if !nameForm.MatchString(name) {
		return r.errorf(n, name, "is no name; allowed: up to 64 letters, digits, '.', '_' and '-', a letter or digit first")
	}
	return nil
}

// text is a scalar as it is written; nothing at all is "".
func (r *configReader) text(k, v *yaml.Node) (string, error) {
	v = target(v)
	if v.Kind != yaml.ScalarNode {
		return "", r.errorf(k, k.Value, "is %s; allowed: text", kind(v))
	}
	return v.Value, nil
}

func (r *configReader) truth(k, v *yaml.Node) (b bool, err error) {
	v = target(v)
	if v.Kind != yaml.ScalarNode || v.Tag == "!!str" && v.Style != 0 || v.Decode(&b) != nil || v.Tag == "!!null" {
		return false, r.errorf(k, k.Value, "is %s; allowed: true, false", kind(v))
	}
	return b, nil
}

// texts is a list of scalars, each kept as it is written; never nil.
func (r *configReader) texts(k, v *yaml.Node) ([]string, error) {
	v = target(v)
	if v.Kind != yaml.SequenceNode {
		return nil, r.errorf(k, k.Value, "is %s; allowed: a list of text, as [a, \"b c\"]", kind(v))
	}
	all := make([]string, 0, len(v.Content))
	for i, item := range v.Content {
		if err := r.count(item); err != nil {
			return nil, err
		}
		line := item
		item = target(item)
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" && item.Value == "" {
			return nil, r.errorf(line, k.Value, "item %d is %s; allowed: text (\"\" is an empty argument)", i+1, kind(item))
		}
		if strings.ContainsRune(item.Value, 0) {
			return nil, r.errorf(line, k.Value, "item %d holds a NUL character, which no argument can", i+1)
		}
		all = append(all, item.Value)
	}
	return all, nil
}

// target follows an alias to what it stands for.
func target(n *yaml.Node) *yaml.Node {
	for range 8 { // an alias never stands for an alias; this only makes sure it ends
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

// child is the value of a key of a mapping, nil if it has none.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if target(n.Content[i]).Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// kind says what a node is, in the words of errors.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "empty"
		}
		v := n.Value
		if len(v) > 40 {
			v = v[:40] + "..."
		}
		return strconv.Quote(v)
	}
	return "something else"
}
