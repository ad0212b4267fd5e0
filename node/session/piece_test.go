package session

import "testing"

// What a stream begins with fits into TCP's first ten segments, on paths of the least MTU of IPv6 too.
func TestFirstPiece(t *testing.T) {
	const segment = 1280 - 40 - 32 // without the headers of IPv6, and of TCP with a timestamp
	if sealedLen(firstPiece)+64 > 10*segment {
		t.Errorf("%d bytes do not fit into ten segments of %d", sealedLen(firstPiece), segment)
	}
	st := newStream(nil, 7, "")
	if got := st.piece(); got != firstPiece {
		t.Errorf("a stream begins with %d bytes", got)
	}
	st.credit = 2 * spanData
	if n, err := st.takeCredit(st.piece()); n != firstPiece || err != nil {
		t.Errorf("%d bytes of credit, %v", n, err)
	}
	if got := st.piece(); got != spanData {
		t.Errorf("and goes on with %d", got)
	}
}
