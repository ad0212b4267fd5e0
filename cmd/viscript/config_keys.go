package main

import (
	"fmt"
	"slices"
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
		{"daemon", "it has no use for a terminal, and goes on when the daemon ends", "true"},
		{"default_args", "used when none are typed; kept as they are written: true, 0 and 127.0.0.1:1 are text", "[\"3600\"]"},
		{"env", "variables, added to the daemon's own", "{ LANG: C.UTF-8 }"},
		{"env_file", "files of KEY=VALUE lines, read at every start: one path or a list; relative to the folder of this file", "[]"},
		{"dir", "working folder, relative to the folder of this file; default that folder", "."},
		{"user", "who it runs as, NAME, UID, NAME:GROUP or UID:GID; only a daemon of root may; default the daemon's own user", "root"},
		{"pty", "give it a terminal of its own in place of pipes", "false"},
		{"limits", "what it may use: of the whole tree by a delegated cgroup where there is one, else of each process", ""},
		{"autostart", "start with the daemon, unless it was stopped by request before", "false"},
		{"restart", "when it has ended: no (default), on-failure (exit code not 0, a signal, or unhealthy), always", "on-failure"},
		{"backoff", "the pause before a restart: doubled each time, varied by a fifth, and begun anew after a run of ten times the pause", ""},
		{"breaker", "after so many starts within the window it stays down", ""},
		{"stop_timeout", "how long each polite way of stopping may take before the next: asked over signal, stop_signal, then SIGKILL", "5s"},
		{"stop_signal", "sent in place of SIGTERM", "TERM"},
		{"depends_on", "apps that must be ready before `up` starts this one, or a mapping { app: started|ready|healthy|exited }; exited: with code 0", "[]"},
		{"ready", "how one sees that it is ready: exactly one of signal, tcp, http, command, log; default signal, for others a moment of life", ""},
		{"health", "how one sees that it is healthy; with a restart policy an unhealthy app is stopped and started again", ""},
		{"log", "how much of its output is kept", ""},
		{"help", "its parameters, shown by `help APP`", "|\n      [1] How many seconds to wait\n\n      Full example command:\n          start example 60"},
	}
	limitKeys = []configKey{
		{"memory", "bytes, as 64MiB", "512MiB"},
		{"cpu", "cores, as 1.5 or 150%", "1.5"},
		{"pids", "processes and threads", "200"},
		{"files", "open files of each process", "4096"},
	}
	backoffKeys = []configKey{
		{"min", "the first pause", "1s"},
		{"max", "the longest", "60s"},
	}
	breakerKeys = []configKey{
		{"starts", "0: never gives up", "10"},
		{"window", "at least as long as that many starts take with the backoff", "10m"},
	}
	readyKeys = []configKey{
		{"signal", "it says so over signal", "true"},
		{"tcp", "HOST:PORT takes a connection", "127.0.0.1:8080"},
		{"http", "a GET is answered with status 2xx or 3xx", "http://127.0.0.1:8080/ready"},
		{"command", "a program ends with exit code 0; no shell", "[\"true\"]"},
		{"log", "a new line of its output matches this regular expression", "^listening"},
		{"interval", "between two tries", "500ms"},
		{"timeout", "of one try", "2s"},
		{"threshold", "good tries in a row", "1"},
		{"within", "how long `up` waits for it", "15s"},
	}
	healthKeys = []configKey{
		{"signal", "it answers a ping over signal", "true"},
		{"tcp", "HOST:PORT takes a connection", "127.0.0.1:8080"},
		{"http", "a GET is answered with status 2xx or 3xx", "http://127.0.0.1:8080/health"},
		{"command", "a program ends with exit code 0; no shell", "[\"true\"]"},
		{"interval", "between two tries", "10s"},
		{"timeout", "of one try", "2s"},
		{"threshold", "failed tries in a row that make it unhealthy", "3"},
	}
	logKeys = []configKey{
		{"size", "of one file, as 10MiB", "10MiB"},
		{"count", "files, the current one included", "5"},
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
		{"stopAllOnExit", "apps with daemon: true end with the daemon too, instead of going on without it", "false"},
		{"watchConfig", "reload this file whenever it changes, as reload --watch on", "false"},
		{"metrics", "loopback address where Prometheus finds /metrics, as --metrics; empty: off", "\"\""},
	}
)

func keyNames(keys []configKey) []string {
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	return names
}

// parts are the tables of the keys of an app that hold keys themselves.
func parts(name string) []configKey {
	return map[string][]configKey{
		"limits": limitKeys, "backoff": backoffKeys, "breaker": breakerKeys, "ready": readyKeys, "health": healthKeys, "log": logKeys,
	}[name]
}

// isChoice says whether a key is one of several ways of a probe: the example shows them as comments.
func isChoice(table, name string) bool {
	return (table == "ready" || table == "health") && slices.Contains([]string{"signal", "tcp", "http", "log"}, name)
}

// exampleConfig is an annotated configuration with every key.
func exampleConfig() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# config.yaml of viscript: looked for in the current folder, then in the user's config folder.\n")
	fmt.Fprintf(&b, "# %s\napps:\n  example:\n", rootKeys[0].doc)
	writeKeys(&b, "    ", "", appKeys)
	fmt.Fprintf(&b, "\n# %s\ngroups:\n  demo:\n    - { app: example }\n    -\n", rootKeys[1].doc)
	writeKeys(&b, "      ", "", memberKeys)
	fmt.Fprintf(&b, "\n# %s\nsettings:\n", rootKeys[2].doc)
	writeKeys(&b, "  ", "", settingKeys)
	return b.String()
}

func writeKeys(b *strings.Builder, indent, table string, keys []configKey) {
	for _, k := range keys {
		mark, value := "", " "+k.example
		if isChoice(table, k.name) || table == "" && k.name == "user" {
			mark = "# "
		}
		if parts(k.name) != nil && table == "" {
			value = ""
		}
		fmt.Fprintf(b, "%s# %s\n%s%s%s:%s\n", indent, k.doc, indent, mark, k.name, value)
		if table == "" {
			writeKeys(b, indent+"  ", k.name, parts(k.name))
		}
	}
}

// keysText explains every key, one a line, for `config keys` and the manual.
func keysText() string {
	var b strings.Builder
	for _, t := range []struct {
		head string
		keys []configKey
	}{{"of an app", appKeys}, {"of a member of a group", memberKeys}, {"of settings", settingKeys}} {
		fmt.Fprintf(&b, "keys %s\n", t.head)
		for _, k := range t.keys {
			fmt.Fprintf(&b, "  %-24s %s\n", k.name, k.doc)
			for _, p := range parts(k.name) {
				fmt.Fprintf(&b, "  %-24s %s\n", k.name+"."+p.name, p.doc)
			}
		}
	}
	return b.String()
}
