package signal

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// readTop asks the runtime for its numbers, without stopping the program.
func readTop(begun time.Time) Top {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/objects:objects"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/cgo/go-to-c-calls:calls"},
	}
	metrics.Read(samples)
	number := func(i int) uint64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return samples[i].Value.Uint64()
	}
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	return Top{
		Goroutines:     runtime.NumGoroutine(),
		HeapBytes:      number(0),
		HeapObjects:    number(1),
		GCRuns:         number(2),
		GCPauseSeconds: gc.PauseTotal.Seconds(),
		AllocatedBytes: number(3),
		StackBytes:     number(4),
		RuntimeBytes:   number(5),
		CgoCalls:       number(6),
		MaxProcs:       runtime.GOMAXPROCS(0),
		UptimeSeconds:  time.Since(begun).Seconds(),
	}
}
