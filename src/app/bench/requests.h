/*
 * The requests of the benchmarks: what each connection sends next, and which answer is the one wanted.
 */
#ifndef APP_BENCH_REQUESTS_H
#define APP_BENCH_REQUESTS_H

#include "app/bench/drive.h"
#include "app/bench/settings.h"
#include "base/buf.h"
#include "base/random.h"

#define BENCH_SKU_LEN 13 /* bench-0000042 */

/* The working memory of a connection's request. */
struct request_slot {
    struct buf path;
    struct buf body;
    char key[64];
    uint64_t operations; /* that a good answer stands for */
    int wanted_status;
};

struct requests {
    const struct bench_settings *settings;
    struct random random;
    uint64_t run;  /* a part of every idempotency key, so that no two runs share one */
    uint64_t made; /* requests so far */
    struct request_slot *slots;
};

void requests_init(struct requests *r, const struct bench_settings *settings);
void requests_release(struct requests *r);

/* "bench-0000042"; not terminated. */
void bench_sku(uint64_t index, char out[BENCH_SKU_LEN]);

/* An item at random; 0 with --hot. */
uint64_t requests_pick(struct requests *r);

/* Fill `out` from the slot of `connection`. */
void request_read(struct requests *r, unsigned connection, uint64_t sku, struct load_request *out);
void request_reserve(struct requests *r, unsigned connection, uint64_t sku, struct load_request *out);
void request_batch(struct requests *r, unsigned connection, struct load_request *out);
/* One unit more at the first location: a change that every stream is told. */
void request_adjust(struct requests *r, unsigned connection, uint64_t sku, struct load_request *out);
/* A small body to `path` of any server; each 2xx is the answer wanted. */
void request_publish(struct requests *r, unsigned connection, const char *path, struct load_request *out);

/* The operations of an answer, as drive_work wants them: 0 when it is not the one wanted. */
uint64_t requests_judge(const struct requests *r, unsigned connection, const struct load_answer *answer);

/* next and done of drive_work for read, reserve, batch and mixed; `ctx` is the struct requests. */
bool requests_next_cb(void *ctx, unsigned connection, int64_t due_us, struct load_request *out);
uint64_t requests_done_cb(void *ctx, unsigned connection, const struct load_answer *answer);

#endif
