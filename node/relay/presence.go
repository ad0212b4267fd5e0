package relay

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

const (
	gatherKicks = 20 * time.Millisecond
	busyPause   = 100 * time.Millisecond
)

// ErrUnknown: no messenger that we asked knows a live record of the key.
var ErrUnknown = errors.New("relay: no messenger knows that key")

// publish keeps the record at all home messengers until ctx ends.
func (c *Client) publish(ctx context.Context) {
	for {
		timer := time.NewTimer(Life/3 + rand.N(Life/20))
		select {
		case <-c.kick:
			sleep(ctx, gatherKicks)
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
		rec := c.record(Life)
		for _, h := range c.hops() {
			c.publishAt(ctx, h, rec)
		}
	}
}

// record is what we say of ourselves now, signed.
func (c *Client) record(life time.Duration) Record {
	if c.cfg.Record != nil {
		return c.cfg.Record()
	}
	var r Record
	if c.cfg.Self != nil {
		r = c.cfg.Self()
	}
	r.Addrs = r.Addrs[:min(len(r.Addrs), MaxAddrs)]
	r.Services = r.Services[:min(len(r.Services), MaxServices)]
	r.Homes = nil
	for _, h := range c.hops() {
		a := h.addr
		if h.welcome.Public != "" {
			a.HostPort = h.welcome.Public
		}
		if !slices.Contains(r.Homes, a) {
			r.Homes = append(r.Homes, a)
		}
	}
	now := time.Now()
	c.mu.Lock()
	c.seq = max(c.seq+1, millis(now))
	r.Seq = c.seq
	c.mu.Unlock()
	r.Issued, r.Expires = now, now.Add(life)
	return r.Sign(c.cfg.Key, c.cfg.Network)
}

func (c *Client) publishAt(ctx context.Context, h *hop, rec Record) {
	_, err := h.call(ctx, KindPublish, rec.Append(nil))
	if err != nil && !errors.Is(err, errLost) && ctx.Err() == nil {
		c.cfg.Log.Warn("publishing our record", "peer", h.addr.HostPort, "err", err)
	}
}

// arrived makes a new connection to a home useful: our record, the keys that we watch. Other homes hear of it.
func (c *Client) arrived(h *hop) {
	c.Kick()
	c.background(func(ctx context.Context) {
		c.watchAt(ctx, h)
		if c.cfg.Follow != nil {
			c.follow(ctx, h)
		}
	})
}

// follow has the messenger tell all that it knows: first of changes, then what is there.
func (c *Client) follow(ctx context.Context, h *hop) {
	_, err := h.call(ctx, KindFollow, nil)
	var after identity.PubKey
	for err == nil {
		var b []byte
		if b, err = h.call(ctx, KindPage, after[:]); CodeOf(err) == CodeBusy {
			sleep(ctx, busyPause)
			err = ctx.Err()
			continue
		} else if err != nil {
			break
		}
		var f Found
		if f, err = ParseFound(b); err != nil {
			break
		}
		for _, rec := range f.Records {
			if rec.Verify(c.cfg.Network) == nil {
				c.cfg.Follow(rec)
			}
		}
		if after = f.Next; after.IsZero() {
			return
		}
	}
	if !errors.Is(err, errLost) && ctx.Err() == nil {
		c.cfg.Log.Warn("following a messenger", "peer", h.addr.HostPort, "err", err)
	}
}

// Learn tells the client where a messenger of its own is now, as others know.
func (c *Client) Learn(messenger identity.PubKey, addrs []string) {
	for _, h := range c.homes {
		h.mu.Lock()
		is := h.key == messenger
		h.mu.Unlock()
		if is {
			h.moved(addrs)
		}
	}
}

// farewell takes the record back.
func (c *Client) farewell() {
	hops := c.hops()
	if len(hops) == 0 || c.cfg.Record != nil {
		return
	}
	rec := c.record(0)
	for _, h := range hops {
		h.l.Send(AppendRecord(nil, TypeService, ServiceRoute, append(AppendMessage(nil, 1, KindPublish), rec.Append(nil)...)))
	}
}

// Lookup finds the record of a key at the home messengers. Errors: ErrUnknown, ErrNoMessenger, a *Failure, ctx's.
func (c *Client) Lookup(ctx context.Context, key identity.PubKey) (Record, error) {
	err := ErrNoMessenger
	var best Record
	for _, h := range c.hops() {
		rec, e := c.lookupAt(ctx, h, key)
		if e == nil && rec.Seq >= best.Seq {
			best = rec
		} else if e != nil {
			err = e
		}
	}
	if !best.Key.IsZero() {
		return best, nil
	}
	return best, err
}

func (c *Client) lookupAt(ctx context.Context, h *hop, key identity.PubKey) (Record, error) {
	b, err := h.call(ctx, KindLookup, key[:])
	if err != nil {
		return Record{}, err
	}
	rec, found, err := ParseOne(b)
	switch {
	case err != nil:
		return Record{}, err
	case !found || rec.Key != key || !rec.Live(time.Now()):
		return Record{}, ErrUnknown
	}
	return rec, rec.Verify(c.cfg.Network)
}

// Find returns records with a service and attributes, from the first home messenger that answers, q.Limit at most; those that
// do not verify are left out.
func (c *Client) Find(ctx context.Context, q Query) (Found, error) {
	err := ErrNoMessenger
	for _, h := range c.hops() {
		var b []byte
		if b, err = h.call(ctx, KindFind, q.Append(nil)); err != nil {
			continue
		}
		var f Found
		if f, err = ParseFound(b); err != nil {
			continue
		}
		f.Records = slices.DeleteFunc(f.Records, func(r Record) bool {
			return !r.Has(q.Type, q.Attrs) || r.Verify(c.cfg.Network) != nil
		})
		return f, nil
	}
	return Found{}, err
}

// Watch has Config.Changed told of the records of these keys, besides those of the home messengers; it replaces what was
// watched before.
func (c *Client) Watch(keys []identity.PubKey) {
	c.mu.Lock()
	c.watched = slices.Clone(keys[:min(len(keys), MaxWatched-MaxHomes)])
	for k := range c.known {
		if !slices.Contains(c.watched, k) {
			delete(c.known, k)
		}
	}
	c.mu.Unlock()
	c.background(func(ctx context.Context) {
		for _, h := range c.hops() {
			c.watchAt(ctx, h)
		}
	})
}

func (c *Client) watchAt(ctx context.Context, h *hop) {
	c.mu.Lock()
	keys := slices.Clone(c.watched)
	c.mu.Unlock()
	for _, other := range c.homes {
		other.mu.Lock()
		if !other.key.IsZero() {
			keys = append(keys, other.key)
		}
		other.mu.Unlock()
	}
	if _, err := h.call(ctx, KindWatch, AppendKeys(nil, keys)); err != nil && !errors.Is(err, errLost) && ctx.Err() == nil {
		c.cfg.Log.Warn("watching keys", "peer", h.addr.HostPort, "err", err)
	}
}

// changed takes a record that a messenger sends by itself.
func (c *Client) changed(rec Record) {
	if !c.interested(rec) || rec.Verify(c.cfg.Network) != nil { // what nobody asked for costs no signature
		return
	}
	if c.cfg.Follow != nil {
		c.cfg.Follow(rec)
	}
	if !rec.Live(time.Now()) {
		return
	}
	c.Learn(rec.Key, rec.Addrs)
	c.mu.Lock()
	news := slices.Contains(c.watched, rec.Key) && rec.Seq > c.known[rec.Key].Seq
	if news {
		c.known[rec.Key] = rec
	}
	c.mu.Unlock()
	if news && c.cfg.Changed != nil {
		c.cfg.Changed(rec)
	}
}

// interested reports whether a record is one that we asked for and do not have.
func (c *Client) interested(rec Record) bool {
	if c.cfg.Follow != nil {
		return true
	}
	c.mu.Lock()
	news := slices.Contains(c.watched, rec.Key) && rec.Seq > c.known[rec.Key].Seq
	c.mu.Unlock()
	return news || slices.ContainsFunc(c.homes, func(h *home) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.key == rec.Key
	})
}

// homesOf are the messengers of another key at which we are not at home.
func (c *Client) homesOf(ctx context.Context, key identity.PubKey) []secure.Addr {
	rec, err := c.Lookup(ctx, key)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(rec.Homes, func(a secure.Addr) bool {
		return a.Key.IsZero() || slices.ContainsFunc(c.hops(), func(h *hop) bool { return h.addr.Key == a.Key })
	})
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
