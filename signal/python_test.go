package signal

import (
	"bytes"
	"errors"
	"os/exec"
	"testing"
)

// startPython runs testdata/client.py as a child of s.
func startPython(t *testing.T, s *testServer) (*exec.Cmd, *bytes.Buffer) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	cmd := exec.CommandContext(within(t), python, "testdata/client.py")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

func TestPythonClient(t *testing.T) {
	s := serveSocket(t)
	cmd, out := startPython(t, s)
	session := s.session()
	if session.Pid != cmd.Process.Pid || session.Name != "client.py" || !session.Ready {
		t.Errorf("got %+v", session.RegisterParams)
	}
	if m := session.note(t); m.Method != MethodStatus {
		t.Errorf("got %+v", m)
	}
	if err := session.Call(within(t), MethodPing, nil, nil); err != nil {
		t.Error(err)
	}
	var r CommandResult
	err := session.Call(within(t), MethodCommand, CommandParams{Name: "echo", Args: []string{"a", "é"}}, &r)
	if err != nil || string(r.Result) != `["a","\u00e9"]` && string(r.Result) != `["a", "\u00e9"]` {
		t.Errorf("got %s, %v", r.Result, err)
	}
	if err := session.Call(within(t), MethodCommand, CommandParams{Name: "x"}, nil); CodeOf(err) != CodeNoCommand {
		t.Error(err)
	}
	if err := session.Call(within(t), "unheard of", nil, nil); CodeOf(err) != CodeNoMethod {
		t.Error(err)
	}
	if err := session.Call(within(t), MethodShutdown, nil, nil); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestPythonClientRefusesImpostor(t *testing.T) {
	s := newTestServer(t)
	s.proves = NewToken()
	serveOn(t, t.TempDir()+"/s", s)
	cmd, out := startPython(t, s)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("%v: %s", err, out)
	}
}
