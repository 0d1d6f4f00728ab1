/*
 * The clocks of the machine. Only shells call these; everything that decides gets the time as an argument.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_ms(void); /* since 1970, may jump */
int64_t clock_mono_ms(void); /* never runs backwards */
int64_t clock_mono_us(void);
int64_t clock_mono_ns(void);

#define TIME_TEXT_LEN 24
#define TIME_MS_MAX 253402300799999LL /* the last millisecond of the year 9999 */

/* RFC 3339 UTC with milliseconds, not terminated: 2026-11-23T14:21:23.045Z. `ms` since 1970, 0..TIME_MS_MAX. */
void time_to_text(int64_t ms, char out[TIME_TEXT_LEN]);
/* Takes what time_to_text() gives, and nothing else. */
bool time_from_text(const char text[TIME_TEXT_LEN], int64_t *out_ms);

/*
 * Ledger time: starts at max(stored, wall) and follows the monotonic clock, so a jump of the wall clock changes
 * no hold's outcome.
 */
struct ledger_clock {
    int64_t base_ms;
    int64_t mono_base_ms;
};

void ledger_clock_init(struct ledger_clock *c, int64_t stored_ms);
int64_t ledger_clock_now_ms(const struct ledger_clock *c);

#endif
