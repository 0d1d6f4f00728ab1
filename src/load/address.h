/*
 * Where the load goes.
 */
#ifndef LOAD_ADDRESS_H
#define LOAD_ADDRESS_H

#include "base/err.h"

#include <stdint.h>
#include <sys/socket.h>

struct load_address {
    struct sockaddr_storage address;
    socklen_t len;
    char host_header[300]; /* "127.0.0.1:8080", "[::1]:8080" */
};

/* `host` is an IPv4 or IPv6 address or a name. ERR_CONFIG with a note when it cannot be resolved or is too long. */
MUST_CHECK enum err load_resolve(const char *host, uint16_t port, struct load_address *out, struct err_note *note);

/* A new non-blocking socket whose connection is begun; -1 with errno when it cannot be. */
int load_connect(const struct load_address *a);

#endif
