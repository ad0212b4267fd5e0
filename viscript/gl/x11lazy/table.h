// x11lazy_load opens the libraries and fills the slots; NULL, or what is missing
// in a static buffer. Not safe for concurrent use.
const char *x11lazy_load(void);
