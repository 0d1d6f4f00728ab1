/* onhand-sim: whole lifetimes of the system in one thread, from a seed. See seeds.h for what it is told. */
#include "availability/availability.h"
#include "seeds.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t run(struct suite *s, uint64_t seed, bool one)
{
    struct world *w = world_new(seed);
    world_run(w, s->steps);
    uint64_t trace = w->trace ^ disk_trace(w->disk);
    double hours = (double)(w->clock.mono_ns - w->began_ns) / 3.6e12;
    s->operations += w->operations;
    s->hours += hours;
    if (one) {
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
    struct suite s = {.name = "sim", .steps = 2000, .run = run};
    availability_reader_register();
    int code = seeds_main(&s, argc, argv);
    availability_reader_unregister();
    return code;
}
