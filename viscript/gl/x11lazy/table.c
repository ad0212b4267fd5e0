//go:build cgo && linux && !headless && (amd64 || arm64)

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "table.h"

#define F(name) __attribute__((visibility("hidden"))) void *x11lazy_##name;
#include "names.h"
#undef F

static const struct {
	const char *name;
	void **slot;
} table[] = {
#define F(name) {#name, &x11lazy_##name},
#include "names.h"
#undef F
};

static char why[256];

static const char *failed(const char *what) {
	snprintf(why, sizeof why, "%s", what);
	return why;
}

const char *x11lazy_load(void) {
	void *x11 = dlopen("libX11.so.6", RTLD_NOW | RTLD_GLOBAL);
	if (!x11)
		return failed(dlerror());
	void *gl = dlopen("libGL.so.1", RTLD_NOW | RTLD_GLOBAL);
	if (!gl)
		return failed(dlerror());
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		void *lib = strncmp(table[i].name, "glX", 3) == 0 ? gl : x11;
		void *f = dlsym(lib, table[i].name);
		if (!f)
			return failed(dlerror());
		*table[i].slot = f;
	}
	return NULL;
}
