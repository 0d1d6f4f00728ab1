#include "app/config.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

static const struct config_row rows[] = {
#define CONFIG(member, kind_, section_, key_, flag_, variable_, fallback_, least_, greatest_, argument_, help_) \
    {                                                                                                           \
        .section = (section_),                                                                                  \
        .key = (key_),                                                                                          \
        .flag = (flag_),                                                                                        \
        .variable = (variable_),                                                                                \
        .fallback = (fallback_),                                                                                \
        .argument = (argument_),                                                                                \
        .help = (help_),                                                                                        \
        .kind = CONFIG_KIND_##kind_,                                                                            \
        .least = (least_),                                                                                      \
        .greatest = (greatest_),                                                                                \
        .offset = offsetof(struct config, member),                                                              \
    },
#include "app/config.def"
#undef CONFIG
};

static const struct option_row options[] = {
    {"--config", "FILE", NULL, "Configuration file; also ONHAND_CONFIG"},
#define CONFIG(member, kind, section, key, flag_, variable, fallback_, least, greatest, argument_, help_) \
    {(flag_), (argument_), (fallback_), (help_)},
#include "app/config.def"
#undef CONFIG
};

/* The options stand in the order of the rows, behind --config. */
#define OPTION_CONFIG 0
#define OPTION_ROW(option) ((option)-1)

const struct config_row *config_rows(size_t *out_len)
{
    *out_len = ARRAY_LEN(rows);
    return rows;
}

const struct option_row *config_options(size_t *out_len)
{
    *out_len = ARRAY_LEN(options);
    return options;
}

static enum err
set_text(const struct config_row *row, const char *value, char **out, const char *where, struct err_note *note)
{
    size_t len = strlen(value);
    if (len < row->least || len > row->greatest) {
        const char *problem = len == 0 ? "is empty" : "is too long";
        return err_note_set(note, ERR_CONFIG, "%s: %s %s", where, row->key, problem);
    }
    mem_free(*out);
    *out = mem_copy_str(str_from(value));
    return ERR_OK;
}

static enum err
set_number(const struct config_row *row, const char *value, uint64_t *out, const char *where, struct err_note *note)
{
    struct err_note range;
    enum err e = option_number(row->key, value, row->least, row->greatest, out, &range);
    return e == ERR_OK ? e : err_note_set(note, e, "%s: %s", where, range.text);
}

static enum err set_level(
    const struct config_row *row, const char *value, enum log_level *out, const char *where, struct err_note *note)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], value) == 0) {
            *out = (enum log_level)i;
            return ERR_OK;
        }
    }
    return err_note_set(note, ERR_CONFIG, "%s: %s: \"%s\" is not %s", where, row->key, value, row->help);
}

/* `where` says where the value stands: a flag, a variable, FILE:LINE. */
static enum err
set_row(struct config *c, const struct config_row *row, const char *value, const char *where, struct err_note *note)
{
    void *member = (char *)c + row->offset;
    switch (row->kind) {
    case CONFIG_KIND_TEXT:
        return set_text(row, value, member, where, note);
    case CONFIG_KIND_NUMBER:
        return set_number(row, value, member, where, note);
    case CONFIG_KIND_LEVEL:
        return set_level(row, value, member, where, note);
    }
    unreachable("every kind is handled");
}

static void set_defaults(struct config *c)
{
    *c = (struct config){0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum err e = set_row(c, &rows[i], rows[i].fallback, "default", NULL);
        check(e == ERR_OK);
    }
}

/* One pass over a file. libinih says the line of an error, but not to the handler: the reader counts. */
struct file_pass {
    struct config *config;
    const char *path;
    FILE *file;
    int line;
    int seen_line[ARRAY_LEN(rows)]; /* where a key was set; 0: not yet */
    enum err err;
    struct err_note *note;
};

static bool file_pass_fail(struct file_pass *pass, const char *what, const char *name)
{
    if (pass->err == ERR_OK) {
        pass->err = err_note_set(pass->note, ERR_CONFIG, "%s:%d: %s%s", pass->path, pass->line, what, name);
    }
    return false;
}

/* As fgets, but true only for a whole line without NUL, which would hide what stands behind it. */
static bool read_whole_line(struct file_pass *pass, char *line, size_t size)
{
    size_t len = 0;
    int c = 0;
    while (c != '\n' && (c = getc(pass->file)) != EOF) {
        if (c == 0) {
            return file_pass_fail(pass, "the line contains a NUL byte", "");
        }
        line[len++] = (char)c;
        if (len + 1 == size && c != '\n') {
            return file_pass_fail(pass, "the line is too long", "");
        }
    }
    line[len] = '\0';
    return len > 0;
}

/* Cuts no line in two: one that does not fit the parser's buffer is refused. */
static char *read_line_cb(char *line, int size, void *stream)
{
    struct file_pass *pass = stream;
    if (pass->err != ERR_OK) {
        return NULL;
    }
    pass->line++;
    return read_whole_line(pass, line, (size_t)size) ? line : NULL;
}

static int set_key_cb(void *ctx, const char *section, const char *key, const char *value)
{
    struct file_pass *pass = ctx;
    size_t i = 0;
    while (i < ARRAY_LEN(rows) && (strcmp(rows[i].section, section) != 0 || strcmp(rows[i].key, key) != 0)) {
        i++;
    }
    if (i == ARRAY_LEN(rows)) {
        char name[256];
        snprintf(name, sizeof(name), "%s in [%s]", key, section);
        return file_pass_fail(pass, "unknown key ", name);
    }
    if (pass->seen_line[i] != 0) {
        char name[256];
        snprintf(name, sizeof(name), "%s (first on line %d)", key, pass->seen_line[i]);
        return file_pass_fail(pass, "duplicate key ", name);
    }
    pass->seen_line[i] = pass->line;
    char where[512];
    snprintf(where, sizeof(where), "%s:%d", pass->path, pass->line);
    pass->err = set_row(pass->config, &rows[i], value, where, pass->note);
    return pass->err == ERR_OK;
}

static enum err read_stream(struct config *c, FILE *file, const char *path, struct err_note *note)
{
    struct file_pass pass = {.config = c, .path = path, .file = file, .note = note};
    int bad_line = ini_parse_stream(read_line_cb, &pass, set_key_cb, &pass);
    if (pass.err == ERR_OK && ferror(file)) {
        return err_note_set(note, ERR_CONFIG, "%s: cannot be read", path);
    }
    if (bad_line > 0 && (pass.err == ERR_OK || bad_line < pass.line)) {
        pass.err = ERR_OK; /* the parser goes on behind a line that it does not understand; the first one counts */
        pass.line = bad_line;
        file_pass_fail(&pass, "neither a [section] nor key = value", "");
    }
    return pass.err;
}

static enum err read_file(struct config *c, const char *path, struct err_note *note)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return err_note_set(note, ERR_CONFIG, "%s: %s", path, strerror(errno));
    }
    enum err e = read_stream(c, file, path, note);
    fclose(file);
    return e;
}

static enum err read_environment(struct config *c, char *(*getenv_fn)(const char *), struct err_note *note)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *value = getenv_fn(rows[i].variable);
        if (value != NULL) {
            TRY(set_row(c, &rows[i], value, rows[i].variable, note));
        }
    }
    return ERR_OK;
}

/* The arguments are read twice: first for --config, then, when the weaker sources are in, for the values. */
static enum err find_file_cb(void *ctx, size_t option, const char *value, struct err_note *note)
{
    (void)note;
    if (option == OPTION_CONFIG) {
        *(const char **)ctx = value;
    }
    return ERR_OK;
}

static enum err set_flag_cb(void *ctx, size_t option, const char *value, struct err_note *note)
{
    if (option == OPTION_CONFIG) {
        return ERR_OK;
    }
    return set_row(ctx, &rows[OPTION_ROW(option)], value, options[option].flag, note);
}

static enum err
read_sources(int argc, char **argv, char *(*getenv_fn)(const char *), struct config *c, struct err_note *note)
{
    const char *file = getenv_fn("ONHAND_CONFIG");
    TRY(options_read(options, ARRAY_LEN(options), argc, argv, find_file_cb, &file, note));
    if (file != NULL) {
        TRY(read_file(c, file, note));
    }
    TRY(read_environment(c, getenv_fn, note));
    return options_read(options, ARRAY_LEN(options), argc, argv, set_flag_cb, c, note);
}

enum err config_read(int argc, char **argv, char *(*getenv_fn)(const char *), struct config *out, struct err_note *note)
{
    set_defaults(out);
    enum err e = read_sources(argc, argv, getenv_fn, out, note);
    if (e != ERR_OK) {
        config_release(out);
    }
    return e;
}

enum err config_read_stream(FILE *file, const char *path, struct config *out, struct err_note *note)
{
    set_defaults(out);
    enum err e = read_stream(out, file, path, note);
    if (e != ERR_OK) {
        config_release(out);
    }
    return e;
}

void config_release(struct config *c)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].kind == CONFIG_KIND_TEXT) {
            char **text = (char **)((char *)c + rows[i].offset);
            mem_free(*text);
            *text = NULL;
        }
    }
}
