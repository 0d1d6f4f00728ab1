/*
 * Finds members in the JSON of an answer without building a document. It reads what a server of ours says, so it is
 * small, but it never looks past the end, and what is not there is reported as absent.
 */
#ifndef APP_DEMO_SCAN_H
#define APP_DEMO_SCAN_H

#include "base/str.h"

/* The value of the member `name` at the top level of `object`, as raw text; absent when there is none. */
struct str scan_member(struct str object, const char *name);
/* The content of a string member without quotes; absent when it is not a string, or is one with escapes. */
struct str scan_text(struct str object, const char *name);
/* False when the member is not a whole number. */
bool scan_integer(struct str object, const char *name, int64_t *out);

/* The elements of an array, one after the other: *rest begins as the array's raw text. False at its end. */
bool scan_element(struct str *rest, struct str *out);

#endif
