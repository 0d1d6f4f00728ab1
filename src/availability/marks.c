#include "availability/marks.h"

#include "base/mem.h"

void marks_release(struct marks *m)
{
    mem_free(m->all);
    mem_free(m->marked);
    mem_free(m->work);
}

static void append(struct shelf_entry ***list, size_t *len, size_t *cap, struct shelf_entry *e)
{
    mem_grow((void **)list, cap, *len + 1, sizeof(**list));
    (*list)[(*len)++] = e;
}

void marks_list(struct marks *m, struct shelf_entry *const *entries, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!entries[i]->listed) {
            entries[i]->listed = true;
            append(&m->all, &m->all_len, &m->all_cap, entries[i]);
        }
    }
}

void marks_mark(struct marks *m, struct shelf_entry *const *entries, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!entries[i]->marked) {
            entries[i]->marked = true;
            append(&m->marked, &m->marked_len, &m->marked_cap, entries[i]);
        }
    }
}

static void take_work(struct marks *m)
{
    struct shelf_entry **room = m->work;
    size_t cap = m->work_cap;
    m->work = m->marked;
    m->work_len = m->marked_len;
    m->work_cap = m->marked_cap;
    m->work_at = 0;
    m->marked = room;
    m->marked_len = 0;
    m->marked_cap = cap;
}

size_t marks_take(struct marks *m, struct shelf_entry **out, size_t max)
{
    if (m->work_at == m->work_len) {
        take_work(m);
    }
    size_t left = m->work_len - m->work_at;
    size_t len = left < max ? left : max;
    for (size_t i = 0; i < len; i++) {
        out[i] = m->work[m->work_at++];
        out[i]->marked = false;
    }
    return len;
}

/* From the last to the first, so that they close up to what follows; those that were marked again are there already. */
void marks_give_back(struct marks *m, size_t len)
{
    check(len <= m->work_at);
    size_t to = m->work_at;
    for (size_t i = 0; i < len; i++) {
        struct shelf_entry *e = m->work[m->work_at - 1 - i];
        if (!e->marked) {
            e->marked = true;
            m->work[--to] = e;
        }
    }
    m->work_at = to;
}

size_t marks_waiting(const struct marks *m)
{
    return m->work_len - m->work_at + m->marked_len;
}
