#include "api/etag.h"

struct str etag_of(uint64_t version, char room[ETAG_BYTES_MAX])
{
    char digits_room[U64_DIGITS_MAX];
    struct str digits = str_from_u64(version, digits_room);
    room[0] = '"';
    memcpy(room + 1, digits.ptr, digits.len);
    room[1 + digits.len] = '"';
    return (struct str){room, digits.len + 2};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next tag (with its quotes) off `rest`. False: no tag there. */
static bool take_tag(struct str *rest, bool *out_weak, struct str *out_tag)
{
    size_t i = 0;
    *out_weak = rest->len >= 2 && rest->ptr[0] == 'W' && rest->ptr[1] == '/';
    i += *out_weak ? 2 : 0;
    if (i >= rest->len || rest->ptr[i] != '"') {
        return false;
    }
    size_t begin = i++;
    while (i < rest->len && rest->ptr[i] != '"') {
        unsigned char c = (unsigned char)rest->ptr[i++];
        if (c < 0x21 || c == 0x7f) {
            return false;
        }
    }
    if (i == rest->len) {
        return false;
    }
    *out_tag = (struct str){rest->ptr + begin, i + 1 - begin};
    *rest = (struct str){rest->ptr + i + 1, rest->len - i - 1};
    return true;
}

/* White space and commas between tags; `*out_comma`: was there a comma? */
static void skip_separators(struct str *rest, bool *out_comma)
{
    *out_comma = false;
    while (rest->len > 0 && (is_space(rest->ptr[0]) || rest->ptr[0] == ',')) {
        *out_comma |= rest->ptr[0] == ',';
        *rest = (struct str){rest->ptr + 1, rest->len - 1};
    }
}

/* Calls `fn` with each tag; false when the list is broken or empty. */
static bool each_tag(struct str header, void (*fn)(void *ctx, bool weak, struct str tag), void *ctx)
{
    bool comma;
    skip_separators(&header, &comma);
    bool any = false;
    while (header.len > 0) {
        bool weak;
        struct str tag;
        if ((any && !comma) || !take_tag(&header, &weak, &tag)) {
            return false;
        }
        any = true;
        fn(ctx, weak, tag);
        skip_separators(&header, &comma);
    }
    return any;
}

struct versions {
    uint64_t first;
    unsigned count;
};

static void each_tag_version(void *ctx, bool weak, struct str tag)
{
    struct versions *v = ctx;
    uint64_t version;
    struct str inner = {tag.ptr + 1, tag.len - 2};
    /* Versions begin at 1. */
    if (weak || !str_to_u64(inner, INT64_MAX, &version) || version == 0) {
        return;
    }
    if (v->count == 0 || v->first != version) {
        v->first = version;
        v->count++;
    }
}

enum etag_match etag_if_match(struct str header, uint64_t *out_version)
{
    if (str_equal(str_trim(header), STR("*"))) {
        return ETAG_ANY;
    }
    struct versions versions = {0};
    if (!each_tag(header, each_tag_version, &versions)) {
        return ETAG_BROKEN;
    }
    if (versions.count != 1) {
        return versions.count == 0 ? ETAG_NEVER : ETAG_SEVERAL;
    }
    *out_version = versions.first;
    return ETAG_VERSION;
}

struct search {
    struct str tag;
    bool found;
};

static void each_tag_search(void *ctx, bool weak, struct str tag)
{
    struct search *search = ctx;
    (void)weak;
    search->found |= str_equal(tag, search->tag);
}

bool etag_is_listed(struct str header, struct str tag)
{
    if (str_equal(str_trim(header), STR("*"))) {
        return true;
    }
    struct search search = {.tag = tag};
    return each_tag(header, each_tag_search, &search) && search.found;
}
