#include "bus/endpoint.h"

/* Splits at the first (or last) `c`: what is before it, and the rest. All is before it when there is none. */
static bool split(struct str s, char c, bool last, struct str *out_before, struct str *out_behind)
{
    const char *at = s.len == 0 ? NULL : last ? memrchr(s.ptr, c, s.len) : memchr(s.ptr, c, s.len);
    size_t len = at == NULL ? s.len : (size_t)(at - s.ptr);
    *out_before = (struct str){s.ptr, len};
    *out_behind = at == NULL ? STR("") : (struct str){at + 1, s.len - len - 1};
    return at != NULL;
}

static bool take_scheme(struct str *url, const char *scheme)
{
    size_t len = strlen(scheme);
    if (str_is_absent(*url) || url->len < len + 3 || memcmp(url->ptr, scheme, len) != 0 ||
        memcmp(url->ptr + len, "://", 3) != 0) {
        return false;
    }
    *url = (struct str){url->ptr + len + 3, url->len - len - 3};
    return true;
}

static void take_user(struct str *authority, struct endpoint *e)
{
    struct str user;
    struct str host;
    e->user = e->password = STR("");
    if (split(*authority, '@', true, &user, &host)) {
        split(user, ':', false, &e->user, &e->password);
        *authority = host;
    }
}

/* The host with its brackets off, and what may follow it: nothing, or a colon and the port. */
static bool take_host(struct str authority, struct endpoint *e, struct str *out_port)
{
    struct str behind;
    if (authority.len == 0 || authority.ptr[0] != '[') {
        return split(authority, ':', false, &e->host, out_port) ? out_port->len > 0 : true;
    }
    authority = (struct str){authority.ptr + 1, authority.len - 1};
    if (!split(authority, ']', false, &e->host, &behind) || (behind.len > 0 && behind.ptr[0] != ':') ||
        behind.len == 1) {
        return false;
    }
    *out_port = behind.len == 0 ? STR("") : (struct str){behind.ptr + 1, behind.len - 1};
    return true;
}

static bool is_host(struct str host, bool bracketed)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (c <= ' ' || c == 0x7f || c == '/' || c == '?' || c == '#' || c == ',' || (c == ':' && !bracketed)) {
            return false;
        }
    }
    return host.len > 0;
}

bool endpoint_parse(struct str url, const char *scheme, uint16_t port_default, struct endpoint *out)
{
    struct endpoint e = {.port = port_default};
    struct str authority;
    struct str port = STR("");
    uint64_t number = port_default;
    if (!take_scheme(&url, scheme)) {
        return false;
    }
    split(url, '/', false, &authority, &e.path);
    take_user(&authority, &e);
    bool bracketed = authority.len > 0 && authority.ptr[0] == '[';
    if (!take_host(authority, &e, &port) || !is_host(e.host, bracketed)) {
        return false;
    }
    if (port.len > 0 && (!str_to_u64(port, UINT16_MAX, &number) || number == 0)) {
        return false;
    }
    e.port = (uint16_t)number;
    *out = e;
    return true;
}
