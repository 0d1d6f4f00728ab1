#include "script.h"

#include "base/buf.h"
#include "base/mem.h"
#include "fold.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 64
#define NAMES_MAX 32

struct script {
    struct ledger *ledger;
    struct changes changes;
    struct fold *fold;
    int64_t now_ms;
    char row[512]; /* of the row at hand, cut into words */
    struct str words[WORDS_MAX];
    size_t words_len, at;
    struct command_line lines[LINES_MAX];
    struct {
        struct str name;
        struct uuid id;
    } names[NAMES_MAX];
    size_t names_len;
    struct buf answer;
};

static struct str word(struct script *s)
{
    return s->at < s->words_len ? s->words[s->at++] : STR_NONE;
}

static bool word_is(struct script *s, const char *text)
{
    if (s->at < s->words_len && str_equal(s->words[s->at], str_from(text))) {
        s->at++;
        return true;
    }
    return false;
}

static int64_t number(struct str text)
{
    char copy[32] = "";
    assert_true(text.len > 0 && text.len < sizeof(copy));
    memcpy(copy, text.ptr, text.len);
    char *end;
    int64_t value = strtoll(copy, &end, 10);
    assert_true(*end == '\0');
    return value;
}

static void split(struct script *s, const char *row)
{
    assert_true(strlen(row) < sizeof(s->row));
    memcpy(s->row, row, strlen(row) + 1);
    s->words_len = 0;
    s->at = 0;
    for (char *p = s->row; *p != '\0';) {
        if (*p == ' ') {
            p++;
        } else {
            size_t len = *p == ',' ? 1 : strcspn(p, " ,");
            assert_true(s->words_len < WORDS_MAX);
            s->words[s->words_len++] = (struct str){p, len};
            p += len;
        }
    }
}

/* "SKU N [@LOC] [BUCKET]" with commas between. */
static void read_lines(struct script *s, struct command *c)
{
    c->lines = s->lines;
    while (s->at < s->words_len) {
        struct command_line *line = &s->lines[c->lines_len++];
        *line = (struct command_line){.sku = word(s)};
        line->quantity = number(word(s));
        if (s->at < s->words_len && s->words[s->at].ptr[0] == '@') {
            struct str at = word(s);
            line->location = (struct str){at.ptr + 1, at.len - 1};
        }
        if (s->at < s->words_len && !str_equal(s->words[s->at], STR(","))) {
            assert_true(quantity_parse(word(s), &line->bucket));
        }
        (void)word_is(s, ",");
    }
}

static struct uuid named(struct script *s, struct str name)
{
    for (size_t i = 0; i < s->names_len; i++) {
        if (str_equal(s->names[i].name, name)) {
            return s->names[i].id;
        }
    }
    assert_true(s->names_len < NAMES_MAX);
    struct uuid id = {.bytes = {1, 2, 3}};
    id.bytes[15] = (uint8_t)++s->names_len;
    s->names[s->names_len - 1].id = id;
    s->names[s->names_len - 1].name = str_from(mem_copy_str(name));
    return id;
}

static void read_set(struct script *s, struct command *c)
{
    c->sku = word(s);
    c->location = word(s);
    struct str version = word(s);
    c->set_any_version = str_equal(version, STR("any"));
    if (version.ptr[0] == 'v') {
        c->expected_version = (uint64_t)number((struct str){version.ptr + 1, version.len - 1});
    }
    while (s->at < s->words_len) {
        struct str pair = word(s);
        const char *equals = memchr(pair.ptr, '=', pair.len);
        enum quantity q;
        assert_true(quantity_parse((struct str){pair.ptr, (size_t)(equals - pair.ptr)}, &q));
        c->set_given[q] = true;
        c->set.of[q] = number((struct str){equals + 1, (size_t)(pair.ptr + pair.len - equals - 1)});
    }
}

static void read_reserve(struct script *s, struct command *c)
{
    c->id = named(s, word(s));
    c->ttl_s = TTL_S_DEFAULT;
    struct str next = s->at < s->words_len ? s->words[s->at] : STR_NONE;
    if (next.len > 4 && memcmp(next.ptr, "ttl=", 4) == 0) {
        c->ttl_s = (uint32_t)number((struct str){next.ptr + 4, next.len - 4});
        s->at++;
    }
    read_lines(s, c);
}

static bool read_stock(struct script *s, struct command *c)
{
    if (word_is(s, "item")) {
        *c = (struct command){.kind = COMMAND_DEFINE_ITEM, .sku = word(s), .name = STR("name")};
    } else if (word_is(s, "location")) {
        *c = (struct command){.kind = COMMAND_DEFINE_LOCATION, .location = word(s), .name = STR("name")};
        c->priority = s->at < s->words_len ? (uint32_t)number(word(s)) : 100;
    } else if (word_is(s, "receive")) {
        c->kind = COMMAND_RECEIVE;
        read_lines(s, c);
    } else if (word_is(s, "adjust")) {
        c->kind = COMMAND_ADJUST;
        read_lines(s, c);
    } else if (word_is(s, "set")) {
        c->kind = COMMAND_SET;
        read_set(s, c);
    } else if (word_is(s, "transfer")) {
        c->kind = COMMAND_TRANSFER;
        c->location = word(s);
        c->to = word(s);
        read_lines(s, c);
    } else {
        return false;
    }
    return true;
}

static bool read_promise(struct script *s, struct command *c)
{
    static const struct {
        const char *verb;
        enum command_kind kind;
    } VERBS[] = {{"commit", COMMAND_COMMIT},   {"release", COMMAND_RELEASE}, {"cancel", COMMAND_CANCEL},
                 {"fulfill", COMMAND_FULFILL}, {"return", COMMAND_RETURN},   {"return-damaged", COMMAND_RETURN},
                 {"extend", COMMAND_EXTEND}};
    if (word_is(s, "reserve")) {
        c->kind = COMMAND_RESERVE;
        read_reserve(s, c);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(VERBS); i++) {
        if (word_is(s, VERBS[i].verb)) {
            c->kind = VERBS[i].kind;
            c->return_to = strcmp(VERBS[i].verb, "return-damaged") == 0 ? RETURN_DAMAGED : RETURN_RESTOCKED;
            c->id = named(s, word(s));
            if (c->kind == COMMAND_EXTEND) {
                c->ttl_s = (uint32_t)number(word(s));
            } else {
                read_lines(s, c);
            }
            return true;
        }
    }
    return false;
}

static void answer_reservation(struct script *s, const struct reservation *r)
{
    for (uint32_t i = 0; i < r->lines_len; i++) {
        const struct reservation_line *line = &r->lines[i];
        buf_printf(
            &s->answer, " %.*s@%.*s:%lld", STR_ARG(line->sku), STR_ARG(line->location_id), (long long)line->quantity);
    }
}

static void answer_result(struct script *s, const struct command *c, const struct result *result)
{
    buf_put_str(&s->answer, outcome_name(result->outcome));
    if (result->outcome == OUTCOME_UNKNOWN_ITEM || result->outcome == OUTCOME_UNKNOWN_LINE ||
        result->outcome == OUTCOME_UNKNOWN_LOCATION || result->outcome == OUTCOME_QUANTITY_OVERFLOW) {
        buf_printf(&s->answer, " line %u", result->line);
    }
    if (result->outcome == OUTCOME_VERSION_MISMATCH) {
        buf_printf(&s->answer, " v%llu", (unsigned long long)result->version);
    }
    for (uint32_t i = 0; i < result->shortfalls_len; i++) {
        const struct shortfall *f = &result->shortfalls[i];
        buf_printf(
            &s->answer, " %.*s%s%.*s:%lld/%lld", STR_ARG(f->sku), str_is_absent(f->location) ? "" : "@",
            STR_ARG(f->location), (long long)f->requested, (long long)f->available);
    }
    if (result->outcome == OUTCOME_OK && c->kind == COMMAND_RESERVE) {
        answer_reservation(s, result->reservation);
    }
}

static const struct reservation *reservation_named(struct script *s)
{
    return ledger_reservation(s->ledger, named(s, word(s)));
}

static void answer_state(struct script *s)
{
    const struct reservation *r = reservation_named(s);
    if (r == NULL) {
        buf_put_literal(&s->answer, "away");
        return;
    }
    buf_put_str(&s->answer, reservation_state_name(r->state));
    for (uint32_t i = 0; i < r->lines_len; i++) {
        const struct reservation_line *line = &r->lines[i];
        buf_printf(
            &s->answer, " %lld-%lld-%lld", (long long)line->quantity, (long long)line->fulfilled,
            (long long)line->returned);
    }
}

struct wanted {
    struct str sku, location;
    struct buf *out;
};

static void answer_level(void *ctx, const struct level_row *row)
{
    struct wanted *w = ctx;
    if (!str_equal(row->sku, w->sku) || !str_equal(row->location_id, w->location)) {
        return;
    }
    for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
        if (row->quantities.of[q] != 0) {
            buf_printf(w->out, "%.*s %lld ", STR_ARG(quantity_name(q)), (long long)row->quantities.of[q]);
        }
    }
    buf_printf(w->out, "v%llu", (unsigned long long)row->version);
}

static void apply(struct script *s, const struct command *c)
{
    struct result result;
    size_t from = s->changes.movements_len;
    (void)ledger_apply(s->ledger, c, s->now_ms, &s->changes, &result);
    fold_add(s->fold, &s->changes, from);
    answer_result(s, c, &result);
}

static void expire_due(struct script *s)
{
    int64_t at_ms;
    struct command c = {.kind = COMMAND_EXPIRE};
    while (ledger_next_expiry(s->ledger, &at_ms, &c.id) && at_ms <= s->now_ms) {
        apply(s, &c);
        buf_put_char(&s->answer, ' ');
    }
}

static void commit_batch(struct script *s)
{
    ledger_seal(s->ledger, &s->changes);
    ledger_committed(s->ledger, &s->changes);
    ledger_begin(s->ledger, &s->changes);
}

static void row_do(struct script *s)
{
    struct command c = {.reason = STR("test")};
    if (word_is(s, "at")) {
        s->now_ms = number(word(s));
        expire_due(s);
    } else if (word_is(s, "later")) {
        s->now_ms = number(word(s));
    } else if (word_is(s, "commit-batch")) {
        commit_batch(s);
    } else if (word_is(s, "state")) {
        answer_state(s);
    } else if (word_is(s, "level")) {
        struct str sku = word(s);
        struct wanted w = {.sku = sku, .location = word(s), .out = &s->answer};
        ledger_each_level(s->ledger, answer_level, &w);
    } else if (read_stock(s, &c) || read_promise(s, &c)) {
        apply(s, &c);
    } else {
        fail_msg("a row that says nothing: %s", s->row);
    }
}

static void check_invariants(struct script *s)
{
    const struct reservation *open[NAMES_MAX];
    size_t open_len = 0;
    for (size_t i = 0; i < s->names_len; i++) {
        const struct reservation *r = ledger_reservation(s->ledger, s->names[i].id);
        if (r != NULL) {
            open[open_len++] = r;
        }
    }
    fold_check_levels(s->fold, s->ledger);
    fold_check_promises(s->fold, open, open_len);
}

/* Runs of blanks count as one, and blanks at the ends as none. */
static void squeeze(const char *text, size_t len, char *out, size_t out_size)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        bool blank = text[i] == ' ';
        if ((!blank || (n > 0 && out[n - 1] != ' ')) && n + 1 < out_size) {
            out[n++] = text[i];
        }
    }
    out[n > 0 && out[n - 1] == ' ' ? n - 1 : n] = '\0';
}

static void row_run(struct script *s, const char *row)
{
    char did[512];
    char expected[512];
    char answered[512];
    const char *arrow = strstr(row, "=>");
    size_t len = arrow == NULL ? strlen(row) : (size_t)(arrow - row);
    squeeze(row, len, did, sizeof(did));
    squeeze(arrow == NULL ? "ok" : arrow + 2, arrow == NULL ? 2 : strlen(arrow + 2), expected, sizeof(expected));
    split(s, did);
    buf_clear(&s->answer);
    row_do(s);
    squeeze(s->answer.ptr == NULL ? "" : s->answer.ptr, s->answer.len, answered, sizeof(answered));
    if (strcmp(expected, answered) != 0) {
        fail_msg("%s\n  expected: %s\n  answered: %s", did, expected, answered);
    }
    check_invariants(s);
}

void script_run(const char *const *rows, size_t rows_len)
{
    struct script *s = mem_new(sizeof(*s));
    s->ledger = ledger_new();
    s->fold = fold_new();
    s->now_ms = 1000;
    changes_init(&s->changes);
    ledger_begin(s->ledger, &s->changes);
    buf_init(&s->answer, 4096);
    for (size_t i = 0; i < rows_len; i++) {
        row_run(s, rows[i]);
    }
    for (size_t i = 0; i < s->names_len; i++) {
        mem_free((void *)(uintptr_t)s->names[i].name.ptr);
    }
    buf_release(&s->answer);
    changes_release(&s->changes);
    fold_free(s->fold);
    ledger_free(s->ledger);
    mem_free(s);
}
