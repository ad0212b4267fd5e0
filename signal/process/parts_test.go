//go:build linux

package process

import "testing"

func TestInOrder(t *testing.T) {
	members := []Stat{
		{Pid: 30, Parent: 20, Start: 3}, {Pid: 10, Parent: 1, Start: 1}, {Pid: 40, Parent: 10, Start: 2}, {Pid: 20, Parent: 10, Start: 1},
		{Pid: 50, Parent: 60, Start: 9}, {Pid: 60, Parent: 50, Start: 8}, // a circle
		{Pid: 70, Parent: 1, Start: 5}, // an orphan
	}
	var got []int
	for _, s := range inOrder(members) {
		got = append(got, s.Pid)
	}
	want := []int{10, 20, 30, 40, 70, 60, 50}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	if len(inOrder(nil)) != 0 {
		t.Error("no processes make some")
	}
}
