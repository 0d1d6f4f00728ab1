/* The URL of a broker, taken apart: scheme://[user[:password]@]host[:port][/path] */
#ifndef BUS_ENDPOINT_H
#define BUS_ENDPOINT_H

#include "base/str.h"

/* Borrows from the URL. Nothing is unescaped. What is absent is empty. */
struct endpoint {
    struct str user;
    struct str password;
    struct str host; /* of an IPv6 address, without its brackets */
    uint16_t port;
    struct str path; /* behind the slash */
};

/* False: not of this form, another scheme, no host, or no usable port. */
bool endpoint_parse(struct str url, const char *scheme, uint16_t port_default, struct endpoint *out);

#endif
