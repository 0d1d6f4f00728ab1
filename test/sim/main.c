/*
 * onhand-sim: whole lifetimes of the system in one thread, from a seed.
 *
 *   onhand-sim --seed 17 [--steps 2000]     one seed, and what it did
 *   onhand-sim --seeds 1-1000               many; stops at the first that breaks a promise
 *   onhand-sim --seeds 1- --minutes 30      as many as fit
 *
 *   --twice   each seed runs twice and has to give the same trace
 *   --marks   shows which states were reached; fails when one was not
 *
 * Exit code 0: every promise held. 1: one did not, and the last lines say which and how to see it again. 2: usage.
 */
#include "availability/availability.h"
#include "base/log.h"
#include "base/mem.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
    uint64_t first, last;
    uint64_t steps;
    uint64_t minutes; /* 0: no limit */
    bool twice, marks, one;
};

struct totals {
    uint64_t runs, operations, facts, lives;
    double hours;
};

static int usage(void)
{
    fprintf(
        stderr, "usage: onhand-sim --seed N | --seeds A-B | --seeds A- --minutes M  [--steps M] [--twice] [--marks]\n");
    return 2;
}

static bool read_number(const char *text, uint64_t *out)
{
    return text != NULL && str_to_u64(str_from(text), UINT64_MAX, out);
}

static bool read_range(const char *text, struct options *o)
{
    const char *dash = text == NULL ? NULL : strchr(text, '-');
    if (dash == NULL || !str_to_u64((struct str){text, (size_t)(dash - text)}, UINT64_MAX, &o->first)) {
        return false;
    }
    o->last = UINT64_MAX;
    return dash[1] == '\0' || (read_number(dash + 1, &o->last) && o->last >= o->first);
}

static bool read_options(int argc, char **argv, struct options *o)
{
    *o = (struct options){.steps = 2000};
    bool given = false;
    for (int i = 1; i < argc; i++) {
        bool ok = true;
        if (strcmp(argv[i], "--twice") == 0) {
            o->twice = true;
        } else if (strcmp(argv[i], "--marks") == 0) {
            o->marks = true;
        } else if (strcmp(argv[i], "--seed") == 0) {
            ok = read_number(argv[++i], &o->first);
            o->last = o->first;
            given = o->one = true;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            ok = read_range(argv[++i], o);
            given = true;
        } else if (strcmp(argv[i], "--steps") == 0) {
            ok = read_number(argv[++i], &o->steps);
        } else if (strcmp(argv[i], "--minutes") == 0) {
            ok = read_number(argv[++i], &o->minutes);
        } else {
            ok = false;
        }
        if (!ok) {
            return false;
        }
    }
    return given && (o->last != UINT64_MAX || o->minutes > 0);
}

static uint64_t run(uint64_t seed, const struct options *o, struct totals *t)
{
    place.seed = seed;
    struct world *w = world_new(seed);
    world_run(w, o->steps);
    uint64_t trace = w->trace ^ disk_trace(w->disk);
    double hours = (double)(w->mono_ns - w->began_ns) / 3.6e12;
    t->runs++;
    t->operations += w->operations;
    t->facts += model_seq(&w->model);
    t->lives += w->lives;
    t->hours += hours;
    if (o->one) {
        printf(
            "seed %" PRIu64 ": trace %016" PRIx64 ", %" PRIu64 " operations, %" PRIu64 " movements, %" PRIu64
            " lives, %.1f simulated hours\n",
            seed, trace, w->operations, model_seq(&w->model), w->lives, hours);
    }
    world_free(w);
    return trace;
}

int main(int argc, char **argv)
{
    struct options o;
    struct totals t = {0};
    struct totals again = {0};
    if (!read_options(argc, argv, &o)) {
        return usage();
    }
    place.program = argv[0];
    place.steps = o.steps;
    broken_catch_signals();
    log_level_set(LOG_ERROR);
    availability_reader_register();
    time_t until = o.minutes == 0 ? 0 : time(NULL) + (time_t)o.minutes * 60;
    uint64_t seed = o.first;
    for (;; seed++) {
        uint64_t trace = run(seed, &o, &t);
        promise(!o.twice || run(seed, &o, &again) == trace, "determinism", "two runs of one seed differ");
        if (seed == o.last || (until != 0 && time(NULL) >= until)) {
            break;
        }
    }
    unsigned missed = o.marks ? marks_print() : 0;
    printf(
        "totals suite=sim seeds=%" PRIu64 "-%" PRIu64 " runs=%" PRIu64 " operations=%" PRIu64
        " simulated_hours=%.0f failures=0\n",
        o.first, seed, t.runs, t.operations, t.hours);
    printf("%" PRIu64 " movements, %" PRIu64 " lives\n", t.facts, t.lives);
    printf("%" PRIu64 " passed, %u failed\n", t.runs, missed > 0);
    availability_reader_unregister();
    return missed == 0 ? 0 : 1;
}
