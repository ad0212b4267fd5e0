//go:build cgo && linux && !headless

// One jump a function, through its slot; x16 is free for that (IP0 of
// the procedure call standard). Hidden: libraries loaded later keep calling the true ones.
#define F(name) \
	.globl name; .hidden name; .type name, %function; \
	name: adrp x16, x11lazy_##name; ldr x16, [x16, :lo12:x11lazy_##name]; br x16; \
	.size name, . - name;

	.text
#include "names.h"
	.section .note.GNU-stack, "", %progbits
