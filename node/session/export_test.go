package session

// Calm makes a host that has no sessions yet wait for everything as long as a test does: a machine that stands still for some seconds
// changes nothing then. What Config.Outage said stays.
func (h *Host) Calm() {
	outage := h.timing.outage
	h.timing = calm
	h.timing.outage = outage
}
