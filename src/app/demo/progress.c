#include "app/demo/progress.h"

#include "base/buf.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_WIDTH_MIN 5
#define BAR_WIDTH_MAX 24
#define COLUMNS_WITHOUT_TERMINAL 160
#define WINDOW_TERMINAL_US 1000000
#define WINDOW_PLAIN_US 2000000
#define RAN_OUT_SHOWN 8

char *count_text(uint64_t count, char *out)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    char *to = out;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

void progress_init(struct progress *p, FILE *out, const struct trade_log *log)
{
    *p = (struct progress){.out = out, .is_terminal = isatty(fileno(out)) == 1, .lines_total = log->lines_len};
}

/* Rates and latencies of the window that has ended; false while it goes on. */
static bool end_window(struct progress *p, struct replay_stats *stats, int64_t elapsed_us)
{
    int64_t length_us = elapsed_us - p->window_us;
    if (length_us < (p->is_terminal ? WINDOW_TERMINAL_US : WINDOW_PLAIN_US)) {
        return false;
    }
    double seconds = (double)length_us / 1e6;
    p->orders_per_s = (double)(stats->orders - p->window_orders) / seconds;
    p->lines_per_s = (double)(stats->lines - p->window_lines) / seconds;
    p->p50_us = histogram_percentile_us(&stats->recent, 50);
    p->p99_us = histogram_percentile_us(&stats->recent, 99);
    histogram_init(&stats->recent);
    p->window_us = elapsed_us;
    p->window_orders = stats->orders;
    p->window_lines = stats->lines;
    p->has_rates = true;
    return true;
}

/* Everything behind the bar; what a narrow terminal cuts off stands last. */
static void write_figures(const struct progress *p, const struct replay_stats *stats, const char *date, struct buf *out)
{
    char orders[COUNT_TEXT_MAX], refusals[COUNT_TEXT_MAX], per_s[COUNT_TEXT_MAX], lines_per_s[COUNT_TEXT_MAX];
    double part = p->lines_total == 0 ? 1 : (double)stats->event_lines / (double)p->lines_total;
    buf_printf(
        out, " %3d %%  %.10s  %s orders  %s refused", (int)(part * 100), date, count_text(stats->orders, orders),
        count_text(stats->refusals, refusals));
    if (p->has_rates) {
        buf_printf(
            out, "  %s orders/s  %s lines/s  p50 %.1f ms  p99 %.1f ms", count_text((uint64_t)p->orders_per_s, per_s),
            count_text((uint64_t)p->lines_per_s, lines_per_s), (double)p->p50_us / 1000, (double)p->p99_us / 1000);
    }
}

static size_t columns_of(const struct progress *p)
{
    struct winsize size;
    bool known = p->is_terminal && ioctl(fileno(p->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : COLUMNS_WITHOUT_TERMINAL;
}

static void print_bar(const struct progress *p, const struct replay_stats *stats, size_t width)
{
    size_t full = p->lines_total == 0 ? width : (size_t)(stats->event_lines * width / p->lines_total);
    fputc('[', p->out);
    for (size_t i = 0; i < width; i++) {
        fputc(i < full ? '#' : '.', p->out);
    }
    fputc(']', p->out);
}

static void print_line(const struct progress *p, const struct replay_stats *stats, const struct trade_event *now)
{
    struct buf figures;
    buf_init(&figures, 1024);
    write_figures(p, stats, now->time.ptr, &figures);
    size_t columns = columns_of(p) - 1; /* the cursor needs one */
    size_t shown = figures.len < columns ? figures.len : columns;
    size_t room = columns - shown;
    if (room >= BAR_WIDTH_MIN + 2) {
        print_bar(p, stats, room - 2 < BAR_WIDTH_MAX ? room - 2 : BAR_WIDTH_MAX);
    }
    fprintf(p->out, "%.*s", (int)shown, figures.ptr);
    buf_release(&figures);
}

void progress_show(struct progress *p, struct replay_stats *stats, const struct trade_event *now, int64_t elapsed_us)
{
    bool ended = end_window(p, stats, elapsed_us);
    if (!p->is_terminal && !ended) {
        return;
    }
    print_line(p, stats, now);
    fputs(p->is_terminal ? "\033[K\r" : "\n", p->out);
    fflush(p->out);
}

void progress_end(struct progress *p)
{
    if (p->is_terminal) {
        fputs("\n", p->out);
    }
}

static void print_count(FILE *out, const char *name, uint64_t count, const char *more)
{
    char text[COUNT_TEXT_MAX];
    fprintf(out, "  %-26s %12s  %s\n", name, count_text(count, text), more);
}

static void print_latency(FILE *out, const char *name, const struct histogram *h)
{
    fprintf(
        out, "  %-26s p50 %7.2f  p90 %7.2f  p99 %7.2f  p99.9 %7.2f  max %7.2f ms\n", name,
        (double)histogram_percentile_us(h, 50) / 1000, (double)histogram_percentile_us(h, 90) / 1000,
        (double)histogram_percentile_us(h, 99) / 1000, (double)histogram_percentile_us(h, 99.9) / 1000,
        (double)h->max_us / 1000);
}

struct ran_out {
    uint32_t sku;
    uint32_t refused;
    int64_t demand;
};

static int compare_refused(const void *a, const void *b)
{
    const struct ran_out *left = a;
    const struct ran_out *right = b;
    if (left->refused != right->refused) {
        return left->refused > right->refused ? -1 : 1;
    }
    if (left->demand != right->demand) {
        return left->demand > right->demand ? -1 : 1;
    }
    return left->sku < right->sku ? -1 : left->sku > right->sku;
}

/* Products that an order was refused for, those with most refusals first. */
static void print_ran_out(FILE *out, const struct trade_log *log, const struct book *book)
{
    struct ran_out *found = mem_new_array(book->rows_len, sizeof(*found));
    size_t len = 0;
    for (size_t i = 0; i < book->rows_len; i++) {
        if (book->rows[i].refused > 0) {
            found[len++] = (struct ran_out){(uint32_t)i, book->rows[i].refused, log->skus[i].demand};
        }
    }
    qsort(found, len, sizeof(*found), compare_refused);
    print_count(out, "products that ran out", len, len > 0 ? "most refused:" : "");
    for (size_t i = 0; i < len && i < RAN_OUT_SHOWN; i++) {
        const struct trade_sku *sku = &log->skus[found[i].sku];
        fprintf(
            out, "  %26s   %-8.*s %-36.*s orders refused: %u\n", "", STR_ARG(sku->sku), STR_ARG(sku->name),
            book->rows[found[i].sku].refused);
    }
    mem_free(found);
}

static void print_trade(FILE *out, const struct replay_stats *s)
{
    print_count(out, "orders", s->orders, "reserved, committed and fulfilled (more than 100 lines: several)");
    print_count(out, "order lines sold", s->lines, "");
    print_count(out, "units sold", s->units, "");
    print_count(out, "orders refused", s->refusals, "not enough stock; nothing of them was sold");
    print_count(out, "orders cancelled", s->cancelled, "stock was written off before it left");
    print_count(out, "return lines", s->return_lines, "given back to the reservation they were sold with");
    print_count(out, "units returned", s->return_units, "");
    print_count(out, "returns without a sale", s->unsold_return_lines, "lines, taken in as adjustments");
    print_count(out, "adjustments", s->adjustments, "");
    print_count(out, "adjustments refused", s->adjustments_refused, "would take away more than there was");
    print_count(out, "deliveries", s->deliveries, "receipts of up to 100 lines");
    print_count(out, "units delivered", s->delivered_units, "");
}

static void print_throughput(FILE *out, const struct replay_stats *s, struct load_counts requests, int64_t elapsed_us)
{
    double seconds = (double)elapsed_us / 1e6;
    char per_s[COUNT_TEXT_MAX], requests_per_s[COUNT_TEXT_MAX];
    print_count(out, "HTTP requests", requests.requests, "");
    print_count(out, "tried again", s->retries_overload + s->retries_connection, "after a 503 or a broken connection");
    print_count(out, "unexpected answers", s->errors, "");
    fprintf(
        out,
        "\n  %s order lines a second, each reserved, committed and fulfilled durably\n"
        "  (%s orders a second, %.1f s)\n\n",
        count_text(seconds > 0 ? (uint64_t)((double)s->lines / seconds) : 0, per_s),
        count_text(seconds > 0 ? (uint64_t)((double)s->orders / seconds) : 0, requests_per_s), seconds);
}

void summary_print(
    FILE *out,
    const struct trade_log *log,
    const struct book *book,
    const struct replay_stats *stats,
    struct load_counts requests,
    int64_t elapsed_us)
{
    fprintf(out, "\nSummary\n");
    print_trade(out, stats);
    print_ran_out(out, log, book);
    print_count(out, "log lines left out", log->skipped, "fees, postage and vouchers: no stock");
    print_throughput(out, stats, requests, elapsed_us);
    print_latency(out, "reserve", &stats->latency[STEP_RESERVE]);
    print_latency(out, "commit", &stats->latency[STEP_COMMIT]);
    print_latency(out, "fulfill", &stats->latency[STEP_FULFILL]);
}
