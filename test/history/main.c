/*
 * Checks a recorded history:  history_check FILE
 *
 * One line for each violation: the id of the invariant and what does not fit. The last line says how many; the exit code
 * is 0 when there are none, 1 when there are, 2 when the file is no history.
 */
#include "search.h"
#include "witness.h"

#include <string.h>

/* For each level. A history that is known to be bad need not be searched for long. */
#define SEARCH_MS_MAX 60000
#define SEARCH_BAD_MS_MAX 2000
#define LINES_MAX 200

static int say(const struct history *h, const struct report *report, size_t gave_up)
{
    for (size_t i = 0; i < report->len && i < LINES_MAX; i++) {
        (void)printf("%s %s\n", report->violations[i].id, report->violations[i].text);
    }
    if (report->len > LINES_MAX) {
        (void)printf("and %zu more\n", report->len - LINES_MAX);
    }
    if (gave_up > 0) {
        (void)printf("the search gave up on %zu levels\n", gave_up);
    }
    (void)printf("history: %zu operations, %zu violations\n", h->ops_len, report->len);
    return report->len == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    FILE *in = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (in == NULL) {
        (void)fprintf(stderr, argc == 2 ? "history: cannot be read: %s\n" : "usage: %s FILE\n", argv[argc == 2]);
        return 2;
    }
    struct history h;
    history_init(&h);
    int code = 2;
    if (history_read(&h, in)) {
        struct ledger l;
        struct report report = {0};
        ledger_init(&l, &h, &report);
        witness_check(&l, &report);
        size_t gave_up = search_check(&h, &l, report.len == 0 ? SEARCH_MS_MAX : SEARCH_BAD_MS_MAX, &report);
        code = say(&h, &report, gave_up);
        report_release(&report);
        ledger_release(&l);
    }
    history_release(&h);
    (void)fclose(in);
    return code;
}
