/*
 * Listen sockets that share one port.
 */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include "base/err.h"

#include <stdint.h>

/*
 * Opens `count` sockets on `host` and `*port`, each with its own queue (SO_REUSEPORT). Port 0: any free one, returned
 * in `*port`. On failure none is left open.
 */
MUST_CHECK enum err listen_open(const char *host, uint16_t *port, unsigned count, int *out_fds, struct err_note *note);

#endif
