/* Availability nodes: the product's follower with its shell, its kept file and its view, each turned by the world. */
#include "base/mem.h"
#include "stream.h"

#include <sqlite3.h>
#include <stdio.h>

#define NAME_BYTES 40
#define KEPT "availability.db"
#define BEFORE "before.db"

/* --- in place of src/availability/service.c: there are no threads and no readers but the world -------------------- */

static void take(struct availability *a, const struct bus_message *m)
{
    struct node *n = CONTAINER_OF(a, struct node, availability);
    prove_given(n, m);
    view_apply(&a->view, m);
    prove_view(n);
    rendered_free_all(view_take_replaced(&a->view));
}

void availability_apply(struct availability *a, const struct bus_message *m)
{
    take(a, m);
}

void availability_project(struct availability *a, const struct bus_message *m)
{
    take(a, m);
}

/* --- the directory: files in memory that live as long as somebody has them open ----------------------------------- */

static sqlite3 *open_file(const struct node *n, const char *file)
{
    char name[NAME_BYTES];
    sqlite3 *db = NULL;
    (void)snprintf(name, sizeof(name), "/n%u/%s", n->number, file);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(name, &db, flags, "memdb");
    check(code == SQLITE_OK);
    return db;
}

static void close_file(sqlite3 **db)
{
    int code = sqlite3_close(*db);
    check(code == SQLITE_OK);
    *db = NULL;
}

/* There is no shared memory for a log between connections, so each is alone while it uses one. */
static sqlite3 *use_file(const struct node *n, const char *file)
{
    sqlite3 *db = open_file(n, file);
    int code = sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
    check(code == SQLITE_OK);
    return db;
}

static void copy_file(const struct node *n, const char *from, const char *to)
{
    sqlite3 *source = use_file(n, from);
    sqlite3 *target = use_file(n, to);
    sqlite3_backup *b = sqlite3_backup_init(target, "main", source, "main");
    check(b != NULL);
    int code = sqlite3_backup_step(b, -1);
    check(code == SQLITE_DONE);
    code = sqlite3_backup_finish(b);
    check(code == SQLITE_OK);
    close_file(&source);
    close_file(&target);
}

/* What a power cut may leave of it. */
static void remember_dir(struct node *n)
{
    if (n->dir_before == NULL) {
        n->dir_before = open_file(n, BEFORE);
    }
    copy_file(n, KEPT, BEFORE);
}

void node_forget(struct node *n)
{
    check(!n->on);
    close_file(&n->dir);
    close_file(&n->dir_before);
    n->first_past = n->world->past;
    n->past = n->world->past;
    n->is_mixed = false;
}

void node_cut_power(struct node *n)
{
    check(!n->on);
    if (n->dir_before != NULL) {
        copy_file(n, BEFORE, KEPT);
        mark(MARK_KEPT_IS_OLDER);
    }
}

/* --- lives -------------------------------------------------------------------------------------------------------- */

static void was_cut(void *ctx)
{
    struct node *n = ctx;
    n->cut = true;
}

static void begin_view(struct node *n)
{
    n->availability = (struct availability){.bus = &n->base};
    view_init(&n->availability.view, POLICY_DEFAULT);
    memset(n->given, 0, sizeof(n->given));
    memset(n->defined_ms, 0, sizeof(n->defined_ms));
    memset(n->known, 0, sizeof(n->known));
    memset(n->shown_version, 0, sizeof(n->shown_version));
    n->foreign_ms = 0;
    n->claimed = 0;
    n->fresh = 0;
    n->fresh_items = 0;
    n->cut = false;
    n->opened = false;
}

void node_start(struct node *n)
{
    struct stream *w = n->world;
    char dir[NAME_BYTES];
    (void)snprintf(dir, sizeof(dir), "/n%u", n->number);
    begin_view(n);
    if (n->dir == NULL) {
        n->first_past = w->past;
        n->past = w->past;
        n->dir = open_file(n, KEPT);
    }
    intake_init(&n->intake, "simulated", 0);
    source_asks(n);
    const struct availability_follow options = {.inventory = "inventory", .dir = dir, .cut = was_cut, .cut_ctx = n};
    n->follow = follow_new(&options, &n->availability);
    n->availability.follow = n->follow;
    n->on = true;
    struct err_note note = {""};
    enum err e = follow_open(n->follow, &note);
    n->opened = true;
    promise(e == ERR_OK, "I11", "node %u cannot open what it kept: %s", n->number, note.text);
    uint64_t seq = atomic_load(&n->availability.view.seq);
    mark(seq > 0 ? MARK_NODE_FROM_KEPT : MARK_NODE_FRESH);
    broker_connect(w, n);
    stream_say(w, "node %u starts at seq %llu", n->number, (unsigned long long)seq);
}

void node_stop(struct node *n, bool in_peace)
{
    struct stream *w = n->world;
    if (in_peace) {
        follow_end(n->follow);
        follow_run(n->follow); /* keeps the rest */
    }
    follow_free(n->follow);
    n->follow = NULL;
    n->on = false;
    n->opened = false;
    broker_disconnect(n);
    intake_release(&n->intake);
    view_release(&n->availability.view);
    stream_say(w, "node %u %s", n->number, n->cut ? "begins anew" : in_peace ? "stops" : "is killed");
    if (!w->plan.keeps) {
        node_forget(n);
    } else if (n->cut) {
        close_file(&n->dir_before);
        n->first_past = w->past;
        n->past = w->past;
        n->is_mixed = false;
    } else if (stream_below(w, 3) == 0) {
        remember_dir(n);
    }
}

void node_turn(struct node *n)
{
    struct stream *w = n->world;
    if (!n->on) {
        if (stream_mono_ms(w) >= n->away_until_ms) {
            node_start(n);
        }
        return;
    }
    bool goes_on = follow_turn(n->follow);
    check(goes_on == !n->cut);
    if (n->cut) {
        prove_cut(n);
        node_stop(n, false);
        n->away_until_ms = stream_mono_ms(w) + (int64_t)stream_below(w, 300);
        return;
    }
    prove_age(n);
}

void nodes_open(struct stream *w)
{
    for (uint32_t i = 0; i < w->nodes_len; i++) {
        w->nodes[i] = (struct node){.base = {.ops = &node_bus_ops}, .world = w, .number = i};
        w->nodes[i].away_until_ms = stream_mono_ms(w) + (int64_t)stream_below(w, 1000);
    }
}

void nodes_close(struct stream *w)
{
    for (uint32_t i = 0; i < w->nodes_len; i++) {
        struct node *n = &w->nodes[i];
        if (n->on) {
            node_stop(n, false);
        }
        close_file(&n->dir);
        close_file(&n->dir_before);
    }
}
