/*
 * Compares JSON with the table that documents it.
 */
#ifndef TEST_API_SHAPE_H
#define TEST_API_SHAPE_H

#include "api/messages.h"

#include <jansson.h>

/* Fails the test unless `value` is an object with exactly members of `m`, of their types, and all required ones. */
void shape_check(const struct message *m, json_t *value);
/* Parses first. */
void shape_check_text(const struct message *m, struct str json);

#endif
