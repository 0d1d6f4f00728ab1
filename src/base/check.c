#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct report {
    char text[512];
    size_t len;
};

/* No stdio and no allocation: the heap may be what is broken. */
static void report_add(struct report *r, const char *text)
{
    size_t room = sizeof(r->text) - r->len;
    size_t len = strlen(text);
    len = len < room ? len : room;
    memcpy(r->text + r->len, text, len);
    r->len += len;
}

static void report_add_int(struct report *r, int v)
{
    char digits[12];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    report_add(r, digits + at);
}

void check_failed(const char *what, const char *file, int line)
{
    struct report r = {.len = 0};
    report_add(&r, "check failed: ");
    report_add(&r, what);
    report_add(&r, " at ");
    report_add(&r, file);
    report_add(&r, ":");
    report_add_int(&r, line);
    report_add(&r, "\n");
    ssize_t written = write(STDERR_FILENO, r.text, r.len);
    (void)written; /* the process ends either way */
    abort();
}
