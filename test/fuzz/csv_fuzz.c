/* Comma-separated values: an automaton that knows no pointers reads the same fields and finds the same faults. */
#include "app/demo/csv.h"
#include "base/buf.h"
#include "base/mem.h"
#include "fuzz.h"

#define FIELDS_MAX 9

enum where { AT_FIELD, IN_PLAIN, IN_QUOTES, BEHIND_QUOTE, BEHIND_CR };

/* The model: the records as text, each field ended by 0 1, each record by 0 2; at a fault 0 3 in place of the record. */
struct model {
    struct buf *out;
    size_t fields_max;
    size_t fields;
    size_t record_at;
    enum where where;
    bool broken;
};

static void model_field(struct model *m)
{
    buf_put_literal(m->out, "\0\1");
    m->fields++;
    m->where = AT_FIELD;
}

static void model_record(struct model *m)
{
    model_field(m);
    buf_put_literal(m->out, "\0\2");
    m->fields = 0;
    m->record_at = m->out->len;
}

static void model_broken(struct model *m)
{
    m->out->len = m->record_at;
    buf_put_literal(m->out, "\0\3");
    m->broken = true;
}

/* A byte outside of quotes. */
static void model_outside(struct model *m, char c)
{
    if (c == '\n') {
        model_record(m);
    } else if (m->where == BEHIND_CR) {
        model_broken(m);
    } else if (c == '\r') {
        m->where = BEHIND_CR;
    } else if (c == ',') {
        model_field(m);
        if (m->fields == m->fields_max) {
            model_broken(m);
        }
    } else if (m->where == BEHIND_QUOTE) {
        model_broken(m);
    } else {
        buf_put_char(m->out, c);
        m->where = IN_PLAIN;
    }
}

static void model_byte(struct model *m, char c)
{
    if (m->where == IN_QUOTES) {
        if (c == '"') {
            m->where = BEHIND_QUOTE;
        } else {
            buf_put_char(m->out, c);
        }
    } else if (c == '"' && m->where == AT_FIELD) {
        m->where = IN_QUOTES;
    } else if (c == '"' && m->where == BEHIND_QUOTE) {
        buf_put_char(m->out, c);
        m->where = IN_QUOTES;
    } else {
        model_outside(m, c);
    }
}

static void model_read(struct str text, size_t fields_max, struct buf *out)
{
    struct model m = {.out = out, .fields_max = fields_max};
    for (size_t i = 0; i < text.len && !m.broken; i++) {
        model_byte(&m, text.ptr[i]);
    }
    bool begun = m.where != AT_FIELD || m.fields > 0;
    if (!m.broken && m.where == IN_QUOTES) {
        model_broken(&m);
    } else if (!m.broken && begun) {
        model_record(&m);
    }
}

static void csv_read(char *bytes, size_t len, size_t fields_max, struct buf *out)
{
    struct csv csv;
    struct str fields[FIELDS_MAX];
    size_t count;
    csv_init(&csv, bytes, len);
    while ((count = csv_next(&csv, fields, fields_max)) > 0) {
        check(count <= fields_max);
        for (size_t i = 0; i < count; i++) {
            buf_put_str(out, fields[i]);
            buf_put_literal(out, "\0\1");
        }
        buf_put_literal(out, "\0\2");
    }
    if (csv.broken) {
        buf_put_literal(out, "\0\3");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t fields_max = size > 0 ? 1 + data[0] % FIELDS_MAX : 1;
    struct str text = fuzz_rest(data, size, 1);
    struct buf expected;
    struct buf read;
    buf_init(&expected, SIZE_MAX);
    buf_init(&read, SIZE_MAX);
    model_read(text, fields_max, &expected);
    char *bytes = mem_copy_str(text);
    csv_read(bytes, text.len, fields_max, &read);
    mem_free(bytes);
    check(str_equal(buf_str(&expected), buf_str(&read)));
    buf_release(&expected);
    buf_release(&read);
    return 0;
}
