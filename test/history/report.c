#include "report.h"

#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_release(struct report *r)
{
    for (size_t i = 0; i < r->len; i++) {
        free(r->violations[i].text);
    }
    free(r->violations);
}

void report_add(struct report *r, const char *id, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    memory_grow((void **)&r->violations, &r->cap, r->len + 1, sizeof(*r->violations));
    r->violations[r->len++] = (struct violation){.id = id, .text = memory_text(text, strlen(text))};
}

bool report_has(const struct report *r, const char *id)
{
    for (size_t i = 0; i < r->len; i++) {
        if (strcmp(r->violations[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}
