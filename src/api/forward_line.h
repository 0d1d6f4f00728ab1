/*
 * One line to other nodes: a handle of libcurl that makes one try at a time. Used by the thread of the forwarder.
 */
#ifndef API_FORWARD_LINE_H
#define API_FORWARD_LINE_H

#include "api/forward_work.h"

struct forward_line {
    CURL *easy;                /* NULL: was never needed */
    struct forward_work *work; /* NULL: free */
    bool has_head;             /* the last line of the head was received */
    unsigned sends;            /* of this try: more than 1 when libcurl repeated it */
};

/* Tries `work->at`. The line is found again by CURLINFO_PRIVATE. */
void forward_line_begin(
    struct forward_line *l, CURLM *multi, struct forward_work *w, const struct forwarder_limits *limits);
/*
 * After the try has ended with `result`, or to end it: takes the line off, and moves the answer to its work. ERR_INTERNAL
 * in `work->err`: there is an answer that cannot be passed on.
 */
enum try_end forward_line_end(struct forward_line *l, CURLM *multi, CURLcode result);
void forward_line_close(struct forward_line *l);

#endif
