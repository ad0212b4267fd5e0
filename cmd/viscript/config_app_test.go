package main

import (
	"fmt"
	"testing"
)

// TestAppKeyErrors has one app, a, whose path is in line 3 and whose other keys follow.
func TestAppKeyErrors(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"restart: sometimes", `4: key "restart": is "sometimes"; allowed: no, on-failure, always`},
		{"restart: [no]", `4: key "restart": is a list; allowed: text`},
		{"stop_timeout: 5", `4: key "stop_timeout": is "5"; allowed: a duration from 50ms to 8760h, as 500ms, 2s or 1m30s`},
		{"stop_timeout: -2s", `4: key "stop_timeout": is "-2s"; allowed: a duration from 50ms to 8760h, as 500ms, 2s or 1m30s`},
		{"stop_timeout: 99999h", `4: key "stop_timeout": is "99999h"; allowed: a duration from 50ms to 8760h, as 500ms, 2s or 1m30s`},
		{"stop_timeout: 2 s", `4: key "stop_timeout": is "2 s"; allowed: a duration from 50ms to 8760h, as 500ms, 2s or 1m30s`},
		{"stop_signal: HUMPTY", `4: key "stop_signal": is "HUMPTY"; allowed: TERM, INT, HUP, QUIT, USR1, USR2, KILL and the others of ` + "`kill -l`"},
		{"backoff: {min: 5s, max: 2s}", `4: key "backoff": min 5s is above max 2s`},
		{"backoff: {least: 5s}", `4: key "least": unknown in backoff; allowed: min, max`},
		{"backoff: 5s", `4: backoff is "5s", not a mapping; allowed: min, max`},
		{"backoff: {min: 0s}", `4: key "min": is "0s"; allowed: a duration from 1ms to 8760h, as 500ms, 2s or 1m30s`},
		{"restart: always\n    breaker: {starts: 5, window: 10s}", `5: key "breaker": window 10s: with this backoff 5 starts take up to 18s; allowed: at least that, or it never opens`},
		{"breaker: {starts: -1}", `4: key "starts": is "-1"; allowed: a number from 0 to 1000`},
		{"breaker: {starts: 1.5}", `4: key "starts": is "1.5"; allowed: a number from 0 to 1000`},
		{"breaker: {starts: '5'}", `4: key "starts": is "5"; allowed: a number from 0 to 1000`},
		{"env: [A=1]", `4: env is a list, not a mapping; allowed: names and what they stand for`},
		{"env: {A-B: 1}", `4: key "A-B": is no name of a variable; allowed: letters, digits and _, no digit first`},
		{"env:\n      A: 1\n      A: 2", `6: key "A": is there twice in env, first in line 5`},
		{"env: {A: [1]}", `4: key "A": is a list; allowed: text`},
		{"env: {A: \"\\0\"}", `4: key "A": holds a NUL character, which no variable can`},
		{"env_file: {}", `4: key "env_file": is a mapping; allowed: text`},
		{"env_file: ['']", `4: key "env_file": holds an empty name; allowed: paths`},
		{"dir:", `4: key "dir": is empty; allowed: text`},
		{"pty: 1", `4: key "pty": is "1"; allowed: true, false`},
		{"limits: {memory: 64}", `4: key "memory": is "64"; allowed: a size from 1MiB to 1024TiB, as 64MiB, 1GiB or 65536`},
		{"limits: {memory: 64 mib}", `4: key "memory": is "64 mib"; allowed: a size from 1MiB to 1024TiB, as 64MiB, 1GiB or 65536`},
		{"limits: {memory: 18446744073709551615TiB}", `4: key "memory": is "18446744073709551615TiB"; allowed: a size from 1MiB to 1024TiB, as 64MiB, 1GiB or 65536`},
		{"limits: {cpu: 0}", `4: key "cpu": is "0"; allowed: cores from 0.01 to 4096, as 1.5 or 150%`},
		{"limits: {cpu: .nan}", `4: key "cpu": is ".nan"; allowed: cores from 0.01 to 4096, as 1.5 or 150%`},
		{"limits: {pids: many}", `4: key "pids": is "many"; allowed: a number from 1 to 4194304`},
		{"limits: {disk: 1}", `4: key "disk": unknown in limits; allowed: memory, cpu, pids, files`},
		{"log: {size: 1}", `4: key "size": is "1"; allowed: a size from 4KiB to 1TiB, as 64MiB, 1GiB or 65536`},
		{"log: {count: 0}", `4: key "count": is "0"; allowed: a number from 1 to 100`},
		{"ready: {}", `4: key "ready": 0 of signal, tcp, http, command and log are given; allowed: exactly one`},
		{"ready: {tcp: 'h:1', log: x}", `4: key "ready": 2 of signal, tcp, http, command and log are given; allowed: exactly one`},
		{"ready: soon", `4: ready is "soon", not a mapping; allowed: signal, tcp, http, command, log, interval, timeout, threshold, within`},
		{"ready: {tcp: 8080}", `4: key "ready": tcp "8080": allowed: HOST:PORT`},
		{"ready: {http: localhost}", `4: key "ready": http "localhost": allowed: http://HOST[:PORT]/PATH or https://`},
		{"ready: {log: '('}", `4: key "ready": log "(": allowed: a regular expression (RE2) of at most 1024 bytes`},
		{"ready: {signal: true, interval: 1ms}", `4: key "interval": is "1ms"; allowed: a duration from 50ms to 8760h, as 500ms, 2s or 1m30s`},
		{"health: {log: x}", `4: key "log": unknown in health; allowed: signal, tcp, http, command, interval, timeout, threshold`},
		{"health: {signal: true, threshold: 101}", `4: key "threshold": is "101"; allowed: a number from 1 to 100`},
		{"depends_on: b", `4: key "depends_on": is "b"; allowed: a list of apps, as [a, b], or apps with a condition, as { a: healthy }`},
		{"depends_on: [b, b]", `4: key "depends_on": names "b" twice`},
		{"depends_on: {b: alive}", `4: key "b": is "alive"; allowed: started, ready, healthy, exited`},
		{"depends_on: {b: healthy}", `4: key "depends_on": app "a" depends on "b", which has no ` + "`health`" + ` to be healthy by`},
		{"depends_on: {b: exited}", `4: key "depends_on": app "a" depends on "b", which never stays ended, with restart: always`},
		{"depends_on: {c: started}", `4: key "depends_on": app "a" depends on "c", which is no app; allowed: a, b`},
		{"depends_on: {a: started}", `4: key "depends_on": goes in a circle: a -> a`},
	} {
		text := "apps:\n  a:\n    path: x\n    " + c.keys + "\n  b: {path: y, restart: always}\n"
		_, err := parseConfig("c.yaml", []byte(text))
		if err == nil || err.Error() != "c.yaml:"+c.want {
			t.Errorf("%s:\ngot  %v\nwant c.yaml:%s", c.keys, err, c.want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "65536": 65536, "64B": 64, "4KiB": 4096, "1 MiB": 1 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40, "5kB": 5000, "5KB": 5000, "3MB": 3e6, "1GB": 1e9, "1TB": 1e12} {
		if got, ok := parseSize(text); got != want || !ok {
			t.Errorf("%s: %d %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "1mib", "1  MiB", "99999999999999999999", "18446744073709551615KiB", "1e3"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestDefaultsOfRestart(t *testing.T) {
	cfg, err := parseConfig("c.yaml", []byte(`apps:
  no: {path: x}
  yes: {path: x, restart: always}
  slow: {path: x, restart: always, backoff: {min: 1h, max: 2h}}
  never: {path: x, restart: always, breaker: {starts: 0}}
  half: {path: x, restart: always, breaker: {starts: 3}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"no": "0 0s", "yes": "10 10m0s", "never": "0 0s", "half": "3 10m0s"} {
		if b := cfg.Apps[name].Breaker; fmt.Sprint(b.Starts, " ", b.Window) != want {
			t.Errorf("%s: %+v, want %s", name, b, want)
		}
	}
	if a := cfg.Apps["slow"]; a.Breaker.Window < a.Breaker.Reach(a.Backoff) {
		t.Errorf("%+v never opens", a.Breaker)
	}
}
