/*
 * Whole requests of every operation: path parameters, query arguments, headers and a body, on the real handlers. What
 * is taken and what is refused is said by a model of the arguments that shares nothing with the tables of src/api; what
 * was taken arrives unchanged at the store, and the link to the next page asks for the same behind the last row.
 *
 * An input: the operation, the plan of the inventory service, then parts: each path parameter, the query as sent, each
 * header that the operation reads, the body.
 */
#include "api/cursor.h"
#include "fuzz.h"
#include "parts.h"
#include "shop.h"

#include <jansson.h>

/* The arguments that there are, as the documents say. */

static bool fits_number(struct str text, uint64_t min, uint64_t max)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.ptr[i] - '0';
        if (digit > 9 || number > (max - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    return text.len > 0 && (text.len == 1 || text.ptr[0] != '0') && number >= min;
}

static bool fits_limit(struct str text)
{
    return fits_number(text, 1, 1000);
}

static bool fits_seq(struct str text)
{
    return fits_number(text, 0, INT64_MAX);
}

static bool fits_64(struct str text)
{
    return text.len >= 1 && text.len <= 64 && str_is_text(text);
}

static bool fits_128(struct str text)
{
    return text.len >= 1 && text.len <= 128 && str_is_text(text);
}

static bool fits_something(struct str text)
{
    return text.len >= 1;
}

static bool fits_state(struct str text)
{
    static const char words[] = " held committed fulfilled released expired cancelled returned ";
    char padded[16] = " ";
    if (text.len == 0 || text.len > sizeof(padded) - 3 || memchr(text.ptr, ' ', text.len) != NULL) {
        return false;
    }
    memcpy(padded + 1, text.ptr, text.len);
    padded[text.len + 1] = ' ';
    return strstr(words, padded) != NULL;
}

struct rule {
    enum operation_index operation;
    const char *name;
    bool (*fits)(struct str text);
    bool many; /* needed, and may be given several times */
};

static const struct rule rules[] = {
    {OPERATION_list_items, "limit", fits_limit, false},
    {OPERATION_list_items, "after", fits_128, false},
    {OPERATION_list_reservations, "state", fits_state, false},
    {OPERATION_list_reservations, "reference", fits_128, false},
    {OPERATION_list_reservations, "limit", fits_limit, false},
    {OPERATION_list_reservations, "after", fits_128, false},
    {OPERATION_list_movements, "sku", str_is_sku, false},
    {OPERATION_list_movements, "location", str_is_location, false},
    {OPERATION_list_movements, "limit", fits_limit, false},
    {OPERATION_list_movements, "after", fits_128, false},
    {OPERATION_get_availability, "channel", fits_64, false},
    {OPERATION_get_availability, "min_seq", fits_seq, false},
    {OPERATION_list_availability, "sku", fits_something, true},
    {OPERATION_list_availability, "channel", fits_64, false},
    {OPERATION_list_availability, "min_seq", fits_seq, false},
    {OPERATION_stream_availability, "sku", fits_something, true},
    {OPERATION_stream_availability, "channel", fits_64, false},
    {OPERATION_stream_availability, "last_event_id", fits_128, false},
};

struct call {
    enum operation_index operation;
    struct sent sent;
    struct inventory_plan plan;
};

/* How many arguments there are of this name; the first of them. */
static unsigned count_of(const struct call *c, const char *name, struct str *out_first)
{
    struct str found;
    struct str value;
    unsigned count = 0;
    *out_first = STR_NONE;
    for (size_t at = 0; target_argument_next(c->sent.query, &at, &found, &value);) {
        if (str_equal(found, str_from(name))) {
            *out_first = count++ == 0 ? value : *out_first;
        }
    }
    return count;
}

static struct str first_of(const struct call *c, const char *name)
{
    struct str first;
    count_of(c, name, &first);
    return first;
}

static bool some_unknown(const struct call *c)
{
    struct str name;
    struct str value;
    for (size_t at = 0; target_argument_next(c->sent.query, &at, &name, &value);) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
            known |= rules[i].operation == c->operation && str_equal(name, str_from(rules[i].name));
        }
        if (!known) {
            return true;
        }
    }
    return false;
}

static bool takes_any_query(enum operation_index operation)
{
    return operation == OPERATION_shelf_page || operation == OPERATION_shelf_css || operation == OPERATION_shelf_js ||
        operation == OPERATION_shelf_svg;
}

/* How much is wrong with the arguments. */
static unsigned faults_of(const struct call *c)
{
    if (takes_any_query(c->operation)) {
        return 0;
    }
    unsigned faults = some_unknown(c);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct rule *rule = &rules[i];
        if (rule->operation != c->operation) {
            continue;
        }
        struct str first;
        unsigned count = count_of(c, rule->name, &first);
        bool fits = count == 0 ? !rule->many : (count == 1 || rule->many) && rule->fits(first);
        faults += !fits;
    }
    return faults;
}

static bool param_fits(struct str name, struct str value)
{
    struct uuid id;
    if (str_equal(name, STR("sku"))) {
        return str_is_sku(value);
    }
    if (str_equal(name, STR("location"))) {
        return str_is_location(value);
    }
    return !str_equal(name, STR("id")) || uuid_parse(value, &id);
}

/* The name of the next parameter in a path; absent: there is no more. */
static struct str next_param(const char **path)
{
    const char *open = strchr(*path, '{');
    if (open == NULL) {
        return STR_NONE;
    }
    *path = strchr(open, '}');
    return (struct str){open + 1, (size_t)(*path - open - 1)};
}

static bool path_fits(const struct call *c)
{
    const char *path = c->sent.operation->path;
    bool fits = true;
    struct str name;
    for (unsigned i = 0; !str_is_absent(name = next_param(&path)); i++) {
        fits = fits && param_fits(name, c->sent.params[i]);
    }
    return fits;
}

/* Judging. */

/* How many entries `errors` has; the problem is JSON and says what it should. */
static unsigned errors_in(const struct exchange *x)
{
    json_t *root = json_loadb(x->body.ptr, x->body.len, JSON_REJECT_DUPLICATES, NULL);
    check(json_integer_value(json_object_get(root, "status")) == x->status);
    unsigned len = (unsigned)json_array_size(json_object_get(root, "errors"));
    json_decref(root);
    return len;
}

/* A write that was taken has been submitted, once, as it was meant; one that was refused was not. */
static void check_write(const struct call *c, const struct inventory *inv, const struct exchange *x)
{
    bool keyed = (c->sent.operation->traits & TRAIT_KEY) != 0;
    bool answered = inv->submitted > 0;
    if (c->operation == OPERATION_create_batch) {
        return; /* batch_fuzz */
    }
    check(inv->submitted <= 1 && inv->queries == 0);
    check(answered || x->problem != ERR_OK);
    if (answered) {
        check(x->status == 201 || x->problem == ERR_NOT_COMMITTED);
        check(keyed != str_is_absent(inv->key));
        check(str_is_absent(inv->command.sku) || str_equal(inv->command.sku, c->sent.params[0]));
    }
}

static void check_asked(const struct call *c, const struct inventory_asked *asked)
{
    struct str limit = first_of(c, "limit");
    struct str after = first_of(c, "after");
    uint64_t number = 100;
    uint64_t seq = 0;
    check(str_is_absent(limit) || str_to_u64(limit, 1000, &number));
    check(asked->limit == number + 1);
    check(str_equal(asked->reference, first_of(c, "reference")) && str_equal(asked->sku, first_of(c, "sku")));
    check(str_equal(asked->location, first_of(c, "location")));
    check((asked->state == 0) == str_is_absent(first_of(c, "state")));
    check(asked->state == 0 || str_equal(reservation_state_name(asked->state), first_of(c, "state")));
    if (c->operation != OPERATION_list_items) {
        check(str_is_absent(after) || cursor_parse_seq(after, &seq));
        check(asked->after_seq == seq);
    }
}

/* The query of the Link header, decoded into `out`. */
static void parse_link(const struct exchange *x, struct buf *raw, struct buf *query, struct target *out)
{
    static const char end[] = ">; rel=\"next\"";
    size_t end_len = sizeof(end) - 1;
    struct str link = buf_str(&x->link);
    check(link.len > end_len + 1 && link.ptr[0] == '<');
    check(memcmp(link.ptr + link.len - end_len, end, end_len) == 0);
    buf_put_char(raw, '/');
    buf_put(raw, link.ptr + 1, link.len - end_len - 1);
    check(target_parse(raw->ptr, raw->len, query, out) == NULL);
}

static void check_next_page(const struct call *c, struct inventory_asked asked, const struct exchange *x)
{
    struct buf raw;
    struct buf query;
    struct target target;
    struct exchange next;
    buf_init(&raw, TARGET_BYTES_MAX);
    buf_init(&query, TARGET_BYTES_MAX);
    parse_link(x, &raw, &query, &target);
    struct call again = *c;
    again.sent.query = target.query;
    const struct inventory_asked *behind = &shop_ask(&again.sent, c->plan, &next)->asked;
    check(next.status == 200);
    check_asked(&again, behind);
    check(str_equal(asked.sku, behind->sku) && str_equal(asked.location, behind->location));
    check(str_equal(asked.reference, behind->reference) && asked.state == behind->state);
    check(asked.limit == behind->limit);
    check(c->operation == OPERATION_list_items || behind->after_seq == inventory_row_seq(&asked, asked.limit - 2));
    exchange_release(&next);
    buf_release(&raw);
    buf_release(&query);
}

static bool cursor_fits(const struct call *c)
{
    char room[CURSOR_KEY_BYTES_MAX];
    struct str key;
    uint64_t seq;
    struct str after = first_of(c, "after");
    if (c->operation == OPERATION_list_items) {
        return str_is_absent(after) || (cursor_parse(after, room, &key) && str_is_sku(key));
    }
    return str_is_absent(after) || cursor_parse_seq(after, &seq);
}

static void check_list(const struct call *c, const struct inventory *inv, const struct exchange *x)
{
    if (!cursor_fits(c)) {
        check(x->problem == ERR_INVALID && errors_in(x) == 1 && inv->queries == 0);
    } else if (c->plan.refused_after == 0) {
        check(x->problem == ERR_OVERLOADED);
    } else {
        check(x->status == 200 && inv->queries == 1);
        check_asked(c, &inv->asked);
        check((x->link.len > 0) == (c->plan.rows >= inv->asked.limit));
    }
    if (x->link.len > 0) {
        check_next_page(c, inv->asked, x);
    }
}

/* A known channel, and a seq that the view has reached: what comes of it. */
static enum err view_verdict(const struct call *c)
{
    struct str channel = first_of(c, "channel");
    struct str min_seq = first_of(c, "min_seq");
    struct str sku;
    uint64_t seq = 0;
    if (!str_is_absent(channel) && !str_equal(channel, STR("default"))) {
        return ERR_NOT_FOUND;
    }
    if (c->operation == OPERATION_list_availability && count_of(c, "sku", &sku) > 100) {
        return ERR_INVALID;
    }
    if (!str_is_absent(min_seq) && (!str_to_u64(min_seq, INT64_MAX, &seq) || seq > SHOP_SEQ)) {
        return ERR_STALE;
    }
    bool known = c->operation == OPERATION_list_availability || shop_has(c->sent.params[0]);
    return known ? ERR_OK : ERR_NOT_FOUND;
}

static void check_view(const struct call *c, const struct exchange *x)
{
    check(x->problem == view_verdict(c));
    if (x->problem == ERR_OK && x->status == 200) {
        json_t *root = json_loadb(x->body.ptr, x->body.len, JSON_REJECT_DUPLICATES, NULL);
        struct str sku;
        size_t len = json_array_size(json_object_get(root, "data")) + json_array_size(json_object_get(root, "unknown"));
        check(root != NULL);
        check(c->operation == OPERATION_get_availability || len == count_of(c, "sku", &sku));
        json_decref(root);
    } else {
        check(x->problem != ERR_OK || x->status == 304);
    }
}

/* A stream begins with what the page does not know yet. */
static void check_stream(const struct exchange *x)
{
    char text[4096];
    if (x->state != EXCHANGE_STREAMING) {
        check(x->problem == ERR_NOT_FOUND || x->problem == ERR_MALFORMED || x->problem == ERR_INVALID);
        return;
    }
    size_t len = x->stream->fill(x->stream_ctx, text, sizeof(text));
    check(len > 0 && len <= sizeof(text) && memcmp(text, "retry: ", 7) == 0);
}

static void judge_taken(const struct call *c, const struct inventory *inv, const struct exchange *x)
{
    unsigned traits = c->sent.operation->traits;
    if ((traits & TRAIT_PAGED) != 0) {
        check_list(c, inv, x);
    } else if ((traits & TRAIT_STORE) != 0) {
        bool found = c->plan.rows > 0 || c->operation == OPERATION_list_locations;
        enum err wanted = c->plan.refused_after == 0 ? ERR_OVERLOADED : found ? ERR_OK : ERR_NOT_FOUND;
        check(x->problem == wanted && (wanted != ERR_OK || x->status == 200 || x->status == 304));
    } else if ((traits & TRAIT_VIEW) != 0) {
        check_view(c, x);
    } else if ((traits & TRAIT_RESUME) != 0) {
        check_stream(x);
    } else if ((traits & TRAIT_SEQ) != 0) {
        check_write(c, inv, x);
    }
}

static bool resume_id_fits(const struct call *c)
{
    struct str id = first_of(c, "last_event_id");
    return str_is_absent(id) || (id.len >= 1 && id.len <= 128);
}

static void judge(const struct call *c, const struct inventory *inv, const struct exchange *x)
{
    unsigned faults = faults_of(c);
    bool fits = path_fits(c);
    bool early = c->operation == OPERATION_stream_availability && !resume_id_fits(c);
    if (early) {
        check(x->problem == ERR_MALFORMED);
    } else if (faults > 0 && fits) {
        check(x->problem == ERR_INVALID && errors_in(x) == faults);
    } else if (faults > 0) {
        check(x->problem == ERR_INVALID || x->problem == ERR_NOT_FOUND);
    } else if (!fits) {
        check(x->problem == ERR_NOT_FOUND);
    } else {
        judge_taken(c, inv, x);
    }
    check((faults == 0 && fits) || (inv->submitted == 0 && inv->queries == 0));
}

/* The request. */

static bool take_params(struct call *c, struct str *rest)
{
    const char *path = c->sent.operation->path;
    for (unsigned i = 0; !str_is_absent(next_param(&path)); i++) {
        struct str param = part_next(rest);
        if (param.len == 0 || !str_is_utf8(param) || memchr(param.ptr, 0, param.len) != NULL) {
            return false; /* the router sees to that */
        }
        c->sent.params[i] = param;
    }
    return true;
}

static bool take_headers(struct call *c, struct str *rest)
{
    static const struct {
        unsigned trait;
        const char *name;
    } read[] = {
        {TRAIT_KEY, "Idempotency-Key"},
        {TRAIT_PRECONDITION, "If-Match"},
        {TRAIT_PRECONDITION | TRAIT_NOT_MODIFIED, "If-None-Match"},
        {TRAIT_RESUME, "Last-Event-ID"},
    };
    unsigned len = 0;
    for (size_t i = 0; i < ARRAY_LEN(read); i++) {
        if ((c->sent.operation->traits & read[i].trait) == 0) {
            continue;
        }
        struct str value = part_next(rest);
        if (!part_is_header(value)) {
            return false;
        }
        if (value.len > 0) { /* an empty part stands for none */
            c->sent.headers[len++] = (struct sent_header){read[i].name, value};
        }
    }
    return true;
}

static bool take_query(struct call *c, struct str part, struct buf *raw, struct buf *query)
{
    struct target target;
    buf_put_literal(raw, "/?");
    buf_put_str(raw, part);
    if (target_parse(raw->ptr, raw->len, query, &target) != NULL) {
        return false;
    }
    c->sent.query = target.query;
    return true;
}

static void ask(const struct call *c)
{
    struct exchange x;
    const struct inventory *inv = shop_ask(&c->sent, c->plan, &x);
    judge(c, inv, &x);
    exchange_release(&x);
}

static struct inventory_plan plan_of(uint8_t byte)
{
    return (struct inventory_plan){
        .refused_after = byte % 16 == 15 ? 0 : BATCH_OPERATIONS_MAX,
        .at_once = (byte & 16) != 0,
        .failing = (byte & 32) != 0,
        .rows = byte >> 6,
    };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct call c = {.operation = (enum operation_index)(data[0] % OPERATION_COUNT), .plan = plan_of(data[1])};
    struct str rest = fuzz_rest(data, size, 2);
    struct buf raw;
    struct buf query;
    c.sent.operation = &operations[c.operation];
    if (c.operation == OPERATION_metrics) {
        return 0; /* it reads /proc, and has no arguments of its own */
    }
    buf_init(&raw, TARGET_BYTES_MAX);
    buf_init(&query, 2 * TARGET_BYTES_MAX);
    if (take_params(&c, &rest) && take_query(&c, part_next(&rest), &raw, &query) && take_headers(&c, &rest)) {
        c.sent.body = rest.len > 0 ? rest : STR("");
        ask(&c);
    }
    buf_release(&raw);
    buf_release(&query);
    return 0;
}
