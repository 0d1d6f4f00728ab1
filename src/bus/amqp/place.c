#include "bus/amqp/place.h"

#include "base/mem.h"
#include "bus/endpoint.h"

#define PORT 5672

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* A terminated copy, percent-decoded; NULL: wrongly encoded, or it has a NUL. */
static char *decode(struct str s)
{
    char *out = mem_new(s.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            int high = s.len - i > 2 ? hex_value(s.ptr[i + 1]) : -1;
            int low = s.len - i > 2 ? hex_value(s.ptr[i + 2]) : -1;
            c = (char)(high < 0 || low < 0 ? 0 : high << 4 | low);
            i += 2;
        }
        if (c == '\0') {
            mem_free(out);
            return NULL;
        }
        out[len++] = c;
    }
    return out;
}

static void place_release(struct place *p)
{
    mem_free(p->host);
    mem_free(p->user);
    mem_free(p->password);
    mem_free(p->vhost);
}

void places_release(struct places *p)
{
    for (unsigned i = 0; i < p->len; i++) {
        place_release(&p->of[i]);
    }
    p->len = 0;
}

/* A slash would be the next part of a path: a vhost that has one is written with %2F. */
static bool place_parse(struct str url, struct place *out)
{
    struct endpoint e;
    if (!endpoint_parse(url, "amqp", PORT, &e) || (e.path.len > 0 && memchr(e.path.ptr, '/', e.path.len) != NULL)) {
        return false;
    }
    *out = (struct place){
        .host = mem_copy_str(e.host),
        .port = e.port,
        .user = decode(e.user.len > 0 ? e.user : STR("guest")),
        .password = decode(e.user.len > 0 ? e.password : STR("guest")),
        .vhost = decode(e.path.len > 0 ? e.path : STR("/")),
    };
    bool decoded = out->user != NULL && out->password != NULL && out->vhost != NULL;
    if (!decoded) {
        place_release(out);
    }
    return decoded;
}

enum err places_parse(const char *urls, struct places *out, struct err_note *note)
{
    out->len = 0;
    for (;;) {
        size_t len = strcspn(urls, ",");
        if (out->len == PLACES_MAX) {
            places_release(out);
            return err_note_set(note, ERR_CONFIG, "more than %d AMQP brokers", PLACES_MAX);
        }
        if (!place_parse((struct str){urls, len}, &out->of[out->len])) {
            places_release(out);
            return err_note_set(
                note, ERR_CONFIG, "not a URL of an AMQP broker: need amqp://[user[:password]@]host[:port][/vhost]");
        }
        out->len++;
        if (urls[len] == '\0') {
            return ERR_OK;
        }
        urls += len + 1;
    }
}
