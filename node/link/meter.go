package link

import "sync/atomic"

// figures are what a carrier's own machinery knows of a link; 0 means unknown.
type figures struct {
	loss     atomic.Uint32 // segments sent again per million, smoothed
	capacity atomic.Uint64 // bytes a second that have been delivered at best, slowly forgotten
}

// forget is how fast an older, better delivery rate fades: by 1/32 a measurement, which is a second while busy.
const forget = 32

// delivered folds in one measurement of the delivery rate. A link that is not filled shows less than it
// could carry, so the best of late counts.
func (f *figures) delivered(rate uint64) {
	old := f.capacity.Load()
	f.capacity.Store(max(rate, old-old/forget))
}

// lost folds in that resent of sent segments had to be sent again (gain 1/4).
func (f *figures) lost(resent, sent uint32) {
	ppm := int64(min(uint64(resent)*1e6/uint64(max(sent, 1)), 1e6))
	old := int64(f.loss.Load())
	f.loss.Store(uint32(old + (ppm-old)/4))
}
