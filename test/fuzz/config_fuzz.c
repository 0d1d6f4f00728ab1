/* The configuration file: what is taken is within its range, and written out again it is the same configuration. */
#include "app/config.h"
#include "base/buf.h"
#include "base/mem.h"
#include "fuzz.h"

#define FILE_NAME "fuzz.ini"

static enum err read_text(struct str text, struct config *out, struct err_note *note)
{
    FILE *file = fmemopen((void *)(uintptr_t)text.ptr, text.len, "r");
    check(file != NULL);
    enum err e = config_read_stream(file, FILE_NAME, out, note);
    fclose(file);
    return e;
}

static const void *member(const struct config *c, const struct config_row *row)
{
    return (const char *)c + row->offset;
}

static const char *text_of(const struct config *c, const struct config_row *row)
{
    return *(char *const *)member(c, row);
}

static void check_range(const struct config *c, const struct config_row *row)
{
    if (row->kind == CONFIG_KIND_TEXT) {
        size_t len = strlen(text_of(c, row));
        check(len >= row->least && len <= row->greatest);
    } else if (row->kind == CONFIG_KIND_NUMBER) {
        uint64_t number = *(const uint64_t *)member(c, row);
        check(number >= row->least && number <= row->greatest);
    } else {
        check(*(const enum log_level *)member(c, row) <= LOG_DEBUG);
    }
}

static void put_row(struct buf *out, const struct config *c, const struct config_row *row)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    buf_printf(out, "[%s]\n%s=", row->section, row->key);
    if (row->kind == CONFIG_KIND_TEXT) {
        buf_put_str(out, str_from(text_of(c, row)));
    } else if (row->kind == CONFIG_KIND_NUMBER) {
        buf_put_u64(out, *(const uint64_t *)member(c, row));
    } else {
        buf_put_str(out, str_from(levels[*(const enum log_level *)member(c, row)]));
    }
    buf_put_char(out, '\n');
}

static void check_same(const struct config *a, const struct config *b)
{
    size_t len;
    const struct config_row *rows = config_rows(&len);
    for (size_t i = 0; i < len; i++) {
        const void *one = member(a, &rows[i]);
        const void *other = member(b, &rows[i]);
        if (rows[i].kind == CONFIG_KIND_TEXT) {
            check(strcmp(text_of(a, &rows[i]), text_of(b, &rows[i])) == 0);
        } else if (rows[i].kind == CONFIG_KIND_NUMBER) {
            check(*(const uint64_t *)one == *(const uint64_t *)other);
        } else {
            check(*(const enum log_level *)one == *(const enum log_level *)other);
        }
    }
}

static void check_written_again(const struct config *c)
{
    size_t len;
    const struct config_row *rows = config_rows(&len);
    struct buf text;
    struct config again;
    struct err_note note;
    buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < len; i++) {
        check_range(c, &rows[i]);
        put_row(&text, c, &rows[i]);
    }
    check(read_text(buf_str(&text), &again, &note) == ERR_OK);
    check_same(c, &again);
    config_release(&again);
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct err_note note = {{0}};
    if (size == 0) {
        return 0;
    }
    check(memchr(data, 0, size) == NULL || read_text(fuzz_rest(data, size, 0), &config, &note) == ERR_CONFIG);
    if (memchr(data, 0, size) == NULL && read_text(fuzz_rest(data, size, 0), &config, &note) == ERR_OK) {
        check_written_again(&config);
        config_release(&config);
        return 0;
    }
    check(strncmp(note.text, FILE_NAME ":", strlen(FILE_NAME ":")) == 0);
    return 0;
}
