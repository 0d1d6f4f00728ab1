#include "seeds.h"

#include "base/log.h"
#include "base/str.h"
#include "broken.h"
#include "marks.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

struct options {
    uint64_t first, last;
    uint64_t minutes; /* 0: no limit */
    bool twice, marks, one;
};

static int usage(const char *program)
{
    fprintf(
        stderr, "usage: %s --seed N | --seeds A-B | --seeds A- --minutes M  [--steps M] [--twice] [--marks]\n",
        program);
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

static bool read_options(int argc, char **argv, struct options *o, uint64_t *steps)
{
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
            ok = read_number(argv[++i], steps);
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

static uint64_t run(struct suite *s, uint64_t seed, bool one)
{
    place.seed = seed;
    return s->run(s, seed, one);
}

/* The same seed once more, which counts for nothing. */
static void run_again(const struct suite *s, uint64_t seed, uint64_t trace)
{
    struct suite again = *s;
    promise(run(&again, seed, false) == trace, "determinism", "two runs of one seed differ");
}

int seeds_main(struct suite *s, int argc, char **argv)
{
    struct options o = {0};
    if (!read_options(argc, argv, &o, &s->steps)) {
        return usage(argv[0]);
    }
    place.program = argv[0];
    place.steps = s->steps;
    broken_catch_signals();
    log_level_set(LOG_ERROR);
    time_t until = o.minutes == 0 ? 0 : time(NULL) + (time_t)o.minutes * 60;
    uint64_t runs = 0;
    uint64_t seed = o.first;
    for (;; seed++) {
        uint64_t trace = run(s, seed, o.one);
        runs++;
        if (o.twice) {
            run_again(s, seed, trace);
        }
        if (seed == o.last || (until != 0 && time(NULL) >= until)) {
            break;
        }
    }
    unsigned missed = o.marks ? marks_print() : 0;
    printf(
        "totals suite=%s seeds=%" PRIu64 "-%" PRIu64 " runs=%" PRIu64 " operations=%" PRIu64
        " simulated_hours=%.0f failures=0\n",
        s->name, o.first, seed, runs, s->operations, s->hours);
    printf("%" PRIu64 " passed, %u failed\n", runs, missed > 0);
    return missed == 0 ? 0 : 1;
}
