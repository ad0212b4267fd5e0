package registry

import (
	"bytes"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
)

// Node is one live entry of the book.
type Node struct {
	Record  control.NodeRecord
	Name    string // folded, without domain; may be ""
	Expires time.Time
}

// Get returns the live record of a key.
func (r *Registry) Get(key identity.PubKey) (control.NodeRecord, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e, ok := r.nodes[key]
	return e.record, ok
}

// ByName returns the key of the live node that goes by a name. Errors: CodeUnknownName,
// CodeBadRequest.
func (r *Registry) ByName(name string) (identity.PubKey, error) {
	bare, err := r.bare(name)
	if err != nil {
		return identity.PubKey{}, err
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	key, ok := r.names[bare]
	if !ok || bare == "" {
		return identity.PubKey{}, control.Errorf(control.CodeUnknownName, "nobody holds %q", name)
	}
	if e, live := r.nodes[key]; !live || e.name != bare {
		return identity.PubKey{}, control.Errorf(control.CodeUnknownName, "the holder of %q is not here", name)
	}
	return key, nil
}

// KeyAt returns the key of the only live record that lists an address, which is canonical.
// Errors: CodeUnknownAddr, CodeAmbiguous.
func (r *Registry) KeyAt(addr string) (identity.PubKey, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	switch keys := r.byAddr[addr]; len(keys) {
	case 0:
		return identity.PubKey{}, control.Errorf(control.CodeUnknownAddr, "%s", addr)
	case 1:
		return keys[0], nil
	default:
		return identity.PubKey{}, control.Errorf(control.CodeAmbiguous, "%d nodes list %s", len(keys), addr)
	}
}

// Nodes returns the live entries, by name and then key, those without a name last.
func (r *Registry) Nodes() []Node {
	r.mu.RLock()
	list := make([]Node, 0, len(r.nodes))
	for _, e := range r.nodes {
		list = append(list, Node{e.record, e.name, e.expires})
	}
	r.mu.RUnlock()
	slices.SortFunc(list, func(a, b Node) int {
		if (a.Name == "") != (b.Name == "") {
			return len(b.Name) - len(a.Name)
		}
		if a.Name != b.Name {
			return bytes.Compare([]byte(a.Name), []byte(b.Name))
		}
		return bytes.Compare(a.Record.Key[:], b.Record.Key[:])
	})
	return list
}
