#include <stddef.h>
#include <stdint.h>

// viscript_watch has viscriptLost(handle) called when the connection to the X server breaks; the
// process then ends with exit_code.
void viscript_watch(uintptr_t handle, int exit_code);

// viscript_selection reads the clipboard or the primary selection over a connection of its own, at
// most limit bytes within timeout_ms. The result is to be freed; NULL: there is none. Of STRING
// (ISO 8859-1) instead of UTF-8 latin1 becomes 1.
char *viscript_selection(int primary, size_t limit, int timeout_ms, size_t *size, int *latin1);
