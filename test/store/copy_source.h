/*
 * A stream of COPY without a server. Whoever links it gets its messages in the place of those of a connection: it defines
 * what store/postgres/link.c does for a COPY.
 */
#ifndef TEST_STORE_COPY_SOURCE_H
#define TEST_STORE_COPY_SOURCE_H

#include "base/str.h"
#include "store/postgres/link.h"

#define COPY_SOURCE_MESSAGES_MAX 64

struct copy_source {
    struct link link; /* to begin a copy with */
    struct str messages[COPY_SOURCE_MESSAGES_MAX];
    size_t messages_len;
    size_t given;
    enum err end;  /* of the command, behind the last message */
    char sql[256]; /* what was asked */
};

#endif
