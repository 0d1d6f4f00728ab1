/* Last-Event-ID: what is taken is exactly what a stream would have written; what is not leaves no trace. */
#include "fuzz.h"
#include "push/push.h"

#include <inttypes.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str id = fuzz_rest(data, size, 0);
    struct stream_resume resume = {.epoch = 7, .seq = 9};
    if (!stream_resume_parse(id, &resume)) {
        check(!resume.given && resume.epoch == 7 && resume.seq == 9);
        return 0;
    }
    char text[64];
    int len = snprintf(text, sizeof(text), "%" PRIu64 "-%" PRIu64, resume.epoch, resume.seq);
    check(resume.given && str_equal(id, (struct str){text, (size_t)len}));
    return 0;
}
