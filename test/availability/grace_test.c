#include "test.h"

#include "availability/grace.h"
#include "base/mem.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define LIST 1024

/* A list of `len` answers; each says "kept". */
static struct rendered *list_new(size_t len)
{
    struct rendered *list = NULL;
    for (size_t i = 0; i < len; i++) {
        struct rendered *r = mem_new(sizeof(*r) + 5);
        memcpy(r->bytes, "kept", 5);
        r->next = list;
        list = r;
    }
    return list;
}

static void what_a_reader_holds_is_not_freed_until_it_lets_go(void **state)
{
    (void)state;
    struct grace g;
    assert_int_equal(grace_start(&g), ERR_OK);
    struct rendered *held = list_new(1);
    grace_give(&g, held);
    grace_give(&g, NULL);
    grace_give(&g, list_new(3));
    usleep(30000); /* longer than a round: the address sanitizer would see a use after free */
    assert_string_equal(held->bytes, "kept");
    availability_reader_quiescent();
    grace_stop(&g);
}

static void waiting_and_freeing_at_once_counts_as_quiescent(void **state)
{
    (void)state;
    grace_wait_and_free(list_new(2)); /* or it hangs, for this thread is a reader */
}

static void everything_is_freed_at_the_end(void **state)
{
    (void)state;
    struct grace g;
    assert_int_equal(grace_start(&g), ERR_OK);
    for (int i = 0; i < 300; i++) {
        grace_give(&g, list_new(1 + (size_t)i % 7));
        availability_reader_quiescent();
    }
    grace_stop(&g); /* the leak sanitizer sees what is left */
}

struct giver {
    struct grace *grace;
    size_t lists;
    _Atomic size_t given;
    pthread_t thread;
};

static void *giver_run(void *arg)
{
    struct giver *g = arg;
    for (size_t i = 0; i < g->lists; i++) {
        grace_give(g->grace, list_new(LIST));
        atomic_fetch_add(&g->given, 1);
    }
    return NULL;
}

static void a_reader_that_is_stuck_holds_up_the_writer_before_memory_runs_out(void **state)
{
    (void)state;
    struct grace g;
    size_t most = 2 * GRACE_WAITING_MAX / LIST;
    struct giver giver = {.grace = &g, .lists = 4 * most};
    assert_int_equal(grace_start(&g), ERR_OK);
    assert_int_equal(pthread_create(&giver.thread, NULL, giver_run, &giver), 0);
    while (atomic_load(&giver.given) < GRACE_WAITING_MAX / LIST) {
        sched_yield(); /* so much is let through in any case */
    }
    usleep(50000);
    assert_true(atomic_load(&giver.given) <= most);
    availability_reader_offline();
    pthread_join(giver.thread, NULL);
    availability_reader_online();
    assert_int_equal(atomic_load(&giver.given), giver.lists);
    grace_stop(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_reader_holds_is_not_freed_until_it_lets_go),
        cmocka_unit_test(waiting_and_freeing_at_once_counts_as_quiescent),
        cmocka_unit_test(everything_is_freed_at_the_end),
        cmocka_unit_test(a_reader_that_is_stuck_holds_up_the_writer_before_memory_runs_out),
    };
    availability_reader_register();
    int failed = cmocka_run_group_tests_name("availability/grace", tests, NULL, NULL);
    availability_reader_unregister();
    return failed;
}
