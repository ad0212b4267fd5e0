package chat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycoin/viscript/messenger/chat/envelope"
)

// The key that envelopes to this device are sealed to is another one each week, and the secret half of a former one is deleted when nothing
// sealed to it can come any more: whoever gets hold of the device learns of what came before at most who wrote, and only for so long.
const (
	boxLife = 7 * 24 * time.Hour
	// boxKept is how long a key is kept: while its card is published, while somebody may hold that, and while letters wait.
	boxKept = boxLife + prekeyLife + 30*24*time.Hour + 24*time.Hour
)

// openBoxes reads the mailbox's keys, the newest first; first is what the store had before there were several.
func (e *Engine) openBoxes(t tx, first []byte) error {
	if err := e.loadBoxes(t); err != nil || len(e.boxes) > 0 {
		return err
	}
	box, err := envelope.NewMailbox()
	if len(first) == envelope.SecretLen {
		box, err = envelope.ParseMailbox(first)
	}
	if err != nil {
		return err
	}
	return e.addBox(t, box)
}

// loadBoxes reads them as they are on disk: also after an update that failed.
func (e *Engine) loadBoxes(t tx) error {
	var list []envelope.Mailbox
	err := t.each(boxBucket, nil, func(_, b []byte) (bool, error) {
		box, err := envelope.ParseMailbox(b)
		list = append(list, box)
		return true, err
	})
	slices.Reverse(list)
	if err == nil {
		e.mu.Lock()
		e.boxes = list
		e.mu.Unlock()
	}
	return err
}

// addBox makes a key the current one.
func (e *Engine) addBox(t tx, box envelope.Mailbox) error {
	secret, err := box.Bytes()
	if err != nil {
		return fmt.Errorf("chat: the mailbox's key: %w", err)
	}
	e.mu.Lock()
	e.boxes = slices.Insert(slices.Clone(e.boxes), 0, box)
	e.mu.Unlock()
	return t.put(boxBucket, binary.BigEndian.AppendUint64(nil, uint64(e.now().UnixMilli())), secret)
}

// renewBox makes another key when the current one is old, and forgets those that nobody seals to any more.
func (e *Engine) renewBox(t tx) error {
	now := e.now()
	var keys [][]byte
	err := t.each(boxBucket, nil, func(k, _ []byte) (bool, error) {
		keys = append(keys, k)
		return len(k) == 8, nil
	})
	if err != nil || len(keys) == 0 {
		return err
	}
	born := func(k []byte) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(k))) }
	if now.Sub(born(keys[len(keys)-1])) >= boxLife {
		box, err := envelope.NewMailbox()
		if err == nil {
			err = e.addBox(t, box)
		}
		if err != nil {
			return err
		}
	} else {
		keys = keys[:len(keys)-1] // the current one stays
	}
	for _, k := range keys {
		if now.Sub(born(k)) < boxKept {
			break
		}
		if err := t.drop(boxBucket, k); err != nil {
			return err
		}
		e.mu.Lock()
		e.boxes = slices.Clone(e.boxes[:len(e.boxes)-1])
		e.mu.Unlock()
	}
	return nil
}

// box is the current key.
func (e *Engine) box() envelope.Mailbox {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.boxes[0]
}

// openEnvelope opens an envelope with the key that it was sealed to. Errors: errForeign.
func (e *Engine) openEnvelope(sealed []byte) ([]byte, error) {
	e.mu.Lock()
	list := e.boxes
	e.mu.Unlock()
	for _, box := range list {
		body, err := box.Open(sealed)
		if err == nil {
			return body, nil
		}
		if !errors.Is(err, envelope.ErrEnvelope) {
			break
		}
	}
	return nil, errForeign
}
