package control

import (
	"context"
	"fmt"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// How long an answer about a member counts.
const (
	memberFor   = time.Minute
	strangerFor = 10 * time.Second // shorter, so that a key just allowed gets in soon
	memberAway  = 10 * time.Minute // while the manager is away
	maxVerdicts = 4096
)

// verdict is what the manager said of a key.
type verdict struct {
	err error // nil: a member
	at  time.Time
}

// ParseKey reads the body of a member request.
func ParseKey(b []byte) (identity.PubKey, error) { return parseKey(b) }

// AppendAsk appends the answer to register and report: whether nodes must ask before they link to strangers.
func AppendAsk(dst []byte, ask bool) []byte { return wire.AppendBool(dst, ask) }

// parseAsk reads the answer to register and report.
func parseAsk(b []byte) (bool, error) {
	r := wire.NewReader(b)
	ask := r.Bool()
	return ask, r.Done()
}

// learn notes whether the manager wants to be asked about strangers.
func (c *Client) learn(ask bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.met, c.ask = true, ask
}

// Member says whether a key may be in our network: nil, or CodeNotMember. Where everybody may, that costs nothing; else the
// manager is asked, and its word counts for a minute (a refusal for 10 s). While the manager is away its last word on a key
// counts for 10 minutes, and that everybody may for as long as it takes; a stranger then gets CodeUnavailable. It waits for
// the manager's answer, until ctx ends.
func (c *Client) Member(ctx context.Context, key identity.PubKey) error {
	here := c.Status().Connected
	if err, known := c.lastWord(key, here, time.Now()); known {
		return err
	}
	if !here {
		return Errorf(CodeUnavailable, "%s is unknown here, and the manager is away", key.Short())
	}
	b, err := c.up.call(ctx, TypeMember, key[:])
	if err == nil {
		err = parseEmpty(b)
	}
	if err == nil || CodeOf(err) == CodeNotMember {
		c.note(key, verdict{err: err, at: time.Now()})
	}
	if err != nil {
		return fmt.Errorf("asking whether %s is a member: %w", key.Short(), err)
	}
	return nil
}

// lastWord is what we know without asking.
func (c *Client) lastWord(key identity.PubKey, here bool, now time.Time) (err error, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.met && !c.ask {
		return nil, true
	}
	v, ok := c.verdicts[key]
	life := memberFor
	switch {
	case v.err != nil:
		life = strangerFor
	case !here:
		life = memberAway
	}
	return v.err, ok && now.Sub(v.at) < life
}

// note keeps a verdict; when there are too many all are forgotten and asked for again.
func (c *Client) note(key identity.PubKey, v verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.verdicts == nil || len(c.verdicts) >= maxVerdicts {
		c.verdicts = make(map[identity.PubKey]verdict)
	}
	c.verdicts[key] = v
}
