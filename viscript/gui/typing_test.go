package gui

import (
	"testing"
	"time"
)

func TestOthersWaitWhileSomebodyTypes(t *testing.T) {
	begin := time.Unix(100, 0)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	var ty typing
	ty.clock(5*time.Second, at(0))
	if !ty.mayGoOn("t1", at(0), at(1)) {
		t.Error("a frame waits though nobody types")
	}
	ty.typed("t2", at(10))
	if !ty.mayGoOn("t2", at(9), at(11)) {
		t.Error("the terminal that is typed in waits")
	}
	if ty.mayGoOn("t1", at(0), at(20)) {
		t.Error("another one does not")
	}
	if due, ok := ty.due(); !ok || due != 5*time.Second+othersEvery {
		t.Errorf("due %v %v", due, ok)
	}
	if !ty.mayGoOn("t1", at(0), at(120)) {
		t.Error("it waits for too long")
	}
	if !ty.mayGoOn("t1", at(300), at(311)) {
		t.Error("it waits after the typing")
	}
}
