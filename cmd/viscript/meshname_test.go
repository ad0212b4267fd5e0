//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/skycoin/viscript/node/app"
)

// testMeshNames visits an app at node2, through the proxy at node0, by every name that it has on the mesh.
func testMeshNames(t *testing.T, d *demo) {
	client, err := app.Connect(d.addr(appPort2))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience) // all that is asked of the mesh here
	defer cancel()
	ln, err := client.Listen(ctx, app.ListenOptions{Port: 80, Name: "shop", Type: "http"})
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "you asked ", r.Host) })}
	defer web.Close()
	go web.Serve(ln.Net())
	var info struct{ Key string }
	d.json(t, &info, "tell", d.id(t, "node2"), "info")
	eventuallyTrue(t, "the tracker knows the app", func() error {
		apps, err := client.Find(ctx, app.Query{Name: "shop"})
		if err == nil && len(apps) == 0 {
			err = fmt.Errorf("no app")
		}
		return err
	})
	for _, host := range []string{"node2.mesh", "NODE2.mysterious.network.mesh", "shop.app.mesh", info.Key + ".mesh", info.Key[:33] + "." + info.Key[33:] + ".mesh"} {
		var out strings.Builder
		if err := d.curl(&out, "--socks5-hostname", d.addr(proxyPort), "http://"+host+"/"); err != nil || !strings.EqualFold(out.String(), "you asked "+host) {
			t.Errorf("%s: %q, %v", host, out.String(), err)
		}
	}
	for _, target := range []struct {
		what, host, port string
		want             byte
	}{
		{"a port without an app", "node2.mesh", "81", replyRefused},
		{"the exit, which is no target", "node2.mesh", "1080", replyGeneral},
		{"no such node", "nobody.mesh", "80", replyNoHost},
		{"no such app", "nobody.app.mesh", "80", replyNoHost},
		{"no name", "mesh", "80", replyGeneral},
	} {
		if got := d.ask(t, 1, target.host, target.port); got != target.want {
			t.Errorf("%s (%s:%s): reply %d, want %d", target.what, target.host, target.port, got, target.want)
		}
	}
}
