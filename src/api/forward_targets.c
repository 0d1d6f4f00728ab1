#include "api/forward_targets.h"

#include "base/mem.h"

static void add_target(struct forward_targets *t, struct str url)
{
    url = str_trim(url);
    while (url.len > 0 && url.ptr[url.len - 1] == '/') {
        url.len--;
    }
    if (url.len > 0 && t->len < FORWARD_TARGETS_MAX) {
        t->at[t->len++].url = mem_copy_str(url);
    }
}

struct forward_targets *forward_targets_new(const char *urls)
{
    struct forward_targets *t = mem_new(sizeof(*t));
    const char *from = urls != NULL ? urls : "";
    t->refs = 1;
    t->urls = mem_copy_str(str_from(from));
    for (;;) {
        size_t len = strcspn(from, ",");
        add_target(t, (struct str){from, len});
        if (from[len] == '\0') {
            return t;
        }
        from += len + 1;
    }
}

void forward_targets_unref(struct forward_targets *t)
{
    if (t == NULL) {
        return;
    }
    check(t->refs > 0);
    if (--t->refs > 0) {
        return;
    }
    for (unsigned i = 0; i < t->len; i++) {
        mem_free(t->at[i].url);
    }
    mem_free(t->urls);
    mem_free(t);
}

static bool is_held_back(const struct forward_target *t, int64_t mono_ms)
{
    return t->suspect && mono_ms < t->held_back_until_ms;
}

/* The first that is left, among those held back or among all. */
static unsigned find_left(const struct forward_targets *t, unsigned tried, bool also_held_back, int64_t mono_ms)
{
    unsigned i = 0;
    while (i < t->len && ((tried >> i & 1) != 0 || (!also_held_back && is_held_back(&t->at[i], mono_ms)))) {
        i++;
    }
    return i;
}

struct forward_target *forward_targets_next(struct forward_targets *t, unsigned *tried, int64_t mono_ms)
{
    unsigned i = find_left(t, *tried, false, mono_ms);
    if (i == t->len) {
        i = find_left(t, *tried, true, mono_ms);
    }
    if (i == t->len) {
        return NULL;
    }
    *tried |= 1u << i;
    struct forward_target *found = &t->at[i];
    if (found->suspect) { /* one request tries it; the others need not wait for that */
        found->held_back_until_ms = mono_ms + TARGET_HELD_BACK_MS;
    }
    return found;
}

void forward_target_judge(struct forward_target *t, bool reached, int64_t mono_ms)
{
    t->suspect = !reached;
    t->held_back_until_ms = mono_ms + TARGET_HELD_BACK_MS;
}
