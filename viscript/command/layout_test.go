package command

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/skycoin/viscript/viscript/term"
)

func TestTableFits(t *testing.T) {
	heads := []string{">ID", "NAME", ">BYTES_OF_ALL", "KEY"}
	rows := func() [][]string {
		return [][]string{{"1", "node0", "12", strings.Repeat("k", 66)}, {"12", "日本語の名前", "123456", "short"}}
	}
	for _, c := range []struct {
		columns int
		want    string
	}{
		{0, "ID  NAME          BYTES_OF_ALL  KEY\n" +
			" 1  node0                   12  " + strings.Repeat("k", 66) + "\n" +
			"12  日本語の名前        123456  short\n"},
		{50, "ID  NAME          BYTES_OF_ALL  KEY\n" +
			" 1  node0                   12  kkkkkkkkkkkkkkkkk…\n" +
			"12  日本語の名前        123456  short\n"},
		{29, "ID  NAME          BYTES_OF_A…\n" +
			" 1  node0                  12\n" +
			"12  日本語の名前       123456\n" +
			"not shown: key (wider, or --…\n"},
		{23, "ID  NAME         BYTES…\n" +
			" 1  node0            12\n" +
			"12  日本語の名…  123456\n" +
			"not shown: key (wider,…\n"},
	} {
		var b strings.Builder
		printTable(&b, c.columns, heads, rows())
		if b.String() != c.want {
			t.Errorf("%d columns:\n%swant\n%s", c.columns, &b, c.want)
		}
	}
}

// No row of a table with heads is wider than the terminal, whatever is in it.
func TestTableNeverWraps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := []rune("ab é日\u0301🙂")
	for range 2000 {
		heads := []string{">N", "A", "LONGER HEAD", ">M", "Z"}[:1+random.IntN(5)]
		var rows [][]string
		for range 1 + random.IntN(4) {
			var row []string
			for range heads {
				var cell []rune
				for range random.IntN(30) {
					cell = append(cell, letters[random.IntN(len(letters))])
				}
				row = append(row, string(cell))
			}
			rows = append(rows, row)
		}
		columns := 1 + random.IntN(100)
		var b strings.Builder
		printTable(&b, columns, heads, rows)
		for _, line := range strings.Split(b.String(), "\n") {
			if term.Width(line) > columns {
				t.Fatalf("%q is %d wide on %d columns", line, term.Width(line), columns)
			}
		}
	}
}

func TestProseFlows(t *testing.T) {
	rows := [][]string{{"problem", "left over of app 78, whose keeper is gone: 78.lock"}, {"", "  -> rm /a/long/path/that/somebody/copies/77.token and more words"}}
	var b strings.Builder
	printTable(&b, 45, []string{"", ""}, rows)
	want := "problem  left over of app 78, whose keeper is\n" +
		"         gone: 78.lock\n" +
		"           -> rm\n" +
		"           /a/long/path/that/somebody/copies/77.token\n" +
		"           and more words\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
	var plain strings.Builder
	printTable(&plain, 0, []string{"", ""}, rows)
	if n := strings.Count(plain.String(), "\n"); n != 2 {
		t.Errorf("%d rows without a terminal", n)
	}
}

func TestCount(t *testing.T) {
	for want, n := range map[string]int{"1 process": 1, "0 processes": 0, "2 processes": 2} {
		if got := Count(n, "process"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := Count(3, "app"); got != "3 apps" {
		t.Error(got)
	}
}

func TestUnits(t *testing.T) {
	b := newBench(t)
	b.run("start node", OK)
	b.host.tell = map[string]string{
		"links": `[{"peer":"aa","age_seconds":5.04,"rtt_ms":0.125,"sent_bytes":2048,"addrs":["a","b"]},{"peer":"b","age_seconds":3700,"expires":1,"addrs":[]}]`,
		"info":  `{"expires_seconds":-2.5,"sent_bytes":7,"sent":"x","odd_bytes":"many","huge_bytes":-1,"far_seconds":1e300}`,
		"vpn":   `{"rtt_ns":4647795,"up_ns":63000000000,"sent":{"packets":4,"size_bytes":2048},"dropped":{},"odd":{"a":[]},"capacity_bytes_per_second":1048576}`,
	}
	out, _ := b.run("tell 1 links", OK)
	want := "PEER    AGE       RTT     SENT  ADDRS  EXPIRES\n" +
		"aa     5.0s  0.125 ms  2.0 KiB  a, b\n" +
		"b     1h01m                     -            1\n"
	if out != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
	out, _ = b.run("tell 1 info", OK)
	has(t, out, "expires     -2.5s\n", "sent_bytes  7\n", "sent        x\n", "odd         many\n", "huge        -1\n")
	out, _ = b.run("tell 1 vpn", OK)
	want = "rtt       4.648 ms\nup        1m03s\nsent      packets 4, size 2.0 KiB\ndropped   -\nodd       {\"a\":[]}\ncapacity  1.0 MiB/s\n"
	if out != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
	if got := b.json("tell 1 links"); !strings.Contains(got, `"age_seconds":5.04`) {
		t.Error(got)
	}
}
