package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
)

// publicKeyFile is where a person's public key stands in their state folder, for those of the same user who are told to know them.
const publicKeyFile = "public.key"

const (
	maxPublicKeyFile = 256 // bytes
	knowPause        = 250 * time.Millisecond
	knowLongPause    = 30 * time.Second
)

// showKey writes our public key into our folder.
func showKey(dir string, key identity.PubKey) error {
	path := filepath.Join(dir, publicKeyFile)
	err := os.WriteFile(path+".new", []byte(key.String()+"\n"), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("writing our public key: %w", err)
	}
	return nil
}

// readKey reads the public key of the person whose folder is beside dir.
func readKey(dir, name string) (identity.PubKey, error) {
	f, err := os.Open(filepath.Join(filepath.Dir(dir), folderName(name), publicKeyFile))
	if err != nil {
		return identity.PubKey{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPublicKeyFile))
	if err != nil {
		return identity.PubKey{}, err
	}
	return identity.ParseHex(string(bytes.TrimSpace(text)))
}

// know makes people of this machine contacts under their names here, once they have a key, until all are or ctx ends. Who is a contact
// already stays as they are; a name that another key has is refused, and told in the log.
func (p *chatRoom) know(ctx context.Context, dir string, names []string) {
	pause := knowPause
	for len(names) > 0 && ctx.Err() == nil {
		var left []string
		for _, name := range names {
			key, err := readKey(dir, name)
			if err == nil {
				err = p.befriend(key, name)
			}
			switch {
			case errors.Is(err, os.ErrNotExist):
				left = append(left, name)
			case err != nil:
				p.log.Warn("somebody is not known", "name", name, "err", err)
			}
		}
		if names = left; len(names) == 0 {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, knowLongPause)
	}
}

// befriend adds a contact unless it is one.
func (p *chatRoom) befriend(key identity.PubKey, name string) error {
	list, err := p.e.Contacts()
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.Key == key && (c.Blocked || !c.Request && !c.Met) {
			return nil
		}
	}
	err = p.e.AddContact(key, name)
	if errors.Is(err, chat.ErrSelf) {
		return fmt.Errorf("--know %s: that is this person", name)
	}
	return err
}
