package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/skycoin/viscript/"

// allowed is the house: what each package may import of this module. Imports go down, never sideways:
// cmd, then rooms (viscript, nodemanager, messenger, apps), then foundations (signal, node). A new arrow is a new word here.
// A name stands for that package and what is below it.
var allowed = map[string][]string{
	"cmd/viscript": {"viscript", "nodemanager", "messenger", "apps", "signal", "node"},

	"cmd/viscript-keep": {"signal/process"},

	"viscript":         {"viscript/command", "viscript/host", "viscript/term", "signal"},
	"viscript/command": {"viscript/host", "viscript/term", "signal"},
	"viscript/host":    {"signal"},
	"viscript/metrics": {"signal"},
	"viscript/term":    {},

	"viscript/gui":       {"viscript/command", "viscript/desktop", "viscript/desktop/panel", "viscript/desktop/scene", "viscript/term", "signal"},
	"viscript/terminals": {"viscript/term", "signal"},

	"viscript/desktop":       {"viscript/desktop/panel", "viscript/desktop/scene", "viscript/term"},
	"viscript/desktop/panel": {"viscript/desktop/scene", "viscript/term"},
	"viscript/desktop/scene": {"viscript/term"},

	"viscript/gl":         {"viscript/desktop", "viscript/desktop/scene", "viscript/gl/batch", "viscript/gl/glyph", "viscript/gl/x11lazy"},
	"viscript/gl/batch":   {"viscript/desktop/scene", "viscript/gl/glyph", "viscript/term"},
	"viscript/gl/glyph":   {"viscript/term"},
	"viscript/gl/x11lazy": {},

	"nodemanager":                 {"nodemanager/registry", "nodemanager/tracker", "nodemanager/topology", "nodemanager/setup", "nodemanager/store", "nodemanager/store/boltstore", "node/control", "node/identity", "node/secure", "node/wire"},
	"nodemanager/registry":        {"nodemanager/store", "node/control", "node/identity", "node/wire"},
	"nodemanager/tracker":         {"nodemanager/store", "nodemanager/store/boltstore", "node/control", "node/identity", "node/secure", "node/wire"},
	"nodemanager/topology":        {"node/control", "node/identity"},
	"nodemanager/setup":           {"node/control", "node/identity", "node/wire"},
	"nodemanager/store":           {},
	"nodemanager/store/boltstore": {"nodemanager/store"},
	"nodemanager/store/storetest": {"nodemanager/store"},

	"messenger":                {"messenger/discovery", "messenger/relay", "node/control", "node/identity", "node/link", "node/relay", "node/secure"},
	"messenger/discovery":      {"node/identity", "node/relay"},
	"messenger/relay":          {"node/identity", "node/link", "node/relay", "node/secure", "node/wire"},
	"messenger/chat":           {"messenger/chat/envelope", "messenger/chat/group", "messenger/chat/prekey", "messenger/chat/ratchet", "messenger/chat/senderkey", "messenger/mailbox", "node/identity", "node/wire"},
	"messenger/web":            {"messenger/chat", "messenger/chat/group", "node/identity"},
	"messenger/porttest":       {},
	"messenger/mailbox":        {"messenger/chat/envelope", "messenger/chat/prekey", "node/control", "node/identity", "node/secure", "node/wire"},
	"messenger/chat/envelope":  {},
	"messenger/chat/group":     {"node/identity", "node/wire"},
	"messenger/chat/prekey":    {"messenger/chat/ratchet", "node/identity", "node/secure", "node/wire"},
	"messenger/chat/ratchet":   {},
	"messenger/chat/senderkey": {"node/identity"},

	"apps/socks":    {"node/identity", "node/wire"},
	"apps/demopage": {},

	"apps/vpn":                  {"apps/vpn/tun", "node/app", "node/identity", "node/packet", "node/tunnel", "node/wire"},
	"apps/vpn/tun":              {"node/packet", "node/tunnel"},
	"apps/vpn/hostnet":          {"apps/vpn/hostnet/firewall", "apps/vpn/hostnet/journal", "apps/vpn/hostnet/resolver", "apps/vpn/hostnet/route", "node/mark"},
	"apps/vpn/nameserver":       {},
	"apps/vpn/speed":            {},
	"apps/vpn/hostnet/firewall": {},
	"apps/vpn/hostnet/journal":  {},
	"apps/vpn/hostnet/resolver": {"node/mark"},
	"apps/vpn/hostnet/route":    {"node/mark"},

	"signal":         {},
	"signal/auto":    {"signal"},
	"signal/process": {"signal"},
	"signal/server":  {"signal", "signal/process"},

	"node":               {"node/app", "node/apphost", "node/control", "node/forward", "node/identity", "node/lan", "node/link", "node/mark", "node/portmap", "node/relay", "node/route", "node/secure", "node/session", "node/wire"},
	"node/direct":        {},
	"node/mark":          {},
	"node/identity":      {},
	"node/wire":          {"node/identity"},
	"node/secure":        {"node/identity", "node/mark", "node/wire"},
	"node/spare":         {},
	"node/link":          {"node/direct", "node/identity", "node/mark", "node/secure", "node/spare", "node/wire"},
	"node/forward":       {"node/identity", "node/link", "node/wire"},
	"node/link/linktest": {},
	"node/simnet":        {},
	"node/session":       {"node/direct", "node/forward", "node/identity", "node/link", "node/secure", "node/spare", "node/wire"},
	"node/packet":        {},
	"node/tunnel":        {"node/direct", "node/identity", "node/packet"},
	"node/app":           {"node/direct", "node/identity", "node/packet", "node/route", "node/tunnel", "node/wire"},
	"node/route":         {"node/identity", "node/wire"},
	"node/apphost":       {"node/app", "node/identity", "node/packet", "node/route", "node/tunnel", "node/wire"},
	"node/control":       {"node/identity", "node/mark", "node/route", "node/secure", "node/wire"},
	"node/lan":           {"node/identity"},
	"node/portmap":       {"node/mark"},
	"node/quic":          {"node/mark", "node/secure"},
	"node/websocket":     {"node/link", "node/secure"},
	"node/relay":         {"node/identity", "node/link", "node/secure", "node/wire"},
}

// violations compares what packages import with the table.
func violations(imports map[string][]string, table map[string][]string) []string {
	var bad []string
	for pkg, list := range imports {
		may, ok := table[pkg]
		if !ok {
			bad = append(bad, pkg+" is not in the table of packages")
		}
		for _, imp := range list {
			if !slices.ContainsFunc(may, func(m string) bool { return imp == m || pkg == "cmd/viscript" && strings.HasPrefix(imp, m+"/") }) {
				bad = append(bad, pkg+" imports "+imp)
			}
		}
	}
	slices.Sort(bad)
	return bad
}

func TestImportsFollowTheHouse(t *testing.T) {
	imports := listImports(t)
	if len(imports) < 20 {
		t.Fatalf("only %d packages found", len(imports))
	}
	for _, v := range violations(imports, allowed) {
		t.Error(v)
	}
	for pkg := range allowed {
		if _, ok := imports[pkg]; !ok {
			t.Errorf("%s is in the table but not in the tree", pkg)
		}
	}
}

// A program that can run a template calls methods by name: the linker then keeps every exported method of every type in it, 5 MB
// of 24, most of which each process would hold in memory.
func TestNoTemplates(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		for _, imp := range []string{"text/template", "html/template"} {
			if words := strings.Fields(line); slices.Contains(words[1:], imp) {
				t.Errorf("%s imports %s", words[0], imp)
			}
		}
	}
}

func TestLayoutCheckSeesViolations(t *testing.T) {
	planted := map[string][]string{
		"node/wire": {"node/session"}, // upwards
		"viscript":  {"node"},         // sideways
		"util":      {},               // no such room
	}
	want := []string{"node/wire imports node/session", "util is not in the table of packages", "viscript imports node"}
	if got := violations(planted, allowed); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// listImports asks the go command for every package of the module and its imports within the module.
func listImports(t *testing.T) map[string][]string {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	imports := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return imports
		}
		if err != nil {
			t.Fatal(err)
		}
		pkg := strings.TrimPrefix(p.ImportPath, module)
		imports[pkg] = []string{}
		for _, imp := range p.Imports {
			if in, ok := strings.CutPrefix(imp, module); ok {
				imports[pkg] = append(imports[pkg], in)
			}
		}
	}
}
