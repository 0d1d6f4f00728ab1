#include "api/write.h"

#include "test.h"

#include <string.h>

static void check_key(const char *header, enum err err, const char *key)
{
    char room[IDEMPOTENCY_KEY_BYTES_MAX];
    struct str out;
    enum err e = write_parse_key(str_from(header), room, &out);
    if (e != err || (err == ERR_OK && !str_equal(out, str_from(key)))) {
        fail_msg("%s: %d", header == NULL ? "(none)" : header, e);
    }
}

static void a_key_is_taken_bare_or_quoted(void **state)
{
    (void)state;
    check_key("abc", ERR_OK, "abc");
    check_key(" abc\t", ERR_OK, "abc");
    check_key("\"abc\"", ERR_OK, "abc");
    check_key("\"a\\\"b\\\\c\"", ERR_OK, "a\"b\\c");
    check_key("8e03978e-40d5-43dd-bc93-6894a57f9324", ERR_OK, "8e03978e-40d5-43dd-bc93-6894a57f9324");
    check_key("a b ~", ERR_OK, "a b ~");
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    check_key(NULL, ERR_KEY_MISSING, NULL);
    check_key("", ERR_KEY_INVALID, NULL);
    check_key("  ", ERR_KEY_INVALID, NULL);
    check_key("\"\"", ERR_KEY_INVALID, NULL);
    check_key("\"abc", ERR_KEY_INVALID, NULL);
    check_key("\"abc\\", ERR_KEY_INVALID, NULL);
    check_key("\"a\\bc\"", ERR_KEY_INVALID, NULL);
    check_key("\"abc\";p=1", ERR_KEY_INVALID, NULL);
    check_key("\"a\"b", ERR_KEY_INVALID, NULL);
    check_key("a\x01", ERR_KEY_INVALID, NULL);
    check_key("\xc3\xa9", ERR_KEY_INVALID, NULL);
    check_key("a\x7f", ERR_KEY_INVALID, NULL);
}

static void a_key_has_up_to_255_characters(void **state)
{
    (void)state;
    char text[260];
    memset(text, 'k', sizeof(text));
    text[255] = 0;
    check_key(text, ERR_OK, text);
    text[255] = 'k';
    text[256] = 0;
    check_key(text, ERR_KEY_INVALID, NULL);
    memset(text, 'k', sizeof(text));
    text[0] = text[256] = '"';
    text[257] = 0;
    char key[256] = {0};
    memset(key, 'k', 255);
    check_key(text, ERR_OK, key);
    text[256] = 'k';
    text[257] = '"';
    text[258] = 0;
    check_key(text, ERR_KEY_INVALID, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_taken_bare_or_quoted),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(a_key_has_up_to_255_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
