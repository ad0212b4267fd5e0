package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skycoin/viscript/viscript/command"
)

// printed runs a command line that only prints.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	root, _ := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestDocs holds the files of docs against what the program prints; `make docs` writes them.
func TestDocs(t *testing.T) {
	for file, args := range map[string][]string{
		"viscript.1":       {"man"},
		"viscript.service": {"config", "systemd", "--program", "/usr/local/bin/viscript"},
	} {
		have, err := os.ReadFile(filepath.Join("..", "..", "docs", file))
		if err != nil {
			t.Fatal(err)
		}
		if want := printed(t, args...); string(have) != want {
			t.Errorf("docs/%s is not what the program prints; run: make docs", file)
		}
	}
}

func TestManual(t *testing.T) {
	text := printed(t, "man")
	if text != printed(t, "man") {
		t.Error("two runs print different pages")
	}
	for _, c := range command.New().Commands() {
		if !strings.Contains(text, ".B "+`"`+roff(c.Name)) {
			t.Errorf("the console command %s is missing", c.Name)
		}
	}
	root, _ := rootCommand()
	for _, c := range root.Commands() {
		if !c.Hidden && !strings.Contains(text, roff(c.Name())) {
			t.Errorf("the command %s is missing", c.Name())
		}
	}
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "'") || strings.ContainsAny(line, "\t\x1b") {
			t.Errorf("line %d would be a request: %q", i+1, line)
		}
	}
	if got := roff(`.x \- 'y`); got != `\&.x \e\- 'y` {
		t.Errorf("roff: %q", got)
	}
	if _, err := exec.LookPath("man"); err == nil {
		cmd := exec.Command("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", "-")
		cmd.Stdin, cmd.Env = strings.NewReader(text), append(os.Environ(), "MANWIDTH=80", "LC_ALL=C") // wide enough for every word
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Run(); err == nil && strings.Contains(errs.String(), "warning") {
			t.Errorf("man warns: %s", &errs)
		}
	}
}

func TestUnit(t *testing.T) {
	text := printed(t, "config", "systemd", "--program", "/opt/my $viscript%/v", "--state", "/srv/st", "--config", "/srv/c.yaml")
	for _, want := range []string{
		`ExecStart="/opt/my $$viscript%%/v" --headless --state /srv/st --config /srv/c.yaml`,
		`ExecReload="/opt/my $$viscript%%/v" exec --state /srv/st reload`,
		"Type=notify", "KillMode=process", "Delegate=yes", "WatchdogSec=30", "User=viscript", "WantedBy=multi-user.target",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	user := printed(t, "config", "systemd", "--user", "--program", "/bin/v")
	if !strings.Contains(user, "ExecStart=/bin/v --headless\n") || !strings.Contains(user, "default.target") || strings.Contains(user, "User=") {
		t.Errorf("of a user: %s", user)
	}
	u := unit{program: "/bin/v\nExecStartPre=/bin/evil"}
	if err := u.complete(); err == nil {
		t.Error("a path of two lines is taken")
	}
	if _, err := exec.LookPath("systemd-analyze"); err == nil {
		file := filepath.Join(t.TempDir(), "viscript.service")
		plain := printed(t, "config", "systemd", "--program", "/bin/true")
		if err := os.WriteFile(file, []byte(plain), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("systemd-analyze", "verify", file).CombinedOutput(); err != nil {
			t.Logf("systemd-analyze: %v: %s", err, out) // other units of the machine may be at fault
		}
	}
}
