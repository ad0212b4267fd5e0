package command

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Hidden stands for what may be a secret.
const Hidden = "***"

// secretName is what the name of a flag or a variable says when its value is a secret.
var secretName = regexp.MustCompile(`(?i)(pass|passwd|password|passphrase|secret|token|credential|api[-_]?key|priv(ate)?[-_]?key|seed|mnemonic|auth)`)

// Redact writes words as a line without what may be a secret: the values of flags and of
// NAME=VALUE whose names say so, and the user part of URLs.
func Redact(words []string) string {
	out := slices.Clone(words)
	hideNext := false
	for i, w := range words {
		if hideNext && !strings.HasPrefix(w, "-") {
			out[i], hideNext = Hidden, false
			continue
		}
		hideNext = false
		name, _, has := strings.Cut(w, "=")
		switch {
		case has && secretName.MatchString(name):
			out[i] = name + "=" + Hidden
		case strings.HasPrefix(w, "-") && secretName.MatchString(w):
			hideNext = true
		case strings.Contains(w, "://"):
			out[i] = redactURL(w)
		}
	}
	return Join(out)
}

// redactURL hides the user part, also of something that is not quite a URL, and parameters by their names.
func redactURL(w string) string {
	scheme, rest, _ := strings.Cut(w, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		rest = Hidden + rest[at:]
	}
	before, query, has := strings.Cut(rest, "?")
	if !has {
		return scheme + "://" + rest
	}
	parts := strings.Split(query, "&")
	for i, p := range parts {
		name, _, _ := strings.Cut(p, "=")
		if plain, err := url.QueryUnescape(name); err != nil || secretName.MatchString(plain) {
			parts[i] = name + "=" + Hidden
		}
	}
	return scheme + "://" + before + "?" + strings.Join(parts, "&")
}

// looking are the commands that change nothing.
var looking = map[string]bool{
	"help": true, "apps": true, "groups": true, "list_apps": true, "ping": true, "res_usage": true, "top": true, "logs": true, "why": true,
	"events": true, "hosts": true, "doctor": true, "clear": true, "version": true,
	"list_terms": true, "focus": true, "defocus": true, "move_term": true,
}

// Changes says whether a line may change something: any command but those that only look. A
// command that is not known does nothing and so changes nothing.
func (t *Table) Changes(words []string) bool {
	if len(words) == 0 {
		return false
	}
	c := t.Lookup(words[0])
	return c != nil && !looking[c.Name]
}
