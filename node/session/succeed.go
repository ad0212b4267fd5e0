package session

// A node that was killed and came back begins a new session, while the old one still waits for a way to resume. What is sent to that
// node belongs on the new one.

// replaces reports whether s, which the peer began, is to be used instead of old; nil: there is none. A peer that has a session uses it, so one
// that begins another has lost the one before.
func (s *Session) replaces(old *Session) bool {
	return old == nil || !old.initiator || old.stranded()
}

// stranded reports whether there is no way to the peer that has answered of late.
func (s *Session) stranded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active == nil || s.active.silent || s.active.gone.Load() != 0
}

// otherLocked is a session to the peer of s, of its terms, that is not stranded, which is used from now on; s itself if there is none. The caller holds mu.
func (h *Host) otherLocked(s *Session) *Session {
	for _, o := range h.all {
		if o == s || o.remote != s.remote || o.terms != s.terms || !o.serves() || o.Err() != nil {
			continue
		}
		select {
		case <-o.ready:
		default:
			continue
		}
		if !o.stranded() {
			h.byPeer[whom{s.remote, s.terms}] = o
			return o
		}
	}
	return s
}
