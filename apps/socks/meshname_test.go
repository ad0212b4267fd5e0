package socks

import (
	"testing"
)

func TestParseMesh(t *testing.T) {
	key := testKey(t)
	hex := key.String()
	for target, want := range map[string]MeshName{
		"node2.mesh:80":                         {Node: "node2", Port: 80},
		"NODE2.Mesh.:80":                        {Node: "node2", Port: 80},
		"a.b.mesh:1":                            {Node: "a.b", Port: 1},
		"app.mesh:80":                           {Node: "app", Port: 80},
		"shop.app.mesh:80":                      {App: "shop", Port: 80},
		"my.shop.app.mesh:80":                   {App: "my.shop", Port: 80},
		hex + ".mesh:443":                       {Key: key, Port: 443},
		hex[:33] + "." + hex[33:] + ".mesh:443": {Key: key, Port: 443},
		hex[:63] + ".mesh:443":                  {Node: hex[:63], Port: 443},
		"ff" + hex[2:40] + "." + hex[40:] + ".mesh:443": {Node: "ff" + hex[2:40] + "." + hex[40:], Port: 443}, // no key
	} {
		if got, ok, err := ParseMesh(target); got != want || !ok || err != nil {
			t.Errorf("%s: %+v, %t, %v", target, got, ok, err)
		}
	}
	for _, target := range []string{"example.com:80", "mesh.example:80", "notmesh:80", "127.0.0.1:80", "[::1]:80", "x.mesh.example.com:80"} {
		if _, ok, err := ParseMesh(target); ok || err != nil {
			t.Errorf("%s: %t, %v", target, ok, err)
		}
	}
	for _, target := range []string{"mesh:80", "mesh.:80", ".mesh:80", "a..mesh:80", "node.mesh:0", "node.mesh", ""} {
		if m, _, err := ParseMesh(target); ReasonOf(err) != Malformed {
			t.Errorf("%s: %+v, %v", target, m, err)
		}
	}
	if _, err := ParseTarget(hex + ".example.com:80"); err == nil {
		t.Error("a label of 66 characters was taken outside the mesh")
	}
	if _, err := ParseTarget("0" + hex + ".mesh:80"); err == nil {
		t.Error("a label of 67 characters was taken")
	}
}

func FuzzParseMesh(f *testing.F) {
	for _, s := range []string{"node2.mesh:80", "shop.app.mesh:1", testKeyText + ".mesh:7", "example.com:80", "mesh:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, ok, err := ParseMesh(s)
		set := 0
		for _, is := range []bool{m.App != "", !m.Key.IsZero(), m.Node != ""} {
			if is {
				set++
			}
		}
		if err == nil && (set == 1) != ok {
			t.Errorf("%q is %+v, %t", s, m, ok)
		}
	})
}

const testKeyText = "020c9fb139bc2aa2648b543389a6bd2650db47fe35625d8dd5711b8673f9940a47"
