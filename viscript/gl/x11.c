//go:build cgo && linux && !headless

#include "x11.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "_cgo_export.h"

static uintptr_t watch_handle;
static int watch_exit;

// Xlib would end the process when this returns.
static int lost(Display *d) {
	(void)d;
	viscriptLost(watch_handle);
	_exit(watch_exit);
}

void viscript_watch(uintptr_t handle, int exit_code) {
	watch_handle = handle;
	watch_exit = exit_code;
	XSetIOErrorHandler(lost);
}

static int64_t now_ms(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// next_event waits for an event of that type until the deadline; 0 if it has passed.
static int next_event(Display *d, int type, int64_t deadline, XEvent *e) {
	for (;;) {
		while (XPending(d)) {
			XNextEvent(d, e);
			if (e->type == type)
				return 1;
		}
		int64_t left = deadline - now_ms();
		struct pollfd p = {XConnectionNumber(d), POLLIN, 0};
		if (left <= 0 || poll(&p, 1, (int)left) < 0)
			return 0;
	}
}

struct text {
	char *p;
	size_t n, limit;
};

// take appends what the property holds and deletes it; the number of bytes, or -1. type tells what it is.
static long take(Display *d, Window w, Atom property, struct text *t, Atom *type) {
	int format;
	unsigned long items, left;
	unsigned char *data = NULL;
	long words = (long)(t->limit - t->n) / 4 + 1;
	if (XGetWindowProperty(d, w, property, 0, words, True, AnyPropertyType, type, &format, &items, &left, &data) != Success)
		return -1;
	long n = format == 8 && left == 0 && t->n + items <= t->limit ? (long)items : -1;
	if (format == 32) // the announcement of a transfer in parts
		n = 0;
	if (n > 0) {
		char *p = realloc(t->p, t->n + (size_t)n);
		if (p) {
			memcpy(p + t->n, data, (size_t)n);
			t->p = p;
			t->n += (size_t)n;
		} else {
			n = -1;
		}
	}
	if (data)
		XFree(data);
	return n;
}

// parts reads a transfer in parts (ICCCM 2.7.2) until an empty one.
static int parts(Display *d, Window w, Atom property, struct text *t, int64_t deadline) {
	XEvent e;
	Atom type;
	for (;;) {
		if (!next_event(d, PropertyNotify, deadline, &e))
			return 0;
		if (e.xproperty.atom != property || e.xproperty.state != PropertyNewValue)
			continue;
		long n = take(d, w, property, t, &type);
		if (n <= 0)
			return n == 0;
	}
}

static int convert(Display *d, Window w, Atom selection, Atom target, struct text *t, int64_t deadline) {
	XEvent e;
	Atom type, property = XInternAtom(d, "VISCRIPT_SELECTION", False);
	XConvertSelection(d, selection, target, property, w, CurrentTime);
	if (!next_event(d, SelectionNotify, deadline, &e) || e.xselection.property != property)
		return 0;
	if (take(d, w, property, t, &type) < 0)
		return 0;
	return type != XInternAtom(d, "INCR", False) || parts(d, w, property, t, deadline);
}

char *viscript_selection(int primary, size_t limit, int timeout_ms, size_t *size, int *latin1) {
	Display *d = XOpenDisplay(NULL);
	if (!d)
		return NULL;
	int64_t deadline = now_ms() + timeout_ms;
	struct text t = {NULL, 0, limit};
	Window w = XCreateSimpleWindow(d, DefaultRootWindow(d), 0, 0, 1, 1, 0, 0, 0);
	XSelectInput(d, w, PropertyChangeMask);
	Atom selection = primary ? XA_PRIMARY : XInternAtom(d, "CLIPBOARD", False);
	*latin1 = 0;
	int ok = convert(d, w, selection, XInternAtom(d, "UTF8_STRING", False), &t, deadline);
	if (!ok && t.n == 0) {
		*latin1 = 1;
		ok = convert(d, w, selection, XA_STRING, &t, deadline);
	}
	XCloseDisplay(d);
	if (!ok) {
		free(t.p);
		return NULL;
	}
	*size = t.n;
	return t.p;
}
