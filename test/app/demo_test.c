#include "app/subcommand.h"
#include "process.h"
#include "small_log.h"
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define END_MS 60000

static struct process process;
static struct process server;

static void assert_says(const char *text)
{
    if (strstr(process.output, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, process.output);
    }
}

/* A line of the summary: a name, then a count. */
static void assert_count(const char *name, const char *count)
{
    char line[64];
    snprintf(line, sizeof(line), "  %-26s %12s  ", name, count);
    assert_says(line);
}

/*
 * Every order can be served: the opening stock is more than the demand. The returns find what was sold, as far as
 * it was; one adjustment asks for more than there is.
 */
static const char small_log[] =
    "2010-12-01T08:26:00,1,S,A,6,2.55,17,UK,\n"
    "2010-12-01T08:26:00,1,S,B,1000000,2.55,17,UK,\n"
    "2010-12-01T08:30:00,2,S,A,50,2.55,,UK,\n"
    "2010-12-01T08:30:00,2,F,POST,1,18,,UK,\n"
    "2010-12-02T08:30:00,3,G,B,1000000,0,18,UK,\n"
    "2010-12-02T09:00:00,C4,R,A,-4,2.55,17,UK,\n" /* of invoice 1 */
    "2010-12-02T09:01:00,C5,R,A,-9,2.55,17,UK,\n" /* two more of it, seven nobody sold to 17 */
    "2010-12-02T09:02:00,C6,R,A,-50,2.55,,UK,\n"  /* of invoice 2 */
    "2010-12-02T09:03:00,C6,R,NEW,-3,2.55,,UK,\n" /* never sold */
    "2010-12-03T10:00:00,7,A,NEW,-400,0,,UK,more than there is\n"
    "2010-12-03T10:00:00,8,A,B,5,0,,UK,\"found, on a \\shelf\"\n"
    "2010-12-03T10:00:00,9,S,A,2,0,19,UK,\n"
    "2011-03-03T10:00:00,10,S,NEW,3,0,19,UK,\n";

static void a_small_log_is_replayed_and_proved(void **state)
{
    (void)state;
    char dir[SMALL_LOG_DIR_MAX];
    small_log_make(small_log, "A,LANTERN \"\"WHITE\"\",1,1,1,x,y\n", dir);
    int code = process_run(
        &process, (const char *const[]){"demo", "--exit", "--port", "0", "--file", dir, "--connections", "1", NULL});
    small_log_remove(dir);
    if (code != 0) {
        fail_msg("exit %d: %s", code, process.output);
    }
    assert_says("Trade log: 13 lines, 3 products");
    assert_count("orders", "5");
    assert_count("order lines sold", "6");
    assert_count("units sold", "2,000,061");
    assert_count("orders refused", "0");
    assert_count("return lines", "3");
    assert_count("units returned", "56");
    assert_count("returns without a sale", "2");
    assert_count("adjustments", "1");
    assert_count("adjustments refused", "1");
    assert_count("log lines left out", "1");
    assert_count("unexpected answers", "0");
    assert_says("Oversold:  0 levels below zero");
    assert_says("Books:     0 levels differ");
    assert_says("audit: clean");
    assert_says("Zero units oversold; books and audit agree.");
}

/* They are for another server, perhaps one that sells. */
static void settings_in_the_environment_are_not_for_its_server(void **state)
{
    (void)state;
    char dir[SMALL_LOG_DIR_MAX];
    small_log_make("2010-12-01T08:26:00,1,S,A,6,2.55,17,UK,\n", "", dir);
    process_spoil_settings(true);
    int code = process_run(&process, (const char *const[]){"demo", "--exit", "--port", "0", "--file", dir, NULL});
    process_spoil_settings(false);
    small_log_remove(dir);
    if (code != 0) {
        fail_msg("exit %d: %s", code, process.output);
    }
    assert_says("Zero units oversold; books and audit agree.");
}

/* It stays up until a signal, and its server ends with it; nothing is left behind in the temporary directory. */
static void it_stays_up_until_a_signal_and_cleans_up(void **state)
{
    (void)state;
    char dir[SMALL_LOG_DIR_MAX];
    small_log_make("2010-12-01T08:26:00,1,S,A,6,2.55,17,UK,\n", "", dir);
    process_start(&process, (const char *const[]){"demo", "--port", "0", "--file", dir, NULL});
    if (!process_wait_for(&process, "Ctrl-C ends it.", END_MS)) {
        fail_msg("%s", process.output);
    }
    const char *data = strstr(process.output, "Data:      ");
    assert_non_null(data);
    char data_dir[256];
    assert_int_equal(sscanf(data + 11, "%255s", data_dir), 1);
    assert_int_equal(access(data_dir, F_OK), 0);
    kill(process.pid, SIGINT);
    assert_int_equal(process_wait(&process, END_MS), 0);
    assert_says("The server has stopped.");
    assert_int_equal(access(data_dir, F_OK), -1);
    small_log_remove(dir);
}

static void a_data_directory_with_something_in_it_is_refused(void **state)
{
    (void)state;
    char dir[SMALL_LOG_DIR_MAX];
    small_log_make("2010-12-01T08:26:00,1,S,A,6,2.55,17,UK,\n", "", dir);
    int code = process_run(&process, (const char *const[]){"demo", "--file", dir, "--data", dir, NULL});
    assert_int_equal(code, 2);
    assert_says("is not an empty directory");
    code = process_run(&process, (const char *const[]){"demo", "--file", "/nowhere", NULL});
    assert_int_equal(code, 2);
    assert_says("there is no transactions.csv.gz in /nowhere");
    small_log_remove(dir);
}

static void start_remote(const char *data, const char *port, unsigned *out_port)
{
    process_start(&server, (const char *const[]){"serve", "--port", port, "--data", data, NULL});
    if (!process_wait_for(&server, "onhand ready: ", END_MS)) {
        fail_msg("%s", server.output);
    }
    const char *url = strstr(server.output, "onhand ready: ");
    assert_int_equal(sscanf(url, "onhand ready: http://127.0.0.1:%u/", out_port), 1);
}

static unsigned tried_again(void)
{
    const char *line = strstr(process.output, "\n  tried again");
    unsigned count = 0;
    assert_non_null(line);
    assert_int_equal(sscanf(line, "\n  tried again %u", &count), 1);
    return count;
}

/* The replay begins while nobody listens: what it asks for is asked again until the server is there. */
static void a_running_server_is_replayed_to_and_waited_for(void **state)
{
    (void)state;
    char dir[SMALL_LOG_DIR_MAX], data[] = "/tmp/onhand-demo-test-XXXXXX", url[64], port_text[16];
    unsigned port;
    assert_non_null(mkdtemp(data));
    small_log_make(small_log, "A,LANTERN,1,1,1,x,y\n", dir);
    start_remote(data, "0", &port);
    kill(server.pid, SIGKILL);
    assert_int_equal(process_wait(&server, END_MS), -1);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
    process_start(&process, (const char *const[]){"demo", "--url", url, "--file", dir, "--connections", "1", NULL});
    assert_true(process_wait_for(&process, "Server:", END_MS));
    usleep(300000);
    snprintf(port_text, sizeof(port_text), "%u", port);
    start_remote(data, port_text, &port);
    int code = process_wait(&process, END_MS);
    kill(server.pid, SIGTERM);
    assert_int_equal(process_wait(&server, END_MS), 0);
    small_log_remove(dir);
    if (code != 0) {
        fail_msg("exit %d: %s", code, process.output);
    }
    assert_count("orders", "5");
    assert_count("units sold", "2,000,061");
    assert_count("unexpected answers", "0");
    assert_true(tried_again() > 0);
    assert_says("Books:     0 levels differ");
    assert_says("Zero units oversold; the books agree.");
    int audit = process_run(&process, (const char *const[]){"audit", "--data", data, NULL});
    if (audit != 0) {
        fail_msg("exit %d: %s", audit, process.output);
    }
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", data);
    assert_int_equal(system(command), 0);
}

static void a_bad_url_is_refused(void **state)
{
    (void)state;
    assert_int_equal(process_run(&process, (const char *const[]){"demo", "--url", "https://127.0.0.1", NULL}), 78);
    assert_says("is not like http://127.0.0.1:8080");
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return subcommand_main(argc, argv); /* the demo starts its server by running itself */
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_log_is_replayed_and_proved),
        cmocka_unit_test(settings_in_the_environment_are_not_for_its_server),
        cmocka_unit_test(it_stays_up_until_a_signal_and_cleans_up),
        cmocka_unit_test(a_running_server_is_replayed_to_and_waited_for),
        cmocka_unit_test(a_bad_url_is_refused),
        cmocka_unit_test(a_data_directory_with_something_in_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
