package chat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// ParseAddress reads where a person is: "KEY", or "KEY/MESSENGER,MESSENGER..." with each MESSENGER as KEY@HOST:PORT, at most mailbox.MaxHomes.
func ParseAddress(s string) (k identity.PubKey, homes []mailbox.Home, err error) {
	key, rest, found := strings.Cut(strings.TrimSpace(s), "/")
	if k, err = identity.ParseHex(key); err != nil || !found {
		return k, nil, err
	}
	list := strings.Split(rest, ",")
	if len(list) > mailbox.MaxHomes {
		return k, nil, fmt.Errorf("chat: %d messengers; %d are allowed", len(list), mailbox.MaxHomes)
	}
	for _, text := range list {
		h, err := mailbox.ParseHome(text)
		if err != nil {
			return k, nil, err
		}
		homes = append(homes, h)
	}
	return k, homes, nil
}

// FormatAddress is what ParseAddress reads.
func FormatAddress(k identity.PubKey, homes []mailbox.Home) string {
	text := k.String()
	for i, h := range homes {
		text += string("/,"[min(i, 1)]) + h.String()
	}
	return text
}

// Address is our own, for people who use other messengers than we; of messengers it holds those whose key is known.
func (e *Engine) Address() string { return FormatAddress(e.self.Owner, e.Homes()) }

// AddContactAt is AddContact for somebody whose mailbox may be at messengers that we do not use; no homes leave what is known of them. What the
// person's card says later counts for more.
func (e *Engine) AddContactAt(k identity.PubKey, name string, homes []mailbox.Home) error {
	if err := e.AddContact(k, name); err != nil || len(homes) == 0 {
		return err
	}
	err := e.edit(k, func(t tx, c *Contact) error {
		c.Homes = slices.Clone(homes[:min(len(homes), mailbox.MaxHomes)])
		return nil
	})
	e.mu.Lock()
	delete(e.busy, k) // what was in vain may not be so now
	e.mu.Unlock()
	e.kick()
	return err
}
