package control

import (
	"sync"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// maxKeys bounds each of two generations of a Keys, some 3 MB.
const maxKeys = 1 << 16

// Keys remembers bytes that have been found to be public keys, so that a reader of many messages parses each key once:
// whether bytes are a key depends on nothing but the bytes. The zero value is ready, nil remembers nothing. Safe for
// concurrent use. Beyond its bound it forgets those not met for longest.
type Keys struct {
	mu       sync.Mutex // guards the following
	now, old map[identity.PubKey]struct{}
}

// read takes a key off the front of a message; ok becomes false when it is none.
func (k *Keys) read(r *wire.Reader, ok *bool) (key identity.PubKey) {
	if k == nil {
		return r.Key()
	}
	r.Fixed(key[:])
	if k.met(key) {
		return key
	}
	if _, err := identity.ParsePubKey(key[:]); err != nil {
		*ok = false
		return identity.PubKey{}
	}
	k.add(key)
	return key
}

func (k *Keys) met(key identity.PubKey) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.now[key]; ok {
		return true
	}
	if _, ok := k.old[key]; ok {
		k.addLocked(key)
		return true
	}
	return false
}

func (k *Keys) add(key identity.PubKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.addLocked(key)
}

func (k *Keys) addLocked(key identity.PubKey) {
	if k.now == nil || len(k.now) >= maxKeys {
		k.now, k.old = make(map[identity.PubKey]struct{}), k.now
	}
	k.now[key] = struct{}{}
}
