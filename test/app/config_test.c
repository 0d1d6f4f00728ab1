#include "app/config.h"

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The environment of a test: NULL-terminated pairs. */
static const char *const *environment;

static char *getenv_stub(const char *name)
{
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i += 2) {
        if (strcmp(environment[i], name) == 0) {
            return (char *)(uintptr_t)environment[i + 1];
        }
    }
    return NULL;
}

static char file_path[] = "/tmp/onhand-config-test-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    strcpy(file_path + sizeof(file_path) - 7, "XXXXXX");
    int fd = mkstemp(file_path);
    close(fd);
    return fd < 0 ? -1 : 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file_path);
}

static void write_file(const char *text)
{
    FILE *f = fopen(file_path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

#define ARGUMENTS_MAX 12

static enum err
read_with(const char *const *arguments, const char *const *env, struct config *out, struct err_note *note)
{
    char *argv[ARGUMENTS_MAX + 2];
    int argc = 0;
    for (; arguments != NULL && arguments[argc] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)arguments[argc];
    }
    environment = env;
    note->text[0] = '\0';
    return config_read(argc, argv, getenv_stub, out, note);
}

static void defaults_stand_where_nothing_is_given(void **state)
{
    (void)state;
    struct config c;
    struct err_note note;
    assert_int_equal(read_with(NULL, NULL, &c, &note), ERR_OK);
    assert_string_equal(c.host, "127.0.0.1");
    assert_int_equal(c.port, 8080);
    assert_string_equal(c.data, "./onhand-data");
    assert_int_equal(c.log_level, LOG_INFO);
    assert_int_equal(c.http_threads, 1);
    assert_int_equal(c.connections_max, 16384);
    assert_int_equal(c.idempotency_keys_max, 4000000);
    config_release(&c);
}

struct precedence_case {
    const char *flag;
    const char *variable;
    const char *in_file;
    uint64_t port;
};

static void the_flag_wins_then_the_environment_then_the_file(void **state)
{
    (void)state;
    static const struct precedence_case cases[] = {
        {NULL, NULL, NULL, 8080},     {NULL, NULL, "1003", 1003},     {NULL, "1002", NULL, 1002},
        {"1001", NULL, NULL, 1001},   {NULL, "1002", "1003", 1002},   {"1001", NULL, "1003", 1001},
        {"1001", "1002", NULL, 1001}, {"1001", "1002", "1003", 1001},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[64];
        snprintf(
            text, sizeof(text), "[server]\n%s%s\n",
            cases[i].in_file == NULL ? "; port" : "port = ", cases[i].in_file == NULL ? "" : cases[i].in_file);
        write_file(text);
        const char *arguments[] = {"--config", file_path, cases[i].flag == NULL ? NULL : "--port", cases[i].flag, NULL};
        const char *env[] = {cases[i].variable == NULL ? NULL : "ONHAND_PORT", cases[i].variable, NULL};
        struct config c;
        struct err_note note;
        assert_int_equal(read_with(arguments, env, &c, &note), ERR_OK);
        assert_int_equal(c.port, cases[i].port);
        config_release(&c);
    }
}

/* A value for each row that is not its default, by each way in. */
static const char *other_value(const struct config_row *row)
{
    static const char *const numbers[] = {"1000", "7", "1"};
    size_t i = 0;
    while (row->kind == CONFIG_KIND_NUMBER && strtoull(numbers[i], NULL, 10) > row->greatest) {
        i++;
    }
    return row->kind == CONFIG_KIND_TEXT ? "elsewhere" : row->kind == CONFIG_KIND_LEVEL ? "debug" : numbers[i];
}

static void check_member(const struct config *c, const struct config_row *row)
{
    const void *member = (const char *)c + row->offset;
    if (row->kind == CONFIG_KIND_TEXT) {
        assert_string_equal(*(char *const *)member, "elsewhere");
    } else if (row->kind == CONFIG_KIND_LEVEL) {
        assert_int_equal(*(const enum log_level *)member, LOG_DEBUG);
    } else {
        assert_int_equal(*(const uint64_t *)member, strtoull(other_value(row), NULL, 10));
    }
}

static void every_key_can_be_set_in_every_way(void **state)
{
    (void)state;
    size_t len;
    const struct config_row *rows = config_rows(&len);
    assert_true(len >= 9);
    for (size_t i = 0; i < len; i++) {
        const char *value = other_value(&rows[i]);
        char text[256];
        snprintf(text, sizeof(text), "# comment\n[%s]\n%s = %s\n", rows[i].section, rows[i].key, value);
        write_file(text);
        const char *by_flag[] = {rows[i].flag, value, NULL};
        const char *by_file[] = {"--config", file_path, NULL};
        const char *env[] = {rows[i].variable, value, NULL};
        const char *env_file[] = {"ONHAND_CONFIG", file_path, NULL};
        const char *const *arguments[] = {by_flag, by_file, NULL, NULL};
        const char *const *envs[] = {NULL, NULL, env, env_file};
        for (size_t way = 0; way < 4; way++) {
            struct config c;
            struct err_note note;
            assert_int_equal(read_with(arguments[way], envs[way], &c, &note), ERR_OK);
            check_member(&c, &rows[i]);
            config_release(&c);
        }
    }
}

static void a_flag_may_have_its_value_behind_an_equals_sign(void **state)
{
    (void)state;
    const char *arguments[] = {"--port=1234", "--data=a=b", NULL};
    struct config c;
    struct err_note note;
    assert_int_equal(read_with(arguments, NULL, &c, &note), ERR_OK);
    assert_int_equal(c.port, 1234);
    assert_string_equal(c.data, "a=b");
    config_release(&c);
}

struct bad_file {
    const char *text;
    int line;
    const char *says;
};

static void a_bad_file_is_refused_with_its_line(void **state)
{
    (void)state;
    static char long_line[3000];
    memset(long_line, 'x', sizeof(long_line) - 1);
    memcpy(long_line, "[server]\nhost = ", 16);
    const struct bad_file cases[] = {
        {"[server]\nprot = 1\n", 2, "unknown key prot"},
        {"port = 1\n", 1, "unknown key port"},
        {"[sever]\n\nport = 1\n", 3, "unknown key port in [sever]"},
        {"[inventory]\nport = 1\n", 2, "unknown key port in [inventory]"},
        {"[server]\nport = 1\nhost = a\nport = 1\n", 4, "duplicate key port (first on line 2)"},
        {"[server]\nport = 1\n[inventory]\n[server]\nport = 1\n", 5, "duplicate key port"},
        {"[server]\nport = 65536\n", 2, "port: \"65536\" is not a whole number from 0 to 65535"},
        {"[server]\nport = -1\n", 2, "whole number"},
        {"[server]\nport = 08080\n", 2, "whole number"},
        {"[server]\nport =\n", 2, "whole number"},
        {"[server]\nhttp_threads = 0\n", 2, "from 1 to 64"},
        {"[server]\nconnections_max = 1e6\n", 2, "whole number"},
        {"[server]\nhost =\n", 2, "host is empty"},
        {"[server]\nlog_level = INFO\n", 2, "is not error, warn, info or debug"},
        {"[inventory]\nidempotency_keys_max = 999\n", 2, "from 1000"},
        {"[server]\nnonsense\n", 2, "neither a [section] nor key = value"},
        {"[server\nport = 1\n", 1, "neither a [section] nor key = value"},
        {"[server]\nhost = a\n  b\n", 3, "duplicate key host"},
        {long_line, 2, "too long"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        write_file(cases[i].text);
        const char *arguments[] = {"--config", file_path, NULL};
        struct config c;
        struct err_note note;
        char where[128];
        snprintf(where, sizeof(where), "%s:%d: ", file_path, cases[i].line);
        enum err e = read_with(arguments, NULL, &c, &note);
        if (e != ERR_CONFIG || strncmp(note.text, where, strlen(where)) != 0 ||
            strstr(note.text, cases[i].says) == NULL) {
            fail_msg("row %zu: %d \"%s\", expected \"%s...%s\"", i, (int)e, note.text, where, cases[i].says);
        }
    }
}

static void a_file_that_is_not_there_is_refused(void **state)
{
    (void)state;
    const char *arguments[] = {"--config", "/tmp/there/is/no/such/file", NULL};
    struct config c;
    struct err_note note;
    assert_int_equal(read_with(arguments, NULL, &c, &note), ERR_CONFIG);
    assert_non_null(strstr(note.text, "/tmp/there/is/no/such/file: No such file"));
}

/* A stronger source does not hide a mistake in a weaker one. */
static void a_bad_value_is_refused_also_when_it_would_lose(void **state)
{
    (void)state;
    const char *arguments[] = {"--port", "1001", NULL};
    const char *env[] = {"ONHAND_PORT", "many", NULL};
    struct config c;
    struct err_note note;
    assert_int_equal(read_with(arguments, env, &c, &note), ERR_CONFIG);
    assert_non_null(strstr(note.text, "ONHAND_PORT: port: \"many\""));
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[4];
        enum err e;
        const char *says;
    } cases[] = {
        {{"--prot", "1"}, ERR_INVALID, "unknown option --prot"},
        {{"--port"}, ERR_INVALID, "--port needs a value"},
        {{"8080"}, ERR_INVALID, "\"8080\" is not an option"},
        {{"-p", "1"}, ERR_INVALID, "\"-p\" is not an option"},
        {{"--port", "70000"}, ERR_CONFIG, "--port: port: \"70000\""},
        {{"--log-level", "loud"}, ERR_CONFIG, "loud"},
        {{"--data="}, ERR_CONFIG, "data is empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config c;
        struct err_note note;
        assert_int_equal(read_with(cases[i].arguments, NULL, &c, &note), cases[i].e);
        assert_non_null(strstr(note.text, cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_where_nothing_is_given),
        cmocka_unit_test(the_flag_wins_then_the_environment_then_the_file),
        cmocka_unit_test(every_key_can_be_set_in_every_way),
        cmocka_unit_test(a_flag_may_have_its_value_behind_an_equals_sign),
        cmocka_unit_test(a_bad_file_is_refused_with_its_line),
        cmocka_unit_test(a_file_that_is_not_there_is_refused),
        cmocka_unit_test(a_bad_value_is_refused_also_when_it_would_lose),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
