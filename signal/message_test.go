package signal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestMessageGolden(t *testing.T) {
	hello, err := request(1, MethodHello, HelloParams{Protocol: 1, ID: 7, Nonce: []byte{0x0a, 0xff}})
	if err != nil {
		t.Fatal(err)
	}
	ready, _ := request(0, MethodReady, nil)
	for _, c := range []struct{ name, got, want string }{
		{"request", string(hello), `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1,"id":7,"nonce":"0aff"}}`},
		{"notification", string(ready), `{"jsonrpc":"2.0","method":"ready"}`},
		{"answer", string(answer([]byte(`"a"`), struct{}{}, nil)), `{"jsonrpc":"2.0","id":"a","result":{}}`},
		{"null answer", string(answer([]byte(`2`), nil, nil)), `{"jsonrpc":"2.0","id":2,"result":null}`},
		{"error", string(answer([]byte(`3`), nil, Errorf(CodeNoApp, "no app 9"))),
			`{"jsonrpc":"2.0","id":3,"error":{"code":4,"message":"no app 9"}}`},
		{"wrapped error", string(answer([]byte(`3`), nil, fmt.Errorf("stopping: %w", Errorf(CodeBusy, "busy")))),
			`{"jsonrpc":"2.0","id":3,"error":{"code":8,"message":"stopping: busy"}}`},
		{"id as it came", string(answer([]byte("\"<&>\u2028\""), "<", nil)), "{\"jsonrpc\":\"2.0\",\"id\":\"<&>\u2028\",\"result\":\"\\u003c\"}"},
		{"plain error", string(answer([]byte(`4`), nil, errors.New("disk"))),
			`{"jsonrpc":"2.0","id":4,"error":{"code":-32603,"message":"disk"}}`},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, c.got, c.want)
		}
	}
}

func TestParseMessage(t *testing.T) {
	long := strings.Repeat("x", maxMethod+1)
	for _, c := range []struct {
		input string
		code  Code // 0: accepted
	}{
		{`{"jsonrpc":"2.0","method":"ping","id":1}`, 0},
		{`{"jsonrpc":"2.0","method":"ping","id":"a"}`, 0},
		{`{"jsonrpc":"2.0","method":"ping","id":null,"params":null}`, 0},
		{`{"jsonrpc":"2.0","id":1,"result":null}`, 0},
		{`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}`, 0},
		{`{"jsonrpc":"2.0","method":"ping","more":true}`, 0},
		{``, CodeParse},
		{`{`, CodeParse},
		{`[]`, CodeParse},
		{`[{"jsonrpc":"2.0","method":"ping"}]`, CodeParse},
		{`"x"`, CodeParse},
		{`{"jsonrpc":"2.0","method":7}`, CodeParse},
		{`{"jsonrpc":"2.0","method":"ping"} trailing`, CodeParse},
		{strings.Repeat(`[`, 200_000), CodeParse},
		{`{"jsonrpc":"2.0","id":1,"method":"x","params":` + strings.Repeat(`{"a":`, 50_000) + `1`, CodeParse},
		{`null`, CodeRequest},
		{`{}`, CodeRequest},
		{`{"jsonrpc":"1.0","method":"ping"}`, CodeRequest},
		{`{"jsonrpc":"2.0"}`, CodeRequest},
		{`{"jsonrpc":"2.0","id":1}`, CodeRequest},
		{`{"jsonrpc":"2.0","method":"ping","id":{}}`, CodeRequest},
		{`{"jsonrpc":"2.0","method":"ping","id":true}`, CodeRequest},
		{`{"jsonrpc":"2.0","method":"ping","id":"` + long + `"}`, CodeRequest},
		{`{"jsonrpc":"2.0","method":"` + long + `"}`, CodeRequest},
	} {
		m, err := parseMessage([]byte(c.input))
		switch {
		case c.code == 0 && err != nil:
			t.Errorf("%.80s: %v", c.input, err)
		case c.code != 0 && (err == nil || err.Code != c.code):
			t.Errorf("%.80s: got %+v, %v, want code %d", c.input, m, err, c.code)
		}
	}
}

func TestAnswerTooLarge(t *testing.T) {
	for name, result := range map[string]any{
		"size":          strings.Repeat("x", MaxFrame),
		"not encodable": func() {},
	} {
		m, err := parseMessage(answer([]byte("1"), result, nil))
		if err != nil || m.Error == nil {
			t.Errorf("%s: got %+v, %v, want an error answer", name, m, err)
		}
	}
}

func TestCodeOf(t *testing.T) {
	if got := CodeOf(fmt.Errorf("a: %w", Errorf(CodeTaken, "b"))); got != CodeTaken {
		t.Errorf("got %d", got)
	}
	if got := CodeOf(errors.New("x")); got != 0 {
		t.Errorf("got %d", got)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abc", 2, "ab"}, {"aé", 2, "a"}, {"é", 1, ""}, {"", 0, ""}, {"\xff\xff\xff", 2, "\xff\xff"}} {
		if got := cut(c.in, c.n); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

// FuzzMessage reads a frame and then, as a server and as a client would, the parameters
// of every method.
func FuzzMessage(f *testing.F) {
	for method, params := range map[string]any{
		MethodHello:    HelloParams{Protocol: 1, ID: 1, Nonce: make([]byte, NonceLen)},
		MethodRegister: RegisterParams{Proof: make([]byte, ProofLen), Name: "a", Pid: 1, Commands: []Command{{Name: "x"}}},
		MethodStatus:   StatusParams{Text: "s"},
		MethodEvent:    EventParams{Kind: "k", Text: "t", Fields: json.RawMessage(`{"a":[1]}`), Dropped: 1},
		MethodLog:      LogParams{Line: "l"},
		MethodShutdown: ShutdownParams{TimeoutMS: 5, Reason: "r"},
		MethodCommand:  CommandParams{Name: "n", Args: []string{"a"}},
		MethodAppStart: StartRequest{App: "a", Path: "/bin/true", Args: []string{"x"}, Env: map[string]string{"A": "b"}},
		MethodAppTell:  TellParams{ID: 3, Args: []string{"links"}},
		MethodAppLogs:  LogsParams{ID: 3, LogsRequest: LogsRequest{Lines: 5, Follow: true}},
		MethodEvents:   EventsParams{Since: 9},
		MethodExec:     ExecRequest{Line: "la -f"},
		MethodOutput:   Output{Stream: Stdout, Data: []byte("hi\n")},
		MethodEntry:    Event{Seq: 1, Kind: "started"},
	} {
		frame, err := request(1, method, params)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add(answer([]byte("1"), Top{Goroutines: 1}, nil))
	f.Add(answer([]byte(`"q"`), nil, Errorf(CodeRefused, "no")))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"a","id":"` + strings.Repeat("<&\u2028", 12) + `"}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, wrong := parseMessage(frame)
		if wrong != nil {
			return
		}
		for _, v := range []any{
			new(HelloParams), new(RegisterParams), new(StatusParams), new(EventParams), new(LogParams),
			new(ShutdownParams), new(CommandParams), new(StartRequest), new(TellParams), new(LogsParams),
			new(EventsParams), new(ExecRequest), new(Output), new(Event), new(AppParams),
		} {
			if err := DecodeParams(m.Params, v); err != nil && CodeOf(err) != CodeParams {
				t.Fatalf("code %d for %v", CodeOf(err), err)
			}
		}
		if m.ID != nil {
			if back, err := parseMessage(answer(m.ID, struct{}{}, nil)); err != nil || string(back.ID) != string(m.ID) {
				t.Fatalf("id %q comes back as %+v, %v", m.ID, back, err)
			}
		}
	})
}
