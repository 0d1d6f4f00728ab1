/*
 * The fingerprint of a command: SHA-256 over its decoded members, each with its length. Two spellings of the same
 * request (white space, order of members, escapes) have the same one.
 */
#ifndef API_FINGERPRINT_H
#define API_FINGERPRINT_H

#include "core/command.h"

#define FINGERPRINT_BYTES 32

struct fingerprinter;

/* One per thread. */
struct fingerprinter *fingerprinter_new(void);
void fingerprinter_free(struct fingerprinter *f); /* accepts NULL */

/* Of everything that the client said: the id of a new reservation is not among it. */
void fingerprint_of(struct fingerprinter *f, const struct command *command, uint8_t out[FINGERPRINT_BYTES]);

#endif
