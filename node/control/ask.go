package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Route asks for a route from this node. When it returns nil every hop is in place, ours
// too (Handler.Install was called). The client keeps it in use at the manager until
// CloseRoute, or until ClientConfig.Routes does not list it any more. Refusals: CodeNoRoute,
// CodeUnknownKey, CodeQuota, CodeRefused, CodeUnavailable, CodeBadRequest, CodeNoBetter.
func (c *Client) Route(ctx context.Context, q RouteRequest) (Route, error) {
	if err := q.check(); err != nil {
		return Route{}, Errorf(CodeBadRequest, "%v", err)
	}
	b, err := c.up.call(ctx, TypeRoute, q.Append(nil))
	if err != nil {
		return Route{}, fmt.Errorf("asking for a route to %s: %w", q.Dst.Short(), err)
	}
	t, err := ParseRoute(b)
	if err != nil {
		return Route{}, err
	}
	if t.Path[0] != c.cfg.Key.Public() || t.Path[len(t.Path)-1] != q.Dst {
		return Route{}, malformed("a route between others")
	}
	c.keepRoute(t)
	return t, nil
}

// CloseRoute makes the manager forget a route and tell its hops, ours too. Both ends may.
// Refusals: CodeUnknownRoute, CodeNotAnEnd.
func (c *Client) CloseRoute(ctx context.Context, k RouteKey) error {
	c.dropRoute(k)
	return c.tell(ctx, TypeCloseRoute, k[:])
}

// ResolveName returns the key of the live node with that name, "node0" or "node0.DOMAIN".
// Refusals: CodeUnknownName.
func (c *Client) ResolveName(ctx context.Context, name string) (identity.PubKey, error) {
	if err := CheckName(name); err != nil {
		return identity.PubKey{}, Errorf(CodeBadRequest, "%v", err)
	}
	return c.askKey(ctx, TypeName, name)
}

// NodeName returns the name of the live node with that key, "" if it has none. It is what the manager says, for
// people to read. Refusals: CodeUnknownKey; CodeBadRequest of a manager that is older than the request.
func (c *Client) NodeName(ctx context.Context, key identity.PubKey) (string, error) {
	b, err := c.up.call(ctx, TypeNodeName, key[:])
	if err != nil {
		return "", fmt.Errorf("asking who %s is: %w", key.Short(), err)
	}
	return parseNodeName(b)
}

// KeyAt returns the key of the one live record that lists the address. Refusals:
// CodeUnknownAddr, CodeAmbiguous.
func (c *Client) KeyAt(ctx context.Context, hostport string) (identity.PubKey, error) {
	addr, err := CanonicalAddr(hostport)
	if err != nil {
		return identity.PubKey{}, Errorf(CodeBadRequest, "%v", err)
	}
	return c.askKey(ctx, TypeAddress, addr)
}

func (c *Client) askKey(ctx context.Context, t Type, text string) (identity.PubKey, error) {
	b, err := c.up.call(ctx, t, AppendText(nil, text))
	if err != nil {
		return identity.PubKey{}, fmt.Errorf("asking for %s: %w", text, err)
	}
	return parseKey(b)
}

// RegisterApp puts an app into the tracker until its record expires (90 s unless it says
// otherwise); register again before that. A record without a signature is signed here,
// with the node's key. Refusals: CodeNameTaken, CodeQuota, CodeStale, CodeUnavailable.
func (c *Client) RegisterApp(ctx context.Context, r AppRecord) error {
	if r.Sig == (identity.Sig{}) {
		r = SignApp(c.cfg.Key, c.cfg.Network, r)
	}
	if err := r.check(); err != nil {
		return Errorf(CodeBadRequest, "%v", err)
	}
	return c.tell(ctx, TypeApp, r.Append(nil))
}

// UnregisterApp takes this node's app of that name out of the tracker; the name stays ours.
func (c *Client) UnregisterApp(ctx context.Context, name string) error {
	r := SignAppRemoval(c.cfg.Key, c.cfg.Network, AppRemoval{Name: name})
	if err := r.check(); err != nil {
		return Errorf(CodeBadRequest, "%v", err)
	}
	return c.tell(ctx, TypeAppBye, r.Append(nil))
}

// FindApps returns live apps by name, at most MaxApps. Records that their node did not
// sign, that have expired or that the query does not select are left out.
func (c *Client) FindApps(ctx context.Context, q AppQuery) ([]AppRecord, error) {
	return findApps(ctx, &c.up, c.cfg.Network, q)
}

func findApps(ctx context.Context, u *uplink, network string, q AppQuery) ([]AppRecord, error) {
	if err := q.check(); err != nil {
		return nil, Errorf(CodeBadRequest, "%v", err)
	}
	b, err := u.call(ctx, TypeApps, q.Append(nil))
	if err != nil {
		return nil, fmt.Errorf("asking for apps: %w", err)
	}
	apps, err := ParseApps(b)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return slices.DeleteFunc(apps, func(r AppRecord) bool {
		return !q.Matches(r) || now.After(r.Expires.Add(MaxSkew)) || r.Verify(network) != nil
	}), nil
}

func (c *Client) tell(ctx context.Context, t Type, body []byte) error {
	return tell(ctx, &c.up, t, body)
}

func tell(ctx context.Context, u *uplink, t Type, body []byte) error {
	b, err := u.call(ctx, t, body)
	if err != nil {
		return err
	}
	if parseEmpty(b) != nil {
		return errors.New("control: an answer with more than it should hold")
	}
	return nil
}
