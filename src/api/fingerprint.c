#include "api/fingerprint.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

#include <endian.h>
#include <openssl/evp.h>

/* A body holds all that is hashed but the lengths: less than ten of them for each line and for the rest. */
#define MEMBERS_BYTES_MAX (BODY_BYTES_MAX + (LINES_MAX + 10) * 10 * 8)

struct fingerprinter {
    EVP_MD *digest; /* fetched once: a fetch costs more than a digest */
    EVP_MD_CTX *run;
    struct buf members; /* what is hashed, in one piece: each piece handed to the library costs as much as a block */
};

struct fingerprinter *fingerprinter_new(void)
{
    struct fingerprinter *f = mem_new(sizeof(*f));
    f->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
    f->run = EVP_MD_CTX_new();
    check(f->digest != NULL && f->run != NULL);
    buf_init(&f->members, MEMBERS_BYTES_MAX);
    return f;
}

void fingerprinter_free(struct fingerprinter *f)
{
    if (f == NULL) {
        return;
    }
    buf_release(&f->members);
    EVP_MD_CTX_free(f->run);
    EVP_MD_free(f->digest);
    mem_free(f);
}

static void add_u64(struct buf *b, uint64_t v)
{
    uint64_t big_endian = htobe64(v);
    buf_put(b, &big_endian, sizeof(big_endian));
}

/* Absent and empty differ. */
static void add_str(struct buf *b, struct str s)
{
    add_u64(b, str_is_absent(s) ? UINT64_MAX : s.len);
    buf_put_str(b, s);
}

static void add_lines(struct buf *b, const struct command *c)
{
    add_u64(b, c->lines_len);
    for (uint32_t i = 0; i < c->lines_len; i++) {
        add_str(b, c->lines[i].sku);
        add_str(b, c->lines[i].location);
        add_u64(b, (uint64_t)c->lines[i].quantity);
        add_u64(b, (uint64_t)c->lines[i].bucket);
    }
}

static void add_set(struct buf *b, const struct command *c)
{
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        add_u64(b, c->set_given[q] ? (uint64_t)c->set.of[q] : UINT64_MAX);
    }
    add_u64(b, c->set_any_version);
    add_u64(b, c->expected_version);
}

void fingerprint_of(struct fingerprinter *f, const struct command *command, uint8_t out[FINGERPRINT_BYTES])
{
    const struct command *c = command;
    struct buf *b = &f->members;
    buf_clear(b);
    add_u64(b, (uint64_t)c->kind);
    const struct str texts[] = {c->reason, c->reference, c->actor, c->sku, c->location, c->to, c->name, c->attributes};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        add_str(b, texts[i]);
    }
    add_lines(b, c);
    add_set(b, c);
    add_u64(b, c->priority);
    add_u64(b, c->ttl_s);
    add_u64(b, (uint64_t)c->return_to);
    if (command_kind_has_reservation(c->kind)) {
        buf_put(b, c->id.bytes, sizeof(c->id.bytes));
    }
    check(!b->overflowed);
    unsigned len = 0;
    check(EVP_DigestInit_ex2(f->run, f->digest, NULL) == 1 && EVP_DigestUpdate(f->run, b->ptr, b->len) == 1);
    check(EVP_DigestFinal_ex(f->run, out, &len) == 1 && len == FINGERPRINT_BYTES);
}
