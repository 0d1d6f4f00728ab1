/*
 * What a benchmark was asked to do.
 */
#ifndef APP_BENCH_SETTINGS_H
#define APP_BENCH_SETTINGS_H

#include "app/options.h"

#define BENCH_HOST_MAX 256

enum bench_work { BENCH_READ, BENCH_RESERVE, BENCH_BATCH, BENCH_MIXED, BENCH_STREAM, BENCH_RECOVER, BENCH_WORKS };

extern const char *const bench_work_names[BENCH_WORKS];

struct bench_settings {
    enum bench_work work;
    bool is_remote; /* host and port were given: the server runs already */
    char host[BENCH_HOST_MAX];
    uint64_t port;
    const char *data; /* NULL: a temporary directory */
    uint64_t connections;
    uint64_t seconds;
    uint64_t warmup_s;
    uint64_t rate; /* requests a second, open loop; 0: closed loop */
    uint64_t skus;
    uint64_t locations;
    bool hot;
    uint64_t operations; /* of a batch */
    uint64_t streams;
    uint64_t follow;       /* SKUs of each stream */
    const char *path;      /* NULL: availability */
    const char *subscribe; /* both or none */
    const char *publish;
    bool spin;        /* the load never sleeps */
    const char *json; /* NULL: none; "-": instead of the table */
};

/* The arguments after "bench": the work, then options. ERR_INVALID, ERR_CONFIG with a note. */
MUST_CHECK enum err settings_read(int argc, char **argv, struct bench_settings *out, struct err_note *note);

/* Nothing is set up on the server: the paths to use were given. */
bool settings_are_raw(const struct bench_settings *s);

#endif
