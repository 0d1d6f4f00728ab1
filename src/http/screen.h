/*
 * What is refused before any handler is asked: requests that another HTTP implementation in front of us could read in
 * another way, and what the limits exclude.
 */
#ifndef HTTP_SCREEN_H
#define HTTP_SCREEN_H

#include "base/err.h"
#include "base/str.h"

#include <microhttpd.h>

#define HEADERS_MAX 100
#define HEADER_BYTES_MAX (16 * 1024) /* request line and headers together */
#define REQUEST_ID_BYTES_MAX 128
#define COOKIE_BYTES_MAX 4096 /* libmicrohttpd parses cookies, though nothing here uses them */
#define COOKIES_MAX 64

struct refusal {
    enum err err; /* ERR_OK: none */
    const char *detail;
    bool close; /* where the next request would begin is not certain: answer at once and close */
};

/* The request as libmicrohttpd hands it over, and the length of the target as it was before anybody touched it. */
struct request_head {
    struct MHD_Connection *connection;
    const char *method;
    const char *url;
    const char *version;
    size_t target_len;
};

/* What the headers say that we act on. */
struct screening {
    struct refusal refusal;
    bool has_length;
    uint64_t content_length;
    bool chunked;
    bool expects_continue;
    struct str content_type; /* absent when not sent */
    struct str request_id;   /* absent when not sent or not usable */
};

void screen_head(const struct request_head *head, struct screening *out);

bool screen_is_cookie_too_large(struct str value);

/* True for application/json with nothing but an optional charset=utf-8. */
bool screen_is_json(struct str content_type);

#endif
