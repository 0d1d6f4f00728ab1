/*
 * Reads the heads of HTTP/1.1 responses from a growing buffer. Pure: bytes in, a head out.
 */
#ifndef LOAD_RESPONSE_H
#define LOAD_RESPONSE_H

#include "base/str.h"

/* How the end of the body is found (RFC 9112 section 6.3). */
enum response_body {
    BODY_OF_LENGTH, /* body_len bytes; 0 also without a body by status or method */
    BODY_IN_CHUNKS,
    BODY_UNTIL_CLOSE,
};

struct response_head {
    int status;      /* 200..599; interim 1xx answers are skipped by the reader */
    size_t head_len; /* bytes up to and including the empty line, with skipped interim answers */
    enum response_body body;
    size_t body_len; /* 0 unless BODY_OF_LENGTH */
    bool keep_alive;
    bool replayed;           /* Idempotent-Replayed: true */
    uint32_t retry_after_s;  /* 0: not sent, or not a number of seconds */
    struct str content_type; /* borrowed from the bytes; absent when not sent */
};

enum response_read { RESPONSE_INCOMPLETE, RESPONSE_COMPLETE, RESPONSE_BROKEN };

#define RESPONSE_HEAD_BYTES_MAX (32 * 1024)
#define RESPONSE_BODY_BYTES_MAX (64 * 1024 * 1024)

/* COMPLETE when the head has ended (the body may not be there yet). `head_only`: the request was a HEAD. */
enum response_read response_read_head(struct str bytes, bool head_only, struct response_head *out);

#endif
