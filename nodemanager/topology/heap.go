package topology

// heap is a binary heap, the least element first. container/heap would box every element.
type heap[T interface{ before(T) bool }] struct{ a []T }

func (h *heap[T]) len() int { return len(h.a) }

func (h *heap[T]) push(v T) {
	h.a = append(h.a, v)
	for i := len(h.a) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.a[i].before(h.a[up]) {
			return
		}
		h.a[i], h.a[up] = h.a[up], h.a[i]
		i = up
	}
}

func (h *heap[T]) pop() T {
	top, last := h.a[0], len(h.a)-1
	h.a[0] = h.a[last]
	clear(h.a[last:])
	h.a = h.a[:last]
	h.sink(0)
	return top
}

func (h *heap[T]) sink(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h.a); c++ {
			if h.a[c].before(h.a[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		h.a[i], h.a[least] = h.a[least], h.a[i]
		i = least
	}
}
