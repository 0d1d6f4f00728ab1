/*
 * The way of one write: decode, submit to the inventory service, keep the exchange, answer when the batch is durable.
 */
#ifndef API_WRITE_H
#define API_WRITE_H

#include "api/service.h"

/* The largest answer of one write: a reservation of RESERVATION_PARTS_MAX parts. */
#define ANSWER_BYTES_MAX (512 * 1024)

struct batch_run;

struct write {
    struct request request;
    struct api *api;
    struct exchange *exchange; /* the answer goes there; in a batch: NULL */
    struct batch_run *batch;   /* NULL: alone */
    struct decoded decoded;
    uint64_t version;                        /* of the level that a set wrote */
    char key[IDEMPOTENCY_KEY_BYTES_MAX + 1]; /* terminated when it was derived */
};

void write_init(struct write *w, struct api *api);
void write_release(struct write *w);

/* A write of this exchange, freed with it. */
struct write *write_new(struct exchange *x, struct api *api);

/* Decodes the body into the command. False: it has answered. */
bool write_decode(struct write *w, const struct message *m, enum command_kind kind, bool optional);

/* The fingerprint of a decoded command, when it has a key. */
void write_fingerprint(struct write *w, struct api_thread *t);

/* Hands over to the inventory service; write_answer runs later. The exchange is kept. */
void write_submit(struct write *w);

/* A whole POST: arguments, key, body, submit. `id` names the reservation of a transition; NULL: none. */
void write_post(
    struct exchange *x,
    struct api *api,
    enum command_kind kind,
    const struct message *m,
    bool optional,
    const struct uuid *id);

/*
 * The Idempotency-Key header: bare, or a Structured Field string whose escapes are undone, into `room`. False: it has
 * answered.
 */
bool write_take_key(struct exchange *x, char room[IDEMPOTENCY_KEY_BYTES_MAX], struct str *out);

/* The same without an exchange: ERR_OK, ERR_KEY_MISSING or ERR_KEY_INVALID. */
MUST_CHECK enum err write_parse_key(struct str header, char room[IDEMPOTENCY_KEY_BYTES_MAX], struct str *out);

/* For request_ops.render of every write. */
void write_render(struct request *r, const struct result *result, const struct changes *changes);

#endif
