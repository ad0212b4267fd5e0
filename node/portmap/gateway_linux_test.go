package portmap

import (
	"encoding/binary"
	"testing"
)

func TestRoutes(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the sample is of a little-endian machine")
	}
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	for table, want := range map[string]string{
		head + "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\neth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n": "192.168.1.1",
		head + "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n":                                                                 "invalid IP",
		"": "invalid IP",
		head + "eth0\t00000000\tzz\t0003\t0\t0\t100\t00000000\t0\t0\t0\n": "invalid IP",
	} {
		if ip, _ := parseRoutes(table); ip.String() != want {
			t.Errorf("%v, want %s of %q", ip, want, table)
		}
	}
}
