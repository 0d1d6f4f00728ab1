/* Brokers as they stand in a URL of the configuration. */
#ifndef BUS_AMQP_PLACE_H
#define BUS_AMQP_PLACE_H

#include "base/err.h"

#include <stdint.h>

#define PLACES_MAX 8

struct place {
    char *host;
    uint16_t port;
    char *user;
    char *password;
    char *vhost;
};

struct places {
    struct place of[PLACES_MAX];
    unsigned len;
};

/* As bus_amqp_open() says. ERR_CONFIG with a note; `out` is empty then. */
MUST_CHECK enum err places_parse(const char *urls, struct places *out, struct err_note *note);
void places_release(struct places *p);

#endif
