#include "copy_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct copy_source *source_of(struct link *l)
{
    return CONTAINER_OF(l, struct copy_source, link);
}

enum err link_copy_begin(struct link *l, const char *sql, const char *doing, struct err_note *note)
{
    struct copy_source *s = source_of(l);
    (void)doing;
    (void)note;
    snprintf(s->sql, sizeof(s->sql), "%s", sql);
    return ERR_OK;
}

/* In memory of its own that is just as long, so that a sanitizer sees what is read behind it. */
enum err link_copy_next(struct link *l, char **out, size_t *out_len, const char *doing, struct err_note *note)
{
    struct copy_source *s = source_of(l);
    *out = NULL;
    if (s->given == s->messages_len) {
        return s->end == ERR_OK ? ERR_OK : err_note_set(note, s->end, "cannot %s", doing);
    }
    struct str message = s->messages[s->given++];
    check(message.len > 0); /* the library gives none without bytes */
    *out = malloc(message.len);
    check(*out != NULL);
    memcpy(*out, message.ptr, message.len);
    *out_len = message.len;
    return ERR_OK;
}
