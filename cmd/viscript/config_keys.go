package main

import (
	"fmt"
	"strings"
)

// configKey is a key that config.yaml may hold, with what `viscript config example` says of it.
type configKey struct {
	name    string
	doc     string
	example string
}

// The tables of keys: errors list them, the example is made of them.
var (
	rootKeys = []configKey{
		{name: "apps", doc: "programs that can be started, by name"},
		{name: "groups", doc: "apps that `up GROUP` starts together, each when those it depends on are ready"},
		{name: "settings", doc: "of the console"},
	}
	appKeys = []configKey{
		{"path", "the program: absolute, or relative to the folder of this file, or (its last part) in PATH", "sleep"},
		{"desc", "one line for `apps`", "waits, as an example"},
		{"daemon", "it has no use for a terminal", "true"},
		{"default_args", "used when none are typed; kept as they are written: true, 0 and 127.0.0.1:1 are text", "[\"3600\"]"},
		{"depends_on", "apps that must be ready before `up` starts this one", "[]"},
		{"help", "its parameters, shown by `help APP`", "|\n      [1] How many seconds to wait\n\n      Full example command:\n          start example 60"},
	}
	memberKeys = []configKey{
		{"app", "which app", "example"},
		{"name", "what tells it from other members that are the same app", "second"},
		{"args", "its arguments; without the key its default ones", "[\"7200\"]"},
	}
	settingKeys = []configKey{
		{"verboseInput", "log each key typed at the prompt", "false"},
		{"verifyParsingByPrinting", "print the words of each line before it runs", "false"},
		{"runHeadless", "never open a window, as --headless", "false"},
	}
)

func keyNames(keys []configKey) []string {
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	return names
}

// exampleConfig is an annotated configuration with every key.
func exampleConfig() string {
	var b strings.Builder
	write := func(indent string, keys []configKey) {
		for _, k := range keys {
			fmt.Fprintf(&b, "%s# %s\n%s%s: %s\n", indent, k.doc, indent, k.name, k.example)
		}
	}
	fmt.Fprintf(&b, "# config.yaml of viscript: looked for in the current folder, then in the user's config folder.\n")
	fmt.Fprintf(&b, "# %s\napps:\n  example:\n", rootKeys[0].doc)
	write("    ", appKeys)
	fmt.Fprintf(&b, "\n# %s\ngroups:\n  demo:\n    - { app: example }\n    -\n", rootKeys[1].doc)
	write("      ", memberKeys)
	fmt.Fprintf(&b, "\n# %s\nsettings:\n", rootKeys[2].doc)
	write("  ", settingKeys)
	return b.String()
}
