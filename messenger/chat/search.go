package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// Found is a message that a search came upon.
type Found struct {
	Talk    Talk
	Message Message
}

// Search finds messages that contain the words, in either case, the newest of each conversation first; at most limit.
func (e *Engine) Search(words string, limit int) ([]Found, error) {
	words = strings.ToLower(strings.TrimSpace(words))
	if words == "" {
		return nil, errors.New("chat: what to search for")
	}
	var list []Found
	err := e.v.view(func(t tx) error {
		return t.each(talkBucket, nil, func(_, b []byte) (bool, error) {
			s, err := parseTalk(b)
			if err != nil {
				return false, err
			}
			k := t.v.talkToken(s.Talk)
			for n := s.Last; n > 0 && len(list) < limit; n-- {
				b, err := t.get(historyBucket, ref{k, n}.key())
				if err != nil {
					return false, err
				}
				if b == nil || !mayHold(b, words) {
					continue
				}
				m, err := holds(b, words)
				if err != nil {
					return false, err
				}
				if m != nil {
					list = append(list, Found{s.Talk, *m})
				}
			}
			return len(list) < limit, nil
		})
	})
	return list, err
}

// mayHold is false only for a message, as JSON, that does not contain the words, which are in lower case. Without a backslash a string stands in JSON as
// it is, byte for byte, and ToLower goes rune by rune: then the lower case of the message contains that of each of its strings.
func mayHold(b []byte, words string) bool {
	return bytes.IndexByte(b, '\\') >= 0 || bytes.Contains(bytes.ToLower(b), []byte(words))
}

// holds is the message if its text or its file's name contains the words; nil if not.
func holds(b []byte, words string) (*Message, error) {
	var some struct {
		Text string
		File *struct{ Name string }
	}
	if err := json.Unmarshal(b, &some); err != nil {
		return nil, err
	}
	if !strings.Contains(strings.ToLower(some.Text), words) && (some.File == nil || !strings.Contains(strings.ToLower(some.File.Name), words)) {
		return nil, nil
	}
	m := new(Message)
	return m, json.Unmarshal(b, m)
}
