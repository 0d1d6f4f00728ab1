/* What happens next: drawn step by step, first with faults, then without until everything has settled. */
#include "world.h"

#include "base/mem.h"

#define NS_PER_MS 1000000LL
#define SETTLE_MS_MAX 60000
#define SETTLE_TURNS_MAX 20000
#define YEAR_MS (365LL * 86400 * 1000)

/* --- chance and time --------------------------------------------------------------------------------------------------- */

uint64_t world_below(struct world *w, uint64_t bound)
{
    return random_below(&w->random, bound);
}

bool world_chance(struct world *w, uint64_t one_in)
{
    return world_below(w, one_in) == 0;
}

void world_trace(struct world *w, uint64_t value)
{
    w->trace = (w->trace ^ value) * 1099511628211u;
}

int64_t world_mono_ms(const struct world *w)
{
    return w->clock.mono_ns / NS_PER_MS;
}

void world_pass_ns(struct world *w, int64_t ns)
{
    w->clock.mono_ns += ns;
    disk_set_time_ms(w->disk, world_mono_ms(w) + w->clock.wall_ahead_ms);
}

/* --- birth and death of the world ---------------------------------------------------------------------------------------- */

static void draw_plan(struct world *w)
{
    bool *may = (bool *)&w->plan;
    for (size_t i = 0; i < sizeof(w->plan) / sizeof(bool); i++) {
        may[i] = world_chance(w, 2);
    }
    w->plan.pages = world_below(w, 4) > 0;
    w->plan.twins = world_below(w, 4) > 0;
    w->plan.lies = world_chance(w, 8);
    w->plan.floods = world_chance(w, 64);
    w->plan.few_keys = world_chance(w, 3);
    w->plan.big_orders = world_chance(w, 4);
    w->keys_max = w->plan.few_keys ? 4 + world_below(w, 30) : IDEMPOTENCY_KEYS_MAX_DEFAULT;
}

struct world *world_new(uint64_t seed)
{
    struct world *w = mem_new(sizeof(*w));
    w->seed = seed;
    random_init(&w->random, seed);
    w->disk = disk_new(random_u64(&w->random));
    w->clock.mono_ns = 1000000 * NS_PER_MS;
    w->began_ns = w->clock.mono_ns;
    w->clock.wall_ahead_ms = 1750000000000LL + (int64_t)world_below(w, YEAR_MS);
    w->faults_on = true;
    draw_plan(w);
    model_init(&w->model);
    map_init(&w->shown);
    pages_init(w);
    clock_is(&w->clock);
    world_pass_ns(w, 0);
    return w;
}

/* --- ends of lives ------------------------------------------------------------------------------------------------------- */

static void mark_disk(const struct world *w)
{
    const struct disk_counts *now = disk_counts(w->disk);
    static const struct {
        size_t at;
        enum mark mark;
    } ROWS[] = {
        {offsetof(struct disk_counts, sectors_lost), MARK_POWER_LOST_SECTORS},
        {offsetof(struct disk_counts, sectors_kept), MARK_POWER_KEPT_SECTORS},
        {offsetof(struct disk_counts, writes_torn), MARK_POWER_TORE_WRITE},
        {offsetof(struct disk_counts, writes_refused), MARK_WRITE_REFUSED},
        {offsetof(struct disk_counts, writes_short), MARK_WRITE_SHORT},
        {offsetof(struct disk_counts, reads_failed), MARK_READ_FAILED},
        {offsetof(struct disk_counts, syncs_failed), MARK_SYNC_FAILED},
        {offsetof(struct disk_counts, syncs_lied), MARK_SYNC_LIED},
        {offsetof(struct disk_counts, full), MARK_DISK_FULL},
        {offsetof(struct disk_counts, stalls), MARK_STALL},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        if (*(const uint64_t *)((const char *)now + ROWS[i].at) > 0) {
            mark(ROWS[i].mark);
        }
    }
}

/* The disk goes first, so that nothing that is tidied up afterwards reaches it. */
static void end_disk(struct world *w, bool power)
{
    if (power) {
        disk_cut_power(w->disk);
        mark(MARK_LIFE_ENDS_BY_POWER);
    } else {
        disk_kill(w->disk);
    }
}

static void zombie_end(struct world *w)
{
    if (w->zombie != NULL) {
        struct life *l = w->zombie;
        life_end(l);
        w->zombie = NULL;
    }
}

static void end_lives(struct world *w, bool power)
{
    world_trace(w, 7000 + power);
    end_disk(w, power);
    zombie_end(w);
    if (w->life != NULL) {
        pages_lose(w);
        life_end(w->life);
        w->life = NULL;
    }
}

void world_free(struct world *w)
{
    end_lives(w, false);
    mark_disk(w);
    clock_is(NULL);
    commit_free(w->doubt);
    intents_free(w);
    pages_release(w);
    map_release(&w->shown);
    model_release(&w->model);
    disk_free(w->disk);
    mem_free(w);
}

/* --- a life begins ----------------------------------------------------------------------------------------------------------- */

static uint64_t some_calls(struct world *w)
{
    static const uint64_t SPANS[] = {4, 30, 200, 1500};
    return 1 + world_below(w, SPANS[world_below(w, ARRAY_LEN(SPANS))]);
}

static enum disk_call some_call(struct world *w)
{
    return world_chance(w, 2) ? DISK_ANY_CALL : world_chance(w, 2) ? DISK_WRITE : DISK_SYNC;
}

static bool power_or_kill(struct world *w)
{
    return w->plan.power_cuts && (!w->plan.kills || world_chance(w, 2));
}

static void mark_holds_ended(struct world *w)
{
    for (size_t i = 0; i < w->model.reservations_len; i++) {
        const struct model_reservation *r = &w->model.reservations[i];
        if (r->state == RESERVATION_HELD && r->expires_ms < w->model.healthy_since_ms) {
            mark(MARK_HOLD_ENDED_WHILE_DOWN);
            return;
        }
    }
}

static void start_failed(struct world *w)
{
    bool died = disk_is_dead(w->disk);
    mark(died ? MARK_DIED_IN_START : MARK_LIFE_START_FAILED);
    w->starts_died = died ? w->starts_died + 1 : 0;
    if (w->starts_died > 1) {
        mark(MARK_DIED_IN_START_TWICE);
    }
    end_lives(w, died && power_or_kill(w));
}

static void start(struct world *w)
{
    if (w->faults_on && w->plan.deaths && world_chance(w, 3)) {
        disk_die_at(w->disk, some_calls(w), some_call(w));
    }
    w->life = life_begin(w);
    if (w->life == NULL) {
        start_failed(w);
        return;
    }
    w->starts_died = 0;
    if (!verify_doubt(w->life)) {
        return;
    }
    verify_ledger(w->life);
    mark_holds_ended(w);
    if (world_chance(w, 4)) {
        verify_store(w->life);
    }
    if (world_chance(w, 8) && !(w->faults_on && (w->plan.read_errors || w->plan.write_errors || w->plan.deaths))) {
        verify_audit();
    }
    if (model_seq(&w->model) == 0 && w->model.items_len == 0 && w->open_len == 0) {
        clients_set_up(w);
    }
}

/* --- faults -------------------------------------------------------------------------------------------------------------------- */

static void deathly(struct world *w, bool power)
{
    if (!power) {
        mark(MARK_LIFE_ENDS_BY_KILL);
    }
    end_lives(w, power);
}

static void stop_in_peace(struct world *w)
{
    struct life *l = w->life;
    if (l->head.epoch == 0 || !life_stop(l)) {
        return; /* what is wrong with it is looked at after the step */
    }
    mark(MARK_LIFE_ENDS_IN_PEACE);
    pages_lose(w);
    w->life = NULL;
    life_end(l); /* closes the store: the disk is alive */
    end_lives(w, false);
}

/* The process is thought dead, another takes over, and then it comes back with its batch. */
static void become_zombie(struct world *w)
{
    struct life *l = w->life;
    if (w->zombie != NULL || l->batch == NULL || l->committed) {
        return;
    }
    pages_lose(w);
    w->zombie = l;
    w->life = life_begin(w);
    if (w->life == NULL) {
        start_failed(w);
        return;
    }
    if (verify_doubt(w->life)) {
        verify_ledger(w->life);
    }
}

static void zombie_comes_back(struct world *w)
{
    if (w->zombie != NULL) {
        (void)life_run_commit(w->zombie);
        life_turn(w->zombie);
        promise(w->zombie->over || disk_is_dead(w->disk), "I13", "a deposed process goes on");
        zombie_end(w);
    }
}

static void no_page_is_fast(struct world *w)
{
    for (size_t i = 0; i < PAGES; i++) {
        w->pages[i].slow = true;
    }
}

static void healthy_again(struct world *w)
{
    if (w->life != NULL) {
        w->model.healthy_since_ms = ledger_clock_now_ms(&w->life->clock);
    }
}

static void stand_still(struct world *w)
{
    mark(MARK_PAUSE);
    world_pass_ns(w, (int64_t)(1 + world_below(w, 120000)) * NS_PER_MS);
    no_page_is_fast(w);
    healthy_again(w);
}

static void set_wall_clock(struct world *w)
{
    static const int64_t JUMPS[] = {3600000, -3600000, YEAR_MS, -YEAR_MS, 1000, -1000};
    int64_t jump = JUMPS[world_below(w, ARRAY_LEN(JUMPS))];
    if (world_mono_ms(w) + w->clock.wall_ahead_ms + jump < YEAR_MS) {
        return;
    }
    mark(jump > 0 ? MARK_CLOCK_SET_FORWARD : MARK_CLOCK_SET_BACK);
    w->clock.wall_ahead_ms += jump;
    world_pass_ns(w, 0);
}

static uint32_t some_ppm(struct world *w)
{
    static const uint32_t PPM[] = {200, 2000, 20000};
    return PPM[world_below(w, ARRAY_LEN(PPM))];
}

static void vex_disk(struct world *w)
{
    struct disk_faults *f = disk_faults(w->disk);
    const struct plan *p = &w->plan;
    f->refuse_write_ppm = p->write_errors && world_chance(w, 3) ? some_ppm(w) : 0;
    f->short_write_ppm = p->write_errors && world_chance(w, 3) ? some_ppm(w) : 0;
    f->fail_truncate_ppm = p->write_errors && world_chance(w, 3) ? some_ppm(w) : 0;
    f->fail_delete_ppm = p->write_errors && world_chance(w, 3) ? some_ppm(w) : 0;
    f->fail_open_ppm = p->write_errors && world_chance(w, 3) ? some_ppm(w) : 0;
    f->fail_sync_ppm = p->sync_errors && world_chance(w, 2) ? 10 * some_ppm(w) : 0;
    f->fail_read_ppm = p->read_errors && world_chance(w, 2) ? some_ppm(w) : 0;
    f->fail_shm_map_ppm = p->read_errors && world_chance(w, 4) ? some_ppm(w) : 0;
    f->stall_ppm = p->stalls && world_chance(w, 3) ? some_ppm(w) : 0;
    f->stall_us_max = 2000000;
    f->lies = p->lies && world_chance(w, 2);
}

static void fill_disk(struct world *w)
{
    disk_faults(w->disk)->room_bytes = disk_size_bytes(w->disk) + world_below(w, 60000);
    w->full_until_ns = w->clock.mono_ns + (int64_t)world_below(w, 4000) * NS_PER_MS;
    if (w->plan.deaths && world_chance(w, 4)) { /* mostly while the state is taken from the store again */
        disk_die_at(w->disk, 1 + world_below(w, 12), DISK_READ);
    }
}

static void free_disk(struct world *w)
{
    if (w->full_until_ns != 0 && w->clock.mono_ns > w->full_until_ns) {
        disk_faults(w->disk)->room_bytes = DISK_ROOM_UNBOUNDED;
        w->full_until_ns = 0;
    }
}

/* Everything goes on, while the clients wait: what the clock alone brings about. */
static void wait_quietly(struct world *w, int64_t ms)
{
    int64_t until_ms = world_mono_ms(w) + ms;
    while (world_mono_ms(w) < until_ms && w->life != NULL && !w->life->over && !disk_is_dead(w->disk)) {
        struct life *l = w->life;
        (void)life_run_commit(l);
        (void)life_run_lookup(l);
        life_turn(l);
        (void)life_run_project(l);
        if (l->over || disk_is_dead(w->disk)) {
            return;
        }
        life_run_hub(l);
        pages_read_all(w);
        int64_t left_ms = until_ms - world_mono_ms(w);
        int64_t wake_ms = life_is_idle(l) ? life_next_wake_ms(l) : 1;
        wake_ms = wake_ms < 1 ? 1 : wake_ms;
        world_pass_ns(w, (wake_ms < left_ms ? wake_ms : left_ms) * NS_PER_MS);
    }
}

static void wait_long(struct world *w)
{
    static const int64_t SPANS_MS[] = {2000, 20000, 20000, 70000, 70000, 3600000, 90000000};
    wait_quietly(w, 1 + (int64_t)world_below(w, (uint64_t)SPANS_MS[world_below(w, ARRAY_LEN(SPANS_MS))]));
}

static void some_fault(struct world *w)
{
    const struct plan *p = &w->plan;
    switch (world_below(w, 12)) {
    case 0:
        if (p->kills || p->power_cuts) {
            deathly(w, power_or_kill(w));
        }
        return;
    case 1:
    case 2:
        if (p->deaths) {
            disk_die_at(w->disk, some_calls(w), some_call(w));
        }
        return;
    case 3:
        if (p->stops) {
            stop_in_peace(w);
        }
        return;
    case 4:
        if (p->zombies) {
            become_zombie(w);
        }
        return;
    case 5:
        if (p->pauses) {
            stand_still(w);
        }
        return;
    case 6:
        if (p->full_disk) {
            fill_disk(w);
        }
        return;
    case 7:
        if (p->clock_jumps) {
            set_wall_clock(w);
        }
        return;
    case 8:
    case 9:
        vex_disk(w);
        return;
    case 10:
        disk_clear_faults(w->disk);
        return;
    default:
        if (p->long_waits) {
            wait_long(w);
        }
        return;
    }
}

/* --- a step ---------------------------------------------------------------------------------------------------------------------- */

/* A process whose store failed ends itself; a dead disk is a process that died in a call. */
static void look_after(struct world *w)
{
    int64_t waited_ns = (int64_t)disk_take_waited_us(w->disk) * 1000;
    if (waited_ns > 0) {
        world_pass_ns(w, waited_ns);
        if (waited_ns > 100 * NS_PER_MS) {
            healthy_again(w);
        }
        if (waited_ns > 300 * NS_PER_MS) {
            no_page_is_fast(w);
        }
    }
    if (disk_is_dead(w->disk)) {
        mark(MARK_LIFE_ENDS_IN_CALL);
        end_lives(w, power_or_kill(w));
    } else if (w->life != NULL && w->life->over) {
        end_lives(w, false);
    }
    free_disk(w);
}

static void step_of_life(struct world *w)
{
    struct life *l = w->life;
    uint64_t what = world_below(w, 100);
    world_trace(w, what);
    if (what < 30) {
        clients_act(w);
    } else if (what < 52) {
        life_turn(l);
    } else if (what < 67) {
        (void)life_run_commit(l);
    } else if (what < 75) {
        (void)life_run_lookup(l);
    } else if (what < 82) {
        (void)life_run_project(l);
    } else if (what < 86) {
        life_run_hub(l);
    } else if (what < 94) {
        pages_act(w);
    } else if (what < 97) {
        clients_read(w);
    } else if (what < 98) {
        verify_queries(l);
    } else if (w->zombie != NULL) {
        zombie_comes_back(w);
    }
}

static void pass_a_little(struct world *w)
{
    world_pass_ns(w, (int64_t)world_below(w, 3000) * 1000);
    if (world_chance(w, 100)) {
        world_pass_ns(w, (int64_t)world_below(w, 200) * NS_PER_MS);
    }
}

static void step(struct world *w)
{
    pass_a_little(w);
    if (w->life == NULL) {
        if (world_chance(w, 3)) {
            start(w);
        } else {
            world_pass_ns(w, (int64_t)world_below(w, 3000) * NS_PER_MS);
        }
    } else if (world_chance(w, 50)) {
        some_fault(w);
    } else if (w->plan.floods && world_chance(w, 200)) {
        clients_flood(w);
        w->plan.floods = false;
    } else {
        step_of_life(w);
    }
    look_after(w);
}

/* --- the end: without faults ------------------------------------------------------------------------------------------------------- */

static void be_sound(struct world *w)
{
    disk_clear_faults(w->disk);
    disk_die_at(w->disk, 0, DISK_ANY_CALL);
    w->full_until_ns = 0;
    w->faults_on = false;
    zombie_comes_back(w);
    look_after(w);
}

static void settle(struct world *w)
{
    int64_t until_ms = world_mono_ms(w) + SETTLE_MS_MAX;
    for (int i = 0; i < SETTLE_TURNS_MAX; i++) {
        promise(
            world_mono_ms(w) < until_ms, "liveness", "%zu clients have no answer after a minute without faults",
            w->open_len);
        if (w->life == NULL) {
            start(w);
            promise(w->life != NULL, "liveness", "a start on a sound disk fails");
        }
        if (i % 16 == 0) {
            clients_insist(w);
        }
        while (life_run_lookup(w->life)) {
        }
        life_turn(w->life);
        (void)life_run_commit(w->life);
        while (life_run_project(w->life)) {
        }
        world_pass_ns(w, 2 * NS_PER_MS);
        look_after(w);
        if (w->life != NULL && clients_are_done(w) && life_is_idle(w->life)) {
            return;
        }
    }
    broken("liveness", "no rest: %zu clients wait", w->open_len);
}

static void verify_all(struct world *w)
{
    promise(w->life->attempts == NULL, "liveness", "a request was dropped without an answer");
    verify_ledger(w->life);
    verify_store(w->life);
    verify_view(w->life);
    verify_audit();
}

/* Nothing is left of what was only in memory: the next life finds the same. */
static void live_once_more(struct world *w)
{
    if (world_chance(w, 2)) {
        stop_in_peace(w);
    } else {
        end_lives(w, world_chance(w, 2));
    }
    start(w);
    promise(w->life != NULL, "liveness", "a start on a sound disk fails");
    verify_view(w->life);
    verify_store(w->life);
    wait_quietly(w, 3700000); /* all holds but the longest end */
    settle(w);
    verify_all(w);
}

/* After a lie and a power cut the state is an older one, and whole. Clients that were answered were lied to. */
static void end_of_a_lie(struct world *w)
{
    be_sound(w);
    end_lives(w, true);
    w->epoch_seen = 0;
    w->life = life_begin(w);
    promise(w->life != NULL, "I7", "a start after a lie fails");
    verify_prefix(w->life);
    verify_audit();
}

static bool lie_is_over(const struct world *w)
{
    return w->plan.lies && disk_counts(w->disk)->syncs_lied > 0;
}

void world_run(struct world *w, uint64_t steps)
{
    /* Some runs are long: a few faults need many others before them. */
    steps = world_chance(w, 8) ? 4 * steps : steps;
    uint64_t lie_until = UINT64_MAX;
    bool power = w->plan.power_cuts;
    if (w->plan.lies) {
        w->plan.power_cuts = false; /* the one power cut comes at the end */
    }
    for (place.step = 0; place.step < steps && place.step < lie_until; place.step++) {
        step(w);
        if (lie_is_over(w) && lie_until == UINT64_MAX) {
            lie_until = place.step + world_below(w, 300);
        }
    }
    if (lie_until != UINT64_MAX) {
        if (disk_faults(w->disk)->lies) {
            end_of_a_lie(w);
            return;
        }
        w->plan.power_cuts = power;
    }
    be_sound(w);
    settle(w);
    pages_settle(w);
    verify_all(w);
    live_once_more(w);
}
