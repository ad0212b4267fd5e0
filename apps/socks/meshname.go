package socks

import (
	"strings"

	"github.com/skycoin/viscript/node/identity"
)

// Endings of names that mean something on the mesh. No other network has them: such a target never goes to an exit.
const (
	meshSuffix = ".mesh"
	appSuffix  = ".app"
)

// hexKeyLen is the length of a key in hex, the one label that may be longer than others.
const hexKeyLen = 2 * identity.PubKeyLen

// MeshName is a target that is an app on the mesh. One of App, Key and Node is set.
type MeshName struct {
	App  string          // APP.app.mesh: as the tracker knows it, at the port that the tracker knows
	Key  identity.PubKey // KEY.mesh: at Port of the node with that key
	Node string          // NODE.mesh: at Port of the node with that name
	Port uint16          // on the mesh; of no meaning with App
}

// ParseMesh reads the text of a Target; ok is false for what is no name of the mesh, or no
// connection: datagrams and BIND are an exit's errands. A key is 66 hex digits, and may be split by
// dots, for programs that refuse a label of more than 63 characters. Errors are *Error with reason Malformed.
func ParseMesh(target string) (m MeshName, ok bool, err error) {
	e, err := parseErrand(target)
	if err != nil || e.kind != kindConnect {
		return m, false, err
	}
	t := e.target
	name, ok := strings.CutSuffix(strings.TrimSuffix(t.Name, "."), meshSuffix)
	if !ok {
		if strings.TrimSuffix(t.Name, ".") == meshSuffix[1:] {
			return m, true, because(Malformed, "target %.64q names no node", target)
		}
		return m, false, nil
	}
	m.Port = t.Port
	if app, ok := strings.CutSuffix(name, appSuffix); ok {
		m.App = app
		return m, true, nil
	}
	if digits := strings.ReplaceAll(name, ".", ""); len(digits) == hexKeyLen {
		if key, err := identity.ParseHex(digits); err == nil {
			m.Key = key
			return m, true, nil
		}
	}
	m.Node = name
	return m, true, nil
}

// onMesh reports whether a target is for the mesh itself.
func (t Target) onMesh() bool {
	name := strings.TrimSuffix(t.Name, ".")
	return strings.HasSuffix(name, meshSuffix) || name == meshSuffix[1:]
}
