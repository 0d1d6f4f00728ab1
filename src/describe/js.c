#include "describe/js.h"

/* A value or name follows another one unless a bracket was just opened or a name just written. */
static void separate(struct buf *b)
{
    if (b->len > 0 && strchr("{[:", b->ptr[b->len - 1]) == NULL) {
        buf_put_char(b, ',');
    }
}

void js_open(struct buf *b, char bracket)
{
    separate(b);
    buf_put_char(b, bracket);
}

void js_close(struct buf *b, char bracket)
{
    buf_put_char(b, bracket);
}

void js_name(struct buf *b, const char *name)
{
    separate(b);
    buf_put_json(b, str_from(name));
    buf_put_char(b, ':');
}

void js_text(struct buf *b, const char *text)
{
    separate(b);
    buf_put_json(b, str_from(text));
}

void js_number(struct buf *b, int64_t number)
{
    separate(b);
    buf_put_i64(b, number);
}

void js_bool(struct buf *b, bool value)
{
    js_raw(b, value ? "true" : "false");
}

void js_raw(struct buf *b, const char *json)
{
    separate(b);
    buf_put_str(b, str_from(json));
}

void js_text_member(struct buf *b, const char *name, const char *text)
{
    js_name(b, name);
    js_text(b, text);
}

void js_number_member(struct buf *b, const char *name, int64_t number)
{
    js_name(b, name);
    js_number(b, number);
}

void js_object_member(struct buf *b, const char *name)
{
    js_name(b, name);
    js_open(b, '{');
}

void js_array_member(struct buf *b, const char *name)
{
    js_name(b, name);
    js_open(b, '[');
}

void js_ref(struct buf *b, const char *kind, const char *name)
{
    separate(b);
    buf_printf(b, "{\"$ref\":\"#/components/%s/%s\"}", kind, name);
}
