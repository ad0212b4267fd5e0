package signal

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestStartRequestTravels(t *testing.T) {
	r := StartRequest{
		App: "a", Path: "/bin/true", Args: []string{}, Daemon: true, EnvFiles: []string{"/e"}, User: "u:g", Pty: true,
		Limits: Limits{Memory: 1 << 30, CPU: 1.5, Pids: 3, Files: 9}, Configured: true, Group: "g", Member: "m", Typed: true,
		Policy: Policy{
			Autostart: true, Restart: RestartAlways, Backoff: Backoff{Duration(time.Second), Duration(time.Minute)}, Breaker: Breaker{5, Duration(time.Hour)},
			StopAfter: Duration(90 * time.Second), StopSignal: "SIGINT", DependsOn: []Dependency{{"db", OnHealthy}},
			Ready: &Probe{TCP: "h:1", Within: Duration(time.Minute)}, Health: &Probe{Command: []string{"x"}, Threshold: 2}, Log: LogCaps{1 << 20, 3},
		},
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"app":"a","path":"/bin/true","args":[],"daemon":true,"env_files":["/e"],"user":"u:g","pty":true,` +
		`"limits":{"memory":1073741824,"cpu":1.5,"pids":3,"files":9},"configured":true,"group":"g","member":"m","typed":true,` +
		`"autostart":true,"restart":"always","backoff":{"min":"1s","max":"1m0s"},"breaker":{"starts":5,"window":"1h0m0s"},` +
		`"stop_timeout":"1m30s","stop_signal":"SIGINT","depends_on":[{"app":"db","on":"healthy"}],` +
		`"ready":{"tcp":"h:1","within":"1m0s"},"health":{"command":["x"],"threshold":2},"log":{"size":1048576,"count":3}}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	var back StartRequest
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, back, r)
	}
	if text, _ := json.Marshal(StartRequest{}); string(text) != `{"app":"","path":"","args":null}` {
		t.Errorf("an empty one: %s", text)
	}
	for _, bad := range []string{`"-1s"`, `"9000h"`, `"5"`, `5`, `"x"`, `""`} {
		if err := json.Unmarshal([]byte(`{"stop_timeout":`+bad+`}`), new(StartRequest)); err == nil {
			t.Errorf("stop_timeout %s was taken", bad)
		}
	}
}

func TestPolicyCheck(t *testing.T) {
	second := Duration(time.Second)
	for _, p := range []Policy{
		{}, {Restart: RestartOnFailure, Backoff: Backoff{Min: 5 * second}, Breaker: Breaker{Starts: 2, Window: 6 * second}},
		{Backoff: Backoff{Min: 100 * second}}, {Backoff: Backoff{Max: second / 2}}, {Log: LogCaps{Count: 1}}, {Ready: &Probe{Log: "x"}, Health: &Probe{Signal: true}},
	} {
		if err := p.Check(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for want, p := range map[string]Policy{
		"restart":                         {Restart: "maybe"},
		"duration -1":                     {StopAfter: -1},
		"duration 87":                     {Backoff: Backoff{Min: 10 * MaxDuration}},
		"backoff: min":                    {Backoff: Backoff{Min: 2, Max: 1}},
		"starts -1":                       {Breaker: Breaker{Starts: -1}},
		"starts 1001":                     {Breaker: Breaker{Starts: 1001}},
		"breaker: window 1s":              {Breaker: Breaker{Starts: 5, Window: second}},
		"log: 0 files of 1":               {Log: LogCaps{Size: 1}},
		"log: 101":                        {Log: LogCaps{Count: 101}},
		"depends_on":                      {DependsOn: []Dependency{{"a", "alive"}}},
		"ready: 0 of":                     {Ready: &Probe{}},
		"health: log and":                 {Health: &Probe{Log: "x"}},
		"health: 2 of":                    {Health: &Probe{TCP: "h:1", Signal: true}},
		"health: threshold 101: allowed:": {Health: &Probe{Signal: true, Threshold: 101}},
	} {
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
}

func TestBreakerReachDoesNotOverflow(t *testing.T) {
	if got := (Breaker{Starts: MaxBreakerStarts}).Reach(Backoff{Min: MaxDuration, Max: MaxDuration}); got <= MaxDuration {
		t.Errorf("%d", got)
	}
	if got := (Breaker{Starts: 5}).Reach(Backoff{}); got != Duration(18*time.Second) {
		t.Errorf("%v", got)
	}
}

func TestLimitsCheck(t *testing.T) {
	for _, l := range []Limits{{}, {Memory: MinMemory, CPU: MinCPU, Pids: 1, Files: MinFiles}, {MaxMemory, MaxCPU, MaxPids, MaxFiles}} {
		if err := l.Check(); err != nil {
			t.Errorf("%+v: %v", l, err)
		}
	}
	for _, l := range []Limits{{Memory: 5}, {Memory: MaxMemory + 1}, {CPU: -1}, {CPU: math.NaN()}, {CPU: math.Inf(1)}, {Pids: MaxPids + 1}, {Files: 1}, {Files: MaxFiles + 1}} {
		if err := l.Check(); err == nil {
			t.Errorf("%+v was taken", l)
		}
	}
	if got := (Limits{Memory: 64 << 20, CPU: 1.5, Pids: 3, Files: 9}).String(); got != "memory 64MiB, cpu 1.5 cores, pids 3, files 9" {
		t.Error(got)
	}
	for n, want := range map[uint64]string{0: "0", 1000: "1000", 1 << 10: "1KiB", 3 << 40: "3TiB", 1<<20 + 1: "1048577"} {
		if got := SizeText(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
