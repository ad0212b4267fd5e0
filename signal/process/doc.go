// Package process starts, watches and stops one child and what it started in turn.
//
//	p, err := process.Start(process.Spec{Path: "/usr/bin/sleep", Args: []string{"60"}, Log: "/state/logs/7-sleep.log"})
//	<-p.Done()            // closed when the child was reaped; p.Exit() then tells how it ended
//	p.Stop(ctx, ask, l)   // ask, then SIGTERM, then SIGKILL, until nothing of the tree is left
//
// The tree of a child is its descendants by parent, the members of its process group, the
// processes seen in it earlier (they may have changed parent since), and, when stopping,
// every process whose first environment carries Spec.Mark. A process is known by its pid
// and its start time together: no signal goes to a pid whose start time differs.
//
// What it is not: it keeps no child across a death of the caller, restarts nothing and
// rotates no logs. Linux only: it reads /proc and uses pidfds.
package process
