/* If-Match and If-None-Match: the verdict does not depend on white space, and a version is found under its own tag. */
#include "api/etag.h"
#include "base/mem.h"
#include "fuzz.h"

static enum etag_match match_with_blanks(struct str header, uint64_t *out_version)
{
    char *wider = mem_new(header.len + 3);
    memcpy(wider + 1, header.ptr, header.len);
    wider[0] = '\t';
    wider[header.len + 1] = ' ';
    enum etag_match match = etag_if_match((struct str){wider, header.len + 2}, out_version);
    mem_free(wider);
    return match;
}

static void check_version(struct str header, uint64_t version)
{
    char room[ETAG_BYTES_MAX];
    struct str tag = etag_of(version, room);
    uint64_t own = 0;
    check(version >= 1 && version <= INT64_MAX);
    check(etag_if_match(tag, &own) == ETAG_VERSION && own == version);
    check(etag_is_listed(header, tag));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str header = fuzz_rest(data, size, 0);
    uint64_t version = 0;
    uint64_t same = 0;
    enum etag_match match = etag_if_match(header, &version);
    check(match_with_blanks(header, &same) == match && same == version);
    bool any = match == ETAG_ANY;
    check(etag_is_listed(header, STR("\"no tag of ours\"")) == any);
    if (match == ETAG_VERSION) {
        check_version(header, version);
    }
    check(match != ETAG_BROKEN || !etag_is_listed(header, STR("\"1\"")));
    return 0;
}
