#include "app/subcommand.h"

#include "app/audit.h"
#include "app/bench/bench.h"
#include "app/config.h"
#include "app/demo/demo.h"
#include "app/exit.h"
#include "app/serve.h"
#include "base/mem.h"
#include "base/str.h"
#include "describe/describe.h"

#include <stdlib.h>
#include <string.h>

#define REFERENCE_TEXT_BYTES_MAX (8 * 1024 * 1024)
#define HELP_COLUMN 34

static int run_audit(int argc, char **argv);
static int run_describe(int argc, char **argv);
static int run_version(int argc, char **argv);
static int run_help(int argc, char **argv);

static const struct option_row audit_options[] = {
    {"--config", "FILE", NULL, "Configuration file of the server; also ONHAND_CONFIG"},
    {"--data", "DIR", "./onhand-data", "Data directory; a server may be running on it; also ONHAND_DATA"},
    {"--store", "URL", "sqlite", "As the server has it: sqlite, or postgresql://...; also ONHAND_STORE"},
};

/* The servers, demo and bench have their options elsewhere: options_of() knows where. */
enum { SERVE, INVENTORY, AVAILABILITY, DEMO, BENCH, AUDIT, DESCRIBE, VERSION, HELP, SUBCOMMANDS };

static const char serve_text[] =
    "Runs inventory and availability in one process until SIGTERM or SIGINT. Prints one line when it is ready.\n"
    "\n"
    "A key can be given as an option, as a variable of the environment or in the file, and is looked for in that\n"
    "order. In the file, keys stand under their [section]; an unknown or repeated key is refused.\n"
    "\n"
    "Exit codes: 0 stopped in good order, 1 stopped by a second signal, 64 unknown option, 69 the address is in use,\n"
    "the database is not there or the data belongs to a newer version, 70 the store failed while running, 73 the data directory cannot be\n"
    "opened, 75 another process has it or has taken the lead: start again, 78 a value of the configuration is refused.\n";

static const char inventory_text[] =
    "Runs inventory alone: it decides, keeps and publishes; availability nodes follow its stream on the bus (--bus).\n"
    "Several processes on one PostgreSQL lead in turn: one has the lease, the others forward to it and take over within\n"
    "5 seconds when it is gone. Each says with --advertise how the others reach it.\n"
    "\n"
    "Options, variables, file and exit codes are those of serve.\n";

static const char availability_text[] =
    "Runs availability alone, in any number: it follows the stream on the bus (--bus), asks --inventory for what it\n"
    "missed, keeps a copy in --data, and forwards to --inventory whatever is not availability. Never touches the\n"
    "store of inventory. /readyz is 200 once it has everything.\n"
    "\n"
    "Options, variables, file and exit codes are those of serve.\n";

static const char demo_text[] =
    "Starts a server on an empty store and replays a year of real trade through its public HTTP API at full speed:\n"
    "the UCI Online Retail log, 541,909 order lines. Open the printed address in a browser while it runs. At the end\n"
    "it checks that nothing was oversold, that its own books equal the server's, and runs the audit. With --url it\n"
    "replays to an empty system that runs, sends again what failed on the way, and leaves the audit to you.\n"
    "\n"
    "Exit codes: 0 everything was right, 1 it was not, 2 the demo could not run, 64 unknown option,\n"
    "78 a value is refused.\n";

static const char bench_text[] =
    "Measures a server under load, one of its own or the one at --url:\n"
    "\n"
    "  read       GET of one item's availability\n"
    "  reserve    a reservation of one line\n"
    "  batch      many reservations in a request\n"
    "  mixed      95 % reads, 4 % reservations, 1 % adjustments, with open streams\n"
    "  stream     adjustments, and when open streams have them\n"
    "  recover    start on a store of --skus times --locations levels\n"
    "\n"
    "Without --rate each connection sends its next request when it has an answer: that finds the peak. With it, requests\n"
    "are due at fixed times and their latency counts from then, whether or not the server keeps up.\n"
    "\n"
    "Exit codes: 0 every answer was the one wanted, 1 not, 2 the benchmark could not run, 64 unknown option,\n"
    "78 a value is refused.\n";

static const char audit_text[] =
    "Folds the whole movement log again with code of its own and compares levels, reservations and idempotency\n"
    "records with it. Prints the counts and every difference. Of a PostgreSQL it reads one state into a temporary file.\n"
    "\n"
    "Exit codes: 0 no difference, 1 differences, 2 the audit could not run.\n";

static const char describe_text[] = "Prints a reference rendered from the program's own declarations:\n"
                                    "\n"
                                    "  openapi     the HTTP API as an OpenAPI 3.1 document\n"
                                    "  asyncapi    the stream of changes as an AsyncAPI 3.0 document\n";

static const struct subcommand table[SUBCOMMANDS] = {
    [SERVE] = {"serve", "[options]", "Run the server: both services in one process", serve_text, NULL, 0, serve_run},
    [INVENTORY] = {"inventory", "[options]", "Run inventory alone", inventory_text, NULL, 0, serve_inventory_run},
    [AVAILABILITY] =
        {"availability", "[options]", "Run availability alone", availability_text, NULL, 0, serve_availability_run},
    [DEMO] = {"demo", "[options]", "Replay a year of real trade through a server", demo_text, NULL, 0, demo_run},
    [BENCH] = {"bench", "WORK [options]", "Measure a server under load", bench_text, NULL, 0, bench_run},
    [AUDIT] =
        {"audit", "[options]", "Check the books of a server", audit_text, audit_options, ARRAY_LEN(audit_options),
         run_audit},
    [DESCRIBE] = {"describe", "WHAT", "Print a reference", describe_text, NULL, 0, run_describe},
    [VERSION] = {"version", "", "Print the version", "", NULL, 0, run_version},
    [HELP] = {"help", "[command]", "Print help", "", NULL, 0, run_help},
};

const struct subcommand *subcommands(size_t *out_len)
{
    *out_len = SUBCOMMANDS;
    return table;
}

const struct subcommand *subcommand_find(const char *name)
{
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static bool is_server(const struct subcommand *s)
{
    return s == &table[SERVE] || s == &table[INVENTORY] || s == &table[AVAILABILITY];
}

static const struct option_row *options_of(const struct subcommand *s, size_t *out_len)
{
    if (is_server(s)) {
        return config_options(out_len);
    }
    if (s == &table[DEMO]) {
        return demo_options(out_len);
    }
    if (s == &table[BENCH]) {
        return bench_options(out_len);
    }
    *out_len = s->options_len;
    return s->options;
}

static void print_text(const struct subcommand *s, FILE *out)
{
    fprintf(out, "Usage: onhand %s%s%s\n", s->name, s->arguments[0] == '\0' ? "" : " ", s->arguments);
    if (s->text[0] != '\0') {
        fprintf(out, "\n%s", s->text);
    }
}

/* The options of all servers are the same: once is enough. */
void subcommand_help_all(FILE *out)
{
    fprintf(out, "onhand %s: inventory that sells every unit once\n\n", ONHAND_VERSION);
    fprintf(out, "Usage: onhand COMMAND [options]\n\nCommands:\n");
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        fprintf(out, "  %-12s %s\n", table[i].name, table[i].summary);
    }
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        fprintf(out, "\n");
        if (i == INVENTORY || i == AVAILABILITY) {
            print_text(&table[i], out);
        } else {
            subcommand_help(&table[i], out);
        }
    }
}

static void print_option(const struct option_row *o, FILE *out)
{
    char left[128];
    snprintf(
        left, sizeof(left), "%s%s%s", o->flag, o->argument == NULL ? "" : " ", o->argument == NULL ? "" : o->argument);
    fprintf(out, "  %-*s %s", HELP_COLUMN, left, o->help);
    if (o->fallback != NULL && o->fallback[0] != '\0') {
        fprintf(out, " (default %s)", o->fallback);
    }
    fprintf(out, "\n");
}

static void print_variables(FILE *out)
{
    size_t len;
    const struct config_row *rows = config_rows(&len);
    fprintf(out, "\nVariables of the environment, and keys of the file:\n");
    for (size_t i = 0; i < len; i++) {
        fprintf(out, "  %-*s [%s] %s\n", HELP_COLUMN, rows[i].variable, rows[i].section, rows[i].key);
    }
}

void subcommand_help(const struct subcommand *s, FILE *out)
{
    print_text(s, out);
    size_t len;
    const struct option_row *options = options_of(s, &len);
    if (len > 0) {
        fprintf(out, "\nOptions:\n");
    }
    for (size_t i = 0; i < len; i++) {
        print_option(&options[i], out);
    }
    if (is_server(s)) {
        print_variables(out);
    }
}

int subcommand_refuse(const char *name, int code, const char *text)
{
    fprintf(stderr, "onhand %s: %s\n", name, text);
    return code;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

int subcommand_main(int argc, char **argv)
{
    if (argc < 2) {
        subcommand_help_all(stderr);
        return EXIT_BAD_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return run_help(0, NULL);
    }
    if (strcmp(argv[1], "--version") == 0) {
        return run_version(0, NULL);
    }
    const struct subcommand *s = subcommand_find(argv[1]);
    if (s == NULL) {
        fprintf(stderr, "onhand: there is no command \"%s\"; onhand --help lists them\n", argv[1]);
        return EXIT_BAD_USAGE;
    }
    if (asks_for_help(argc - 2, argv + 2)) {
        subcommand_help(s, stdout);
        return EXIT_GOOD;
    }
    return s->run(argc - 2, argv + 2);
}

/* The options of the audit are some of the server's; whether only these were given is all that there is to see to here. */
static enum err audit_option_cb(void *ctx, size_t row, const char *value, struct err_note *note)
{
    (void)ctx;
    (void)row;
    (void)value;
    (void)note;
    return ERR_OK;
}

static int run_audit(int argc, char **argv)
{
    struct config config;
    struct err_note note;
    enum err e = options_read(audit_options, ARRAY_LEN(audit_options), argc, argv, audit_option_cb, NULL, &note);
    if (e == ERR_OK) {
        e = config_read(argc, argv, getenv, &config, &note);
    }
    if (e != ERR_OK) {
        return subcommand_refuse("audit", e == ERR_CONFIG ? EXIT_BAD_CONFIG : EXIT_BAD_USAGE, note.text);
    }
    bool is_embedded = strcmp(config.store, "sqlite") == 0;
    int status = is_embedded ? audit_run(config.data, stdout) : audit_run_postgres(config.store, stdout);
    config_release(&config);
    return status;
}

static int print_reference(enum err (*render)(struct buf *out))
{
    struct buf text;
    buf_init(&text, REFERENCE_TEXT_BYTES_MAX);
    enum err e = render(&text);
    check(e == ERR_OK);
    bool written = fwrite(text.ptr, 1, text.len, stdout) == text.len && fputc('\n', stdout) != EOF;
    written = written && fflush(stdout) == 0;
    buf_release(&text);
    return written ? EXIT_GOOD : subcommand_refuse("describe", EXIT_CANNOT_RUN, "the output cannot be written");
}

static int run_describe(int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "openapi") == 0) {
        return print_reference(openapi_render);
    }
    if (argc == 1 && strcmp(argv[0], "asyncapi") == 0) {
        return print_reference(asyncapi_render);
    }
    return subcommand_refuse("describe", EXIT_BAD_USAGE, "say what: openapi or asyncapi");
}

static int run_version(int argc, char **argv)
{
    (void)argv;
    if (argc > 0) {
        return subcommand_refuse("version", EXIT_BAD_USAGE, "takes no arguments");
    }
    printf("onhand %s\n", ONHAND_VERSION);
    return EXIT_GOOD;
}

static int run_help(int argc, char **argv)
{
    if (argc == 0) {
        subcommand_help_all(stdout);
        return EXIT_GOOD;
    }
    const struct subcommand *s = argc == 1 ? subcommand_find(argv[0]) : NULL;
    if (s == NULL) {
        return subcommand_refuse("help", EXIT_BAD_USAGE, "there is no such command; onhand --help lists them");
    }
    subcommand_help(s, stdout);
    return EXIT_GOOD;
}
