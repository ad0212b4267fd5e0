//go:build cgo && linux && !headless

// One jump a function, through its slot. Hidden: libraries loaded later
// keep calling the true ones.
#define F(name) \
	.globl name; .hidden name; .type name, @function; \
	name: jmp *x11lazy_##name(%rip); \
	.size name, . - name;

	.text
#include "names.h"
	.section .note.GNU-stack, "", @progbits
