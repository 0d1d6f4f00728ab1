/*
 * Cursors of lists: the key of the last row of a page in base64url, opaque to clients.
 */
#ifndef API_CURSOR_H
#define API_CURSOR_H

#include "base/buf.h"

#define CURSOR_KEY_BYTES_MAX 64

void cursor_put(struct buf *out, struct str key);
void cursor_put_seq(struct buf *out, uint64_t seq);

/* False: no cursor that cursor_put made. `out_key` points into `room`. */
bool cursor_parse(struct str cursor, char room[CURSOR_KEY_BYTES_MAX], struct str *out_key);
bool cursor_parse_seq(struct str cursor, uint64_t *out_seq);

#endif
