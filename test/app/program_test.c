#include "app/bench/bench.h"
#include "app/config.h"
#include "app/demo/demo.h"
#include "app/subcommand.h"
#include "process.h"
#include "test.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY_MS 20000
#define END_MS 20000

static struct process process;

static char data_dir[64];

static int make_data_dir(void **state)
{
    (void)state;
    strcpy(data_dir, "/tmp/onhand-program-test-XXXXXX");
    return mkdtemp(data_dir) == NULL ? -1 : 0;
}

static int remove_cb(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int remove_data_dir(void **state)
{
    (void)state;
    return nftw(data_dir, remove_cb, 8, FTW_DEPTH | FTW_PHYS);
}

#define RUN(...) process_run(&process, (const char *const[]){__VA_ARGS__, NULL})
#define START(...) process_start(&process, (const char *const[]){__VA_ARGS__, NULL})

static void assert_says(const char *text)
{
    if (strstr(process.output, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, process.output);
    }
}

static unsigned lines_of_output(void)
{
    unsigned lines = 0;
    for (const char *p = process.output; *p != '\0'; p++) {
        lines += *p == '\n';
    }
    return lines;
}

static void the_help_names_every_command_option_variable_and_key(void **state)
{
    (void)state;
    assert_int_equal(RUN("--help"), 0);
    size_t len;
    const struct subcommand *all = subcommands(&len);
    assert_int_equal(len, 9);
    for (size_t i = 0; i < len; i++) {
        assert_says(all[i].name);
        assert_says(all[i].summary);
    }
    const struct config_row *rows = config_rows(&len);
    for (size_t i = 0; i < len; i++) {
        char key[128];
        snprintf(key, sizeof(key), "[%s] %s\n", rows[i].section, rows[i].key);
        assert_says(key);
        assert_says(rows[i].flag);
        assert_says(rows[i].variable);
        assert_says(rows[i].help);
    }
    const struct option_row *options = demo_options(&len);
    for (size_t i = 0; i < len; i++) {
        assert_says(options[i].flag);
        assert_says(options[i].help);
    }
    options = bench_options(&len);
    for (size_t i = 0; i < len; i++) {
        assert_says(options[i].flag);
        assert_says(options[i].help);
    }
}

static void each_command_has_its_own_help_in_two_ways(void **state)
{
    (void)state;
    size_t len;
    const struct subcommand *all = subcommands(&len);
    for (size_t i = 0; i < len; i++) {
        static char first[PROCESS_OUTPUT_MAX];
        assert_int_equal(RUN("help", all[i].name), 0);
        strcpy(first, process.output);
        assert_says("Usage: onhand ");
        assert_int_equal(RUN(all[i].name, "--help"), 0);
        assert_string_equal(process.output, first);
    }
}

static void the_version_is_one_line(void **state)
{
    (void)state;
    assert_int_equal(RUN("version"), 0);
    assert_string_equal(process.output, "onhand " ONHAND_VERSION "\n");
}

static void the_openapi_document_is_printed(void **state)
{
    (void)state;
    START("describe", "openapi");
    assert_true(process_wait_for(&process, "\"openapi\"", END_MS));
    close(process.out); /* it is larger than a test wants */
    kill(process.pid, SIGKILL);
    assert_says("{");
}

static void the_asyncapi_document_is_printed(void **state)
{
    (void)state;
    START("describe", "asyncapi");
    assert_true(process_wait_for(&process, "\"asyncapi\"", END_MS));
    close(process.out);
    kill(process.pid, SIGKILL);
    assert_says("{");
}

static void what_is_not_understood_is_refused_in_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[5]; /* ends with NULL */
        int code;
        const char *says;
    } cases[] = {
        {{"sell"}, 64, "there is no command \"sell\""},
        {{"serve", "--prot", "1"}, 64, "unknown option --prot"},
        {{"serve", "--port"}, 64, "--port needs a value"},
        {{"serve", "--port", "x"}, 78, "--port: port: \"x\" is not a whole number"},
        {{"serve", "--config", "/tmp/no/such/file"}, 78, "/tmp/no/such/file: No such file"},
        {{"demo", "--speed", "0"}, 78, "--speed"},
        {{"demo", "--fast"}, 64, "unknown option --fast"},
        {{"demo", "--exit=1"}, 64, "--exit takes no value"},
        {{"bench"}, 64, "say which"},
        {{"bench", "read", "--url", "shop"}, 78, "is not like http://"},
        {{"audit", "--data="}, 78, "--data: data is empty"},
        {{"audit", "x"}, 64, "not an option"},
        {{"describe", "weather"}, 64, "say what"},
        {{"help", "weather"}, 64, "no such command"},
        {{"version", "x"}, 64, "takes no arguments"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int code = process_run(&process, cases[i].arguments);
        if (code != cases[i].code || lines_of_output() != 1) {
            fail_msg("row %zu: exit %d: %s", i, code, process.output);
        }
        assert_says(cases[i].says);
    }
}

static void a_bad_file_ends_the_start_with_78_and_names_the_line(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof(path), "%s/bad.ini", data_dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("[server]\nport = 0\n\nprot = 1\n", f);
    fclose(f);
    assert_int_equal(RUN("serve", "--config", path, "--data", data_dir), 78);
    char expected[256];
    snprintf(expected, sizeof(expected), "onhand serve: %s:4: unknown key prot in [server]\n", path);
    assert_string_equal(process.output, expected);
}

static void start_server(struct process *p)
{
    process_start(p, (const char *const[]){"serve", "--port", "0", "--data", data_dir, "--log-level", "error", NULL});
    if (!process_wait_for(p, "onhand ready: http://127.0.0.1:", READY_MS) || !process_wait_for(p, "\n", READY_MS)) {
        fail_msg("not ready: %s", p->output);
    }
}

static uint16_t port_of(const struct process *p)
{
    const char *at = strstr(p->output, "127.0.0.1:");
    return (uint16_t)atoi(at + 10);
}

static void a_signal_stops_the_server_in_good_order(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        start_server(&process);
        char data[128];
        snprintf(data, sizeof(data), " data %s epoch %zu seq 0\n", data_dir, i + 1);
        assert_says(data);
        assert_int_equal(lines_of_output(), 1);
        kill(process.pid, signals[i]);
        assert_int_equal(process_wait(&process, END_MS), 0);
        assert_int_equal(lines_of_output(), 1);
    }
}

static void a_second_server_on_the_same_data_is_refused(void **state)
{
    (void)state;
    static struct process first;
    start_server(&first);
    assert_int_equal(RUN("serve", "--port", "0", "--data", data_dir), 75);
    assert_int_equal(lines_of_output(), 1);
    assert_says("onhand serve: ");
    kill(first.pid, SIGTERM);
    assert_int_equal(process_wait(&first, END_MS), 0);
}

static void an_address_in_use_is_refused(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    char port[8];
    snprintf(port, sizeof(port), "%u", ntohs(address.sin_port));
    assert_int_equal(RUN("serve", "--port", port, "--data", data_dir), 69);
    assert_int_equal(lines_of_output(), 1);
    assert_says(port);
    close(fd);
}

static void data_that_cannot_be_opened_is_refused(void **state)
{
    (void)state;
    assert_int_equal(RUN("serve", "--port", "0", "--data", "/dev/null/data"), 73);
    assert_int_equal(lines_of_output(), 1);
    assert_says("onhand serve: ");
    assert_says("/dev/null/data");
}

static void read_until(int fd, const char *text, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    while (strstr(out, text) == NULL && len + 1 < size) {
        ssize_t n = read(fd, out + len, size - 1 - len);
        if (n <= 0) {
            fail_msg("\"%s\" did not come: %s", text, out);
        }
        len += (size_t)n;
        out[len] = '\0';
    }
}

/* Begins a request and says nothing of its body; the server has read the head when it says that it waits for it. */
static int begin_request(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    static const char head[] = "POST /v1/reservations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                               "Idempotency-Key: k\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    assert_int_equal(write(fd, head, sizeof(head) - 1), sizeof(head) - 1);
    char answer[256];
    read_until(fd, "100 Continue", answer, sizeof(answer));
    return fd;
}

static int stop_with_an_open_request(void)
{
    START("serve", "--port", "0", "--data", data_dir);
    assert_true(process_wait_for(&process, "onhand ready: ", READY_MS));
    assert_true(process_wait_for(&process, " epoch ", READY_MS));
    int fd = begin_request(port_of(&process));
    kill(process.pid, SIGTERM);
    assert_true(process_wait_for(&process, "event=stopping", END_MS));
    return fd;
}

static void a_request_that_was_begun_is_answered_before_the_end(void **state)
{
    (void)state;
    int fd = stop_with_an_open_request();
    assert_int_equal(write(fd, "{}", 2), 2);
    char answer[4096];
    read_until(fd, "application/problem+json", answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 422 "));
    assert_int_equal(process_wait(&process, END_MS), 0);
    assert_says("event=stopped");
    close(fd);
}

static void a_second_signal_does_not_wait(void **state)
{
    (void)state;
    int fd = stop_with_an_open_request();
    kill(process.pid, SIGTERM);
    assert_int_equal(process_wait(&process, END_MS), 1);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return subcommand_main(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_help_names_every_command_option_variable_and_key),
        cmocka_unit_test(each_command_has_its_own_help_in_two_ways),
        cmocka_unit_test(the_version_is_one_line),
        cmocka_unit_test(the_openapi_document_is_printed),
        cmocka_unit_test(the_asyncapi_document_is_printed),
        cmocka_unit_test(what_is_not_understood_is_refused_in_one_line),
        cmocka_unit_test_setup_teardown(
            a_bad_file_ends_the_start_with_78_and_names_the_line, make_data_dir, remove_data_dir),
        cmocka_unit_test_setup_teardown(a_signal_stops_the_server_in_good_order, make_data_dir, remove_data_dir),
        cmocka_unit_test_setup_teardown(a_second_server_on_the_same_data_is_refused, make_data_dir, remove_data_dir),
        cmocka_unit_test_setup_teardown(an_address_in_use_is_refused, make_data_dir, remove_data_dir),
        cmocka_unit_test(data_that_cannot_be_opened_is_refused),
        cmocka_unit_test_setup_teardown(
            a_request_that_was_begun_is_answered_before_the_end, make_data_dir, remove_data_dir),
        cmocka_unit_test_setup_teardown(a_second_signal_does_not_wait, make_data_dir, remove_data_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
