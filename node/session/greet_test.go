package session

import (
	"context"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
)

// TestDialTriesAnotherRoute: the first route breaks, or swallows everything, before the session is ready.
func TestDialTriesAnotherRoute(t *testing.T) {
	for name, harm := range map[string]func(*road){
		"broken": func(r *road) { r.cut(forward.ReasonLink) },
		"silent": func(r *road) { r.hush(true) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t, 2, func(_ *Config, tm *timing) { tm.greet = time.Second })
			lay := m.hosts[0].cfg.Lay
			var asked []Want
			m.hosts[0].cfg.Lay = func(ctx context.Context, w Want) (Laid, error) {
				asked = append(asked, w) // no second route is asked for before the session is ready
				laid, err := lay(ctx, w)
				if len(asked) == 1 && err == nil {
					harm(m.live()[0])
				}
				return laid, err
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			s, err := m.hosts[0].Connect(ctx, m.keys[1].Public(), "", false)
			if err != nil || s.Err() != nil {
				t.Fatal(err)
			}
			if name == "silent" && (len(asked) < 2 || len(asked[1].Avoid) != 1 || asked[1].Avoid[0] == (identity.PubKey{})) {
				t.Errorf("asked %+v", asked)
			}
		})
	}
}
