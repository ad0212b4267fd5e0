package mailbox

import (
	"encoding/binary"
	"fmt"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// Limits of homes.
const (
	// MaxHomes is how many messengers one card names.
	MaxHomes = 4
	// MaxHostPort is the longest address of one, in bytes.
	MaxHostPort = 253 + len(":65535")
)

// Home is a messenger at which somebody has a mailbox: its key and where it listens.
type Home struct {
	Key      identity.PubKey
	HostPort string // canonical, as secure.ParseAddr gives it
}

// ParseHome reads "KEY@HOST:PORT".
func ParseHome(s string) (Home, error) {
	a, err := secure.ParseAddr(s)
	if err == nil && a.Key.IsZero() {
		err = fmt.Errorf("address %.200q: want KEY@HOST:PORT", s)
	}
	return Home{a.Key, a.HostPort}, err
}

// String is what ParseHome reads.
func (h Home) String() string { return h.Key.String() + "@" + h.HostPort }

// MarshalText implements encoding.TextMarshaler.
func (h Home) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Home) UnmarshalText(b []byte) (err error) {
	*h, err = ParseHome(string(b))
	return err
}

// AppendHomes appends at most MaxHomes of the list: u16 count, and for each key[33] and string.
func AppendHomes(dst []byte, list []Home) []byte {
	list = list[:min(len(list), MaxHomes)]
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(list)))
	for _, h := range list {
		dst = wire.AppendString(append(dst, h.Key[:]...), h.HostPort)
	}
	return dst
}

// ReadHomes reads what AppendHomes wrote. Of addresses it takes the canonical text only, of messengers each once.
func ReadHomes(r *wire.Reader) ([]Home, error) {
	list := make([]Home, r.Count(MaxHomes, identity.PubKeyLen+2))
	for i := range list {
		list[i] = Home{r.Key(), r.String(MaxHostPort)}
		if r.Err() != nil {
			return nil, r.Err()
		}
		a, err := secure.ParseAddr(list[i].HostPort)
		if err != nil || a.HostPort != list[i].HostPort || !a.Key.IsZero() {
			return nil, wire.ErrMalformed
		}
		for _, other := range list[:i] {
			if other.Key == list[i].Key {
				return nil, wire.ErrMalformed
			}
		}
	}
	return list, r.Err()
}
