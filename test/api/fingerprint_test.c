#include "api/decode.h"
#include "api/fingerprint.h"

#include "test.h"

#include <string.h>

static void
fingerprint_body(const struct message *m, enum command_kind kind, const char *body, uint8_t out[FINGERPRINT_BYTES])
{
    struct decoded decoded = {0};
    struct decode_errors errors;
    struct err_note note;
    struct command command = {0};
    decode_errors_init(&errors);
    assert_int_equal(decode_body(&decoded, m, str_from(body), false, &command, &errors, &note), ERR_OK);
    command.kind = kind;
    struct fingerprinter *f = fingerprinter_new();
    fingerprint_of(f, &command, out);
    fingerprinter_free(f);
    decoded_release(&decoded);
    decode_errors_release(&errors);
}

static bool same_reserve(const char *a, const char *b)
{
    uint8_t of_a[FINGERPRINT_BYTES];
    uint8_t of_b[FINGERPRINT_BYTES];
    fingerprint_body(&reservation_request, COMMAND_RESERVE, a, of_a);
    fingerprint_body(&reservation_request, COMMAND_RESERVE, b, of_b);
    return memcmp(of_a, of_b, sizeof(of_a)) == 0;
}

#define BASE "{\"lines\":[{\"sku\":\"A\",\"quantity\":1},{\"sku\":\"B\",\"quantity\":2}],\"ttl_s\":900}"

static void spellings_of_one_request_have_one_fingerprint(void **state)
{
    (void)state;
    assert_true(same_reserve(BASE, BASE));
    assert_true(same_reserve(
        BASE, " { \"ttl_s\":900, \"lines\":[{\"quantity\":1,\"sku\":\"\\u0041\"},{\"sku\":\"B\",\"quantity\":2}]}\n"));
    /* 900 is what an absent ttl_s means. */
    assert_true(same_reserve(BASE, "{\"lines\":[{\"sku\":\"A\",\"quantity\":1},{\"sku\":\"B\",\"quantity\":2}]}"));
}

static void every_member_counts(void **state)
{
    (void)state;
    static const char *const others[] = {
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":1},{\"sku\":\"B\",\"quantity\":3}],\"ttl_s\":900}",
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":1},{\"sku\":\"C\",\"quantity\":2}],\"ttl_s\":900}",
        "{\"lines\":[{\"sku\":\"B\",\"quantity\":2},{\"sku\":\"A\",\"quantity\":1}],\"ttl_s\":900}",
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":1}],\"ttl_s\":900}",
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":1},{\"sku\":\"B\",\"quantity\":2}],\"ttl_s\":901}",
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":1},{\"sku\":\"B\",\"quantity\":2}],\"reference\":\"r\"}",
        "{\"lines\":[{\"sku\":\"A\",\"quantity\":1,\"location\":\"l\"},{\"sku\":\"B\",\"quantity\":2}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (same_reserve(BASE, others[i])) {
            fail_msg("%s counts as the same", others[i]);
        }
    }
}

/* Two strings side by side are not the same as the same letters split elsewhere. */
static void lengths_are_part_of_it(void **state)
{
    (void)state;
    struct fingerprinter *f = fingerprinter_new();
    struct command a = {.kind = COMMAND_ADJUST, .reason = STR("ab"), .reference = STR("c")};
    struct command b = {.kind = COMMAND_ADJUST, .reason = STR("a"), .reference = STR("bc")};
    struct command c = {.kind = COMMAND_ADJUST, .reason = STR("ab"), .reference = STR_NONE};
    struct command d = {.kind = COMMAND_ADJUST, .reason = STR("ab"), .reference = STR("")};
    uint8_t of[4][FINGERPRINT_BYTES];
    fingerprint_of(f, &a, of[0]);
    fingerprint_of(f, &b, of[1]);
    fingerprint_of(f, &c, of[2]);
    fingerprint_of(f, &d, of[3]);
    for (int i = 0; i < 4; i++) {
        for (int j = i + 1; j < 4; j++) {
            assert_memory_not_equal(of[i], of[j], FINGERPRINT_BYTES);
        }
    }
    fingerprinter_free(f);
}

static void the_reservation_of_a_transition_counts_and_the_id_of_a_new_one_does_not(void **state)
{
    (void)state;
    struct fingerprinter *f = fingerprinter_new();
    uint8_t first[FINGERPRINT_BYTES];
    uint8_t second[FINGERPRINT_BYTES];
    struct command c = {.kind = COMMAND_COMMIT};
    fingerprint_of(f, &c, first);
    c.id.bytes[15] = 1;
    fingerprint_of(f, &c, second);
    assert_memory_not_equal(first, second, FINGERPRINT_BYTES);
    c.kind = COMMAND_CANCEL;
    fingerprint_of(f, &c, first);
    assert_memory_not_equal(first, second, FINGERPRINT_BYTES);
    c.kind = COMMAND_RESERVE;
    fingerprint_of(f, &c, first);
    c.id.bytes[15] = 2;
    fingerprint_of(f, &c, second);
    assert_memory_equal(first, second, FINGERPRINT_BYTES);
    fingerprinter_free(f);
}

static void what_a_set_gives_counts(void **state)
{
    (void)state;
    uint8_t first[FINGERPRINT_BYTES];
    uint8_t second[FINGERPRINT_BYTES];
    fingerprint_body(&level_request, COMMAND_SET, "{\"on_hand\":1}", first);
    fingerprint_body(&level_request, COMMAND_SET, "{\"on_hand\":1,\"damaged\":0}", second);
    assert_memory_not_equal(first, second, FINGERPRINT_BYTES);
    fingerprint_body(&return_request, COMMAND_RETURN, "{\"to\":\"damaged\"}", first);
    fingerprint_body(&return_request, COMMAND_RETURN, "{\"to\":\"restocked\"}", second);
    assert_memory_not_equal(first, second, FINGERPRINT_BYTES);
}

/* They are stored for a day: another form would make strangers of all retries across an upgrade. */
static void fingerprints_stay_what_they_were(void **state)
{
    (void)state;
    static const uint8_t reserve[FINGERPRINT_BYTES] = {0xe3, 0x2f, 0x58, 0x4d, 0x56, 0x25, 0x31, 0xeb, 0x81, 0x34, 0x0d,
                                                       0x75, 0x64, 0x1f, 0x11, 0x48, 0xce, 0x72, 0xc7, 0x5a, 0x5f, 0x66,
                                                       0x58, 0x41, 0xdb, 0x5d, 0xd7, 0xc0, 0x9b, 0xf6, 0xc5, 0xaa};
    static const uint8_t receive[FINGERPRINT_BYTES] = {0xcc, 0xf0, 0x3e, 0x72, 0xf8, 0x84, 0xab, 0xf3, 0x01, 0xc5, 0x68,
                                                       0x1c, 0x15, 0xd8, 0x6d, 0xc6, 0xb8, 0x45, 0x62, 0xd8, 0x05, 0xfd,
                                                       0xcc, 0x67, 0xa2, 0x36, 0x06, 0xa0, 0xc6, 0x24, 0x59, 0x6b};
    uint8_t of[FINGERPRINT_BYTES];
    fingerprint_body(
        &reservation_request, COMMAND_RESERVE, "{\"lines\":[{\"sku\":\"A\",\"quantity\":1}],\"ttl_s\":100}", of);
    assert_memory_equal(of, reserve, sizeof(of));
    fingerprint_body(
        &receipt_request, COMMAND_RECEIVE,
        "{\"lines\":[{\"sku\":\"A\",\"location\":\"l\",\"quantity\":5}],\"reference\":\"PO-1\"}", of);
    assert_memory_equal(of, receive, sizeof(of));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_request_have_one_fingerprint),
        cmocka_unit_test(every_member_counts),
        cmocka_unit_test(lengths_are_part_of_it),
        cmocka_unit_test(the_reservation_of_a_transition_counts_and_the_id_of_a_new_one_does_not),
        cmocka_unit_test(what_a_set_gives_counts),
        cmocka_unit_test(fingerprints_stay_what_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
