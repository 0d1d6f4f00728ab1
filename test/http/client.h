/*
 * A raw HTTP client for tests: bytes out, parsed answers in. Fails the test when nothing comes for ten seconds.
 */
#ifndef TEST_HTTP_CLIENT_H
#define TEST_HTTP_CLIENT_H

#include "base/buf.h"

/* One connection. What was received and not yet read waits in `in`. */
struct client {
    int fd;
    struct buf in;
};

struct answer {
    int status;
    struct buf head; /* status line and headers, with the blank line; terminated */
    struct buf body; /* without chunk framing; terminated */
};

void client_open(struct client *c, uint16_t port);
/* Also with a small receive buffer, for a client that does not read. */
void client_open_small(struct client *c, uint16_t port);
/* True when nobody listens on the port. */
bool client_is_refused(uint16_t port);
void client_close(struct client *c);
void client_send(struct client *c, struct str bytes);
void client_send_text(struct client *c, const char *text);
void client_half_close(struct client *c);
/* Reads one answer; `no_body` for HEAD. Release it with answer_release. */
void client_read(struct client *c, bool no_body, struct answer *out);
/* Reads status line and headers only. */
void client_read_head(struct client *c, struct answer *out);
/* Waits until the received bytes contain `text`; drops everything up to its end. */
void client_await(struct client *c, const char *text);
/* Everything until the server closes; terminated, to be freed with buf_release. */
void client_read_to_end(struct client *c, struct buf *out);
/* True when the server has closed and sent nothing more. */
bool client_is_closed(struct client *c);

void answer_release(struct answer *a);
/* The value of a header, absent when there is none. */
struct str answer_header(const struct answer *a, const char *name);

/* One request on a connection of its own. */
void client_ask(uint16_t port, const char *request, struct answer *out);

#endif
