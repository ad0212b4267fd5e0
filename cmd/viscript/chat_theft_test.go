//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// TestMessengerStolen: what somebody finds who takes the messenger's files and its memory, while it carries messages: no text, no name, nothing
// of a key that opens anything. That the search finds what is there is shown by a canary of text and one of a key.
func TestMessengerStolen(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector's own memory is too large to be searched; make plain runs this")
	}
	ann, ben, away := "annabel-"+randomWord(), "benjamin-"+randomWord(), "cordula-"+randomWord() // random: the program itself must not hold them
	c := startCrowd(t, ann, ben, away)
	text, group, file := "windmill "+randomWord(), "walks "+randomWord(), "picture "+randomWord()
	path := filepath.Join(c.dir, file)
	if err := os.WriteFile(path, []byte(strings.Repeat(text+" in a file ", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	told[string](c, ann, "group", group)
	told[string](c, ann, "invite", group, ben)
	c.awaitMembers(2, ann, ben)
	c.off(away) // what is for them stays at the messenger

	var stop atomic.Bool
	done := make(chan int)
	for _, who := range []string{ann, ben} {
		go func() {
			n := 0
			for ; !stop.Load(); n++ {
				for _, to := range []string{ann, ben, away, group} {
					if to != who {
						told[string](c, who, "msg", to, fmt.Sprint(text, " ", n))
					}
				}
				if n%10 == 0 {
					told[string](c, who, "send", map[string]string{ann: ben, ben: ann}[who], path)
				}
			}
			done <- n
		}()
	}
	textCanary, keyCanary := []byte("canary "+randomWord()+randomWord()), make([]byte, 32)
	rand.Read(keyCanary)
	c.plant(away, textCanary, keyCanary)

	post, err := c.app("post")
	if err != nil {
		t.Fatal(err)
	}
	var loot [][]byte
	for range 5 {
		time.Sleep(300 * time.Millisecond)
		loot = append(loot, memoryOf(t, post.Pid))
	}
	stop.Store(true)
	sent := <-done + <-done
	memories := len(loot)
	loot = append(loot, filesOf(t, filepath.Join(c.state, "messenger"))...)
	for _, who := range []string{ann, ben} {
		c.off(who)
	}

	words := map[string][]byte{"a text": []byte("windmill " + text[9:]), "a group's name": []byte(group), "a file's name": []byte(file)}
	secrets := newNeedles()
	for _, who := range []string{ann, ben, away} { // their public keys may be known
		key := c.key(who).Public()
		secrets.public = append(secrets.public, key[:])
	}
	for _, who := range []string{ann, ben, away} {
		words["the name "+who[:3]] = []byte(who)
		c.secretsOf(who, secrets)
	}
	for what, w := range words {
		words[what+", base64"] = []byte(base64.RawStdEncoding.EncodeToString(w[:len(w)/3*3]))
		words[what+", hex"] = []byte(hex.EncodeToString(w))
	}
	secrets.add("canary", keyCanary)
	size := 0
	canaries := map[string]int{}
	for i, b := range loot {
		size += len(b)
		for what, w := range words {
			if at := bytes.Index(b, w); at >= 0 {
				t.Errorf("loot %d holds %s: %q", i, what, b[max(0, at-40):min(len(b), at+80)])
			}
		}
		for what, at := range secrets.in(b) {
			if what != "canary" {
				t.Errorf("loot %d holds a part of %s: %x", i, what, b[max(0, at-16):min(len(b), at+32)])
				continue
			}
			if i < memories {
				canaries["key in memory"]++
			} else {
				canaries["key in a file"]++
			}
		}
		if bytes.Contains(b, textCanary) {
			if i < memories {
				canaries["text in memory"]++
			} else {
				canaries["text in a file"]++
			}
		}
	}
	if len(canaries) != 4 {
		t.Errorf("the search found of the canaries only %v", canaries)
	}
	t.Logf("%d rounds of messages; searched %.0f MB, %d dumps of memory and %d files, for %d words and %d parts of secrets; canaries %v",
		sent, float64(size)/1e6, memories, len(loot)-memories, len(words), len(secrets.parts), canaries)
	if secrets.count["a ratchet"] == 0 || secrets.count["a prekey"] == 0 || secrets.count["a mailbox"] == 0 || secrets.count["a group's sender key"] == 0 || secrets.count["an identity"] == 0 {
		t.Errorf("the stores gave up only %v", secrets.count)
	}
}

func randomWord() string {
	b := make([]byte, 8)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// plant leaves a letter with canaries, which nobody can open, in somebody's mailbox.
func (c *crowd) plant(who string, text, key []byte) {
	c.t.Helper()
	nobody, err := identity.Generate()
	if err != nil {
		c.t.Fatal(err)
	}
	pins, err := secure.OpenPins(filepath.Join(c.t.TempDir(), "pins"))
	if err != nil {
		c.t.Fatal(err)
	}
	post, err := mailbox.NewClient(mailbox.ClientConfig{Server: secure.Addr{HostPort: c.boxes}, Key: nobody, Pins: pins})
	if err != nil {
		c.t.Fatal(err)
	}
	defer post.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	owner := c.key(who).Public()
	cards, err := post.Cards(ctx, owner)
	if err != nil {
		c.t.Fatal(err)
	}
	card, err := mailbox.ParseCard(cards[0])
	if err != nil {
		c.t.Fatal(err)
	}
	letter := make([]byte, 2<<10)
	rand.Read(letter)
	letter[0] = 1
	copy(letter[100:], text)
	copy(letter[1001:], key)
	if err := post.Put(ctx, mailbox.Address{Owner: owner, Device: card.Device}, [][]byte{letter}); err != nil {
		c.t.Fatal(err)
	}
}

// memoryOf is all that a process can write to, and what it has mapped of files, its program left out.
func memoryOf(t *testing.T, pid int) []byte {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	var all []byte
	zeros := make([]byte, 64<<10)
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n != 3 || mode[0] != 'r' || mode[1] != 'w' && !strings.Contains(line, ".db") {
			continue
		}
		block := make([]byte, 64<<10)
		for at := from; at < to; at += uint64(len(block)) {
			n, err := mem.ReadAt(block[:min(uint64(len(block)), to-at)], int64(at))
			if err != nil && n == 0 {
				break // beyond the end of a mapped file
			}
			if !bytes.Equal(block[:n], zeros[:n]) {
				all = append(all, block[:n]...)
			}
		}
	}
	if len(all) < 4<<20 {
		t.Fatalf("only %d bytes of memory could be read", len(all))
	}
	return all
}

// filesOf are the contents of all files below a folder.
func filesOf(t *testing.T, dir string) (all [][]byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		var b []byte
		if err == nil && d.Type().IsRegular() {
			if b, err = os.ReadFile(path); err == nil {
				all = append(all, b)
			}
		}
		if errors.Is(err, fs.ErrNotExist) { // it runs: what is written anew is gone under its first name
			return nil
		}
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d files in %s, %v", len(all), dir, err)
	}
	return all
}

// needles are parts of secrets: sixteen bytes from every fourth place.
type needles struct {
	parts  map[[16]byte]string // what it is a part of
	filter []uint64            // bits of the first four bytes' hashes
	count  map[string]int      // secrets of each kind
	public [][]byte            // what may stand between secrets
}

func newNeedles() *needles {
	return &needles{parts: map[[16]byte]string{}, filter: make([]uint64, 1<<16), count: map[string]int{}}
}

func bitOf(b []byte) (word int, bit uint64) {
	h := binary.LittleEndian.Uint32(b) * 2654435761 >> 10
	return int(h >> 6), 1 << (h & 63)
}

// add takes in a secret, and its hexadecimal and base64 forms.
func (n *needles) add(what string, secret []byte) {
	for _, public := range n.public {
		if before, after, there := bytes.Cut(secret, public); there {
			n.add(what, before)
			n.add(what, after)
			return
		}
	}
	n.count[what]++
	for _, form := range forms(secret) {
		for i := 0; i+16 <= len(form); i += 4 {
			part := [16]byte(form[i:])
			seen := map[byte]bool{}
			for _, b := range part {
				seen[b] = true
			}
			if len(seen) < 8 { // zeros and the like are everywhere
				continue
			}
			n.parts[part] = what
			w, bit := bitOf(part[:])
			n.filter[w] |= bit
		}
	}
}

// forms are bytes as they are, as hexadecimal digits and as base64.
func forms(b []byte) [][]byte {
	return [][]byte{b, []byte(hex.EncodeToString(b)), []byte(base64.RawStdEncoding.EncodeToString(b))}
}

// in are the kinds of which there is a part in b, and where.
func (n *needles) in(b []byte) map[string]int {
	found := map[string]int{}
	for i := 0; i+16 <= len(b); i++ {
		if w, bit := bitOf(b[i:]); n.filter[w]&bit == 0 {
			continue
		}
		if what, ok := n.parts[[16]byte(b[i:])]; ok {
			found[what] = i
		}
	}
	return found
}

// secretsOf adds what the store of somebody who has been stopped holds of keys. It reads the store by what its documentation says: values
// are sealed with AES-256-GCM under a key of the identity, their place as additional data.
func (c *crowd) secretsOf(who string, to *needles) {
	t := c.t
	t.Helper()
	key := c.key(who)
	raw, err := os.ReadFile(filepath.Join(c.folder(who), identity.FileName))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(secret) != identity.SecKeyLen {
		t.Fatalf("%d bytes of an identity, %v", len(secret), err)
	}
	to.add("an identity", secret)
	store, index := key.Derive("chat store"), key.Derive("chat index")
	to.add("a store's key", store[:])
	to.add("a store's key", index[:])
	block, err := aes.NewCipher(store[:])
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(c.folder(who), chat.StoreFile), 0o600, &bbolt.Options{ReadOnly: true, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				value, err := aead.Open(nil, nil, v, append(append(bytes.Clone(name), 0), k...))
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				to.addValue(string(name), string(k), value)
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// addValue takes in what is secret of a value of a store.
func (n *needles) addValue(bucket, key string, value []byte) {
	switch {
	case bucket == "meta" && key == "device" && len(value) > 4:
		n.add("a mailbox", value[4:])
	case bucket == "boxes":
		n.add("a mailbox", value)
	case bucket == "sessions":
		n.addRatchets(value)
	case bucket == "prekeys" && len(value) > prekey.Len:
		n.add("a prekey", value[prekey.Len:])
	case bucket == "sending" || bucket == "chains":
		n.addJSON("a group's sender key", value)
	}
}

// addRatchets takes in what is secret of the ratchets with a device: not the key that the other side has shown last, which may be that of
// a prekey.
func (n *needles) addRatchets(value []byte) {
	r := wire.NewReader(value)
	for r.Len() > 0 && r.Err() == nil {
		var id [32]byte
		r.Fixed(id[:])
		r.Bytes(1 << 16) // the opening
		state := make([]byte, min(int(r.U32()), r.Len()))
		r.Fixed(state)
		const keys = 1 + 32 + 32 // version, root, own key
		if len(state) < keys+1+32 {
			continue
		}
		n.add("a ratchet", state[1:keys])
		n.add("a ratchet", state[keys+1+32*int(state[keys]):])
	}
}

// addJSON takes in the bytes that JSON holds as base64, or a value that is no JSON.
func (n *needles) addJSON(what string, value []byte) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		n.add(what, value)
		return
	}
	for _, f := range fields {
		var b []byte
		if json.Unmarshal(f, &b) == nil && len(b) >= 32 {
			n.add(what, b)
		}
	}
}
