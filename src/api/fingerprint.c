#include "api/fingerprint.h"

#include "base/mem.h"

#include <openssl/evp.h>

struct fingerprinter {
    EVP_MD *digest; /* fetched once: a fetch costs more than a digest */
    EVP_MD_CTX *run;
};

struct fingerprinter *fingerprinter_new(void)
{
    struct fingerprinter *f = mem_new(sizeof(*f));
    f->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
    f->run = EVP_MD_CTX_new();
    check(f->digest != NULL && f->run != NULL);
    return f;
}

void fingerprinter_free(struct fingerprinter *f)
{
    if (f == NULL) {
        return;
    }
    EVP_MD_CTX_free(f->run);
    EVP_MD_free(f->digest);
    mem_free(f);
}

static void add_bytes(struct fingerprinter *f, const void *bytes, size_t len)
{
    check(EVP_DigestUpdate(f->run, bytes, len) == 1);
}

static void add_u64(struct fingerprinter *f, uint64_t v)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(v >> (56 - 8 * i));
    }
    add_bytes(f, bytes, sizeof(bytes));
}

/* Absent and empty differ. */
static void add_str(struct fingerprinter *f, struct str s)
{
    add_u64(f, str_is_absent(s) ? UINT64_MAX : s.len);
    if (s.len > 0) {
        add_bytes(f, s.ptr, s.len);
    }
}

static void add_lines(struct fingerprinter *f, const struct command *c)
{
    add_u64(f, c->lines_len);
    for (uint32_t i = 0; i < c->lines_len; i++) {
        add_str(f, c->lines[i].sku);
        add_str(f, c->lines[i].location);
        add_u64(f, (uint64_t)c->lines[i].quantity);
        add_u64(f, (uint64_t)c->lines[i].bucket);
    }
}

static void add_set(struct fingerprinter *f, const struct command *c)
{
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        add_u64(f, c->set_given[q] ? (uint64_t)c->set.of[q] : UINT64_MAX);
    }
    add_u64(f, c->set_any_version);
    add_u64(f, c->expected_version);
}

void fingerprint_of(struct fingerprinter *f, const struct command *command, uint8_t out[FINGERPRINT_BYTES])
{
    const struct command *c = command;
    check(EVP_DigestInit_ex2(f->run, f->digest, NULL) == 1);
    add_u64(f, (uint64_t)c->kind);
    const struct str texts[] = {c->reason, c->reference, c->actor, c->sku, c->location, c->to, c->name, c->attributes};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        add_str(f, texts[i]);
    }
    add_lines(f, c);
    add_set(f, c);
    add_u64(f, c->priority);
    add_u64(f, c->ttl_s);
    add_u64(f, (uint64_t)c->return_to);
    if (command_kind_has_reservation(c->kind)) {
        add_bytes(f, c->id.bytes, sizeof(c->id.bytes));
    }
    unsigned len = 0;
    check(EVP_DigestFinal_ex(f->run, out, &len) == 1 && len == FINGERPRINT_BYTES);
}
