package main

import (
	"net/netip"
	"testing"
)

func TestExitFits(t *testing.T) {
	for _, c := range []struct {
		name, want string
		byName     bool
		location   string
		fits       bool
	}{
		{"paris", "", false, "", true},
		{"paris@fr", "paris", true, "", true},
		{"paris@fr", "paris@fr", true, "", true},
		{"paris@fr", "par", true, "", false},
		{"paris@fr", "", false, "FR", true},
		{"paris@fr", "", false, "nl", false},
		{"paris", "", false, "fr", false},
		{"paris@fr", "lyon", true, "fr", false},
		{"anything@nl", "02ab", false, "", true}, // a key: the tracker has looked
	} {
		if got := exitFits(c.name, c.want, c.byName, c.location); got != c.fits {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestVPNFlags(t *testing.T) {
	for text, want := range map[string]uint64{"1": 1, "500k": 500_000, "10M": 10_000_000, "2G": 2_000_000_000} {
		if got, err := parseRate(text); got != want || err != nil {
			t.Errorf("--rate %s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "M", "-1", "10MB", "99999999999"} {
		if got, err := parseRate(text); err == nil {
			t.Errorf("--rate %q is %d", text, got)
		}
	}
	for _, c := range []struct {
		o    vpnClientFlags
		fine bool
	}{
		{vpnClientFlags{dns: "auto"}, true},
		{vpnClientFlags{dns: "auto", full: true}, true},
		{vpnClientFlags{dns: "9.9.9.9", routeTexts: []string{"10.0.0.0/8", "192.0.2.1"}, exceptTexts: []string{"fd00::/8"}}, true},
		{vpnClientFlags{dns: "auto", full: true, routeTexts: []string{"10.0.0.0/8"}}, false},
		{vpnClientFlags{dns: "quad9"}, false},
		{vpnClientFlags{dns: "off", routeTexts: []string{"somewhere"}}, false},
	} {
		if err := c.o.parse(); (err == nil) != c.fine {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
	o := vpnClientFlags{dns: "off", routeTexts: []string{"192.0.2.1", "10.1.2.3/8"}}
	if err := o.parse(); err != nil || o.routes[0] != netip.MustParsePrefix("192.0.2.1/32") || o.routes[1] != netip.MustParsePrefix("10.0.0.0/8") {
		t.Errorf("routes %v, %v", o.routes, err)
	}
	for text, want := range map[string]string{"0": "", "8090": "127.0.0.1:8090", "x": "error", "70000": "error"} {
		got, err := loopbackPage(text)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("PORT %s: %s", text, got)
		}
	}
	for text, fine := range map[string]bool{"none": true, "10.0.0.0/16": true, "10.0.0.1/16": false, "10": false} {
		if _, err := subnetFlag("--subnet", text); (err == nil) != fine {
			t.Errorf("--subnet %s: %v", text, err)
		}
	}
}
