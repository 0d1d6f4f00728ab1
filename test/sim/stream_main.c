/* onhand-stream-sim: the stream between the two services in one thread, from a seed. See seeds.h for what it is told. */
#include "seeds.h"
#include "stream.h"

#include <inttypes.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdio.h>

void __wrap_log_line(enum log_level level, const char *event, const char *format, ...);

/* Nodes that begin anew, and brokers that are away, are not worth a line each here. */
void __wrap_log_line(enum log_level level, const char *event, const char *format, ...)
{
    (void)level;
    (void)event;
    (void)format;
}

static uint64_t run(struct suite *s, uint64_t seed, bool one)
{
    struct stream *w = stream_new(seed);
    stream_run(w, s->steps);
    uint64_t trace = w->trace;
    double hours = (double)(w->clock.mono_ns - w->began_ns) / 3.6e12;
    s->operations += w->commits;
    s->hours += hours;
    if (one) {
        printf(
            "seed %" PRIu64 ": trace %016" PRIx64 ", %" PRIu64 " commits, %zu movements, %zu stores, %.1f simulated "
            "seconds\n",
            seed, trace, w->commits, stream_past(w)->facts_len, w->past + 1, hours * 3600);
    }
    stream_free(w);
    return trace;
}

int main(int argc, char **argv)
{
    struct suite s = {.name = "stream", .steps = 250, .run = run};
    /* A world's memory is the next one's: giving it back between them takes longer than some worlds. */
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    mallopt(M_TOP_PAD, 1 << 22);
    /* Kept files are in memory, each under its name. */
    sqlite3_initialize();
    sqlite3_vfs_register(sqlite3_vfs_find("memdb"), 1);
    availability_reader_register();
    int code = seeds_main(&s, argc, argv);
    availability_reader_unregister();
    return code;
}
