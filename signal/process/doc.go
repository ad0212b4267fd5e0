// Package process starts, keeps, watches and stops one child and what it started in turn.
//
//	p, err := process.Start(process.Spec{ID: 7, Run: "/state/run", Path: "/usr/bin/sleep", Args: []string{"60"}, Log: "/state/logs/7-sleep.log"})
//	<-p.Done()            // closed when the child has ended; p.Exit() then tells how
//	p.Stop(ctx, ask, l)   // ask, then SIGTERM, then SIGKILL, until nothing of the tree is left
//	p.Release()           // let it run on; Adopt finds it again, in this process or the next
//
// Between the caller and the child stands a keeper, a process of its own that runs Keep:
//
//	caller ── Unix socket ── keeper (one per id, own session, subreaper) ── pipe or pty ── child ── ...
//	                           │
//	                           └── run/ID.lock .sock .json .exit, the log and its older files
//
// The keeper is the parent of the child and, being a subreaper, becomes the parent of
// every orphan below it: the tree of a kept child is exactly what is below the keeper. It
// reads the output, writes and rotates the log, keeps the end of it for those who attach,
// records how the child ended, and climbs the ladder of a stop to its end, also when the
// caller has gone in the middle. It ends when nothing of the tree is left.
//
// When the keeper was killed, the child goes on without: it is then known by its pid and
// start time in this boot, its tree by parent, process group, session and the mark in
// its first environment, and its exit code by its pidfd where the kernel tells. It holds
// its output pipe open itself, so that it is not killed by its next line, and whoever
// watches it reads on; only what the keeper had read and not yet written is lost. A terminal lasts as long as somebody
// holds its other side, so whoever watches holds that too: the child outlives its keeper, but not keeper
// and watcher. A process whose start time or boot differs from the record is a
// stranger: no signal goes to it. Whatever cannot be checked is left alone.
//
// What it is not: it decides nothing about restarts (Restarter counts, the caller acts) and
// knows no names. Linux only: it reads /proc and uses pidfds.
package process
