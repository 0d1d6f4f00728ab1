#include "base/log.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_BYTES_MAX 2048

/* Set at start; a line of another thread may see the old level, which does no harm. */
static atomic_int log_level_now = LOG_INFO;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_level_set(enum log_level level)
{
    check(level >= LOG_ERROR && level <= LOG_DEBUG);
    atomic_store_explicit(&log_level_now, (int)level, memory_order_relaxed);
}

/* Bytes that vsnprintf left in a buffer of `size`, without the terminator. */
static size_t printed_len(int len, size_t size)
{
    check(len >= 0 && size > 0);
    return (size_t)len < size ? (size_t)len : size - 1;
}

static size_t line_begin(char *line, size_t size, enum log_level level, const char *event)
{
    char time[TIME_TEXT_LEN];
    time_to_text(clock_wall_ms(), time);
    int len = snprintf(line, size, "time=%.*s level=%s event=%s", TIME_TEXT_LEN, time, level_names[level], event);
    return printed_len(len, size);
}

/* A line stays one line even when a value was not quoted. */
static void blank_controls(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            text[i] = '?';
        }
    }
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    check(level >= LOG_ERROR && level <= LOG_DEBUG);
    if ((int)level > atomic_load_explicit(&log_level_now, memory_order_relaxed)) {
        return;
    }
    char line[LOG_LINE_BYTES_MAX + 2]; /* a line end, a terminator */
    size_t len = line_begin(line, LOG_LINE_BYTES_MAX, level, event);
    if (format[0] != '\0') {
        line[len++] = ' ';
        size_t room = sizeof(line) - 1 - len;
        va_list args;
        va_start(args, format);
        len += printed_len(vsnprintf(line + len, room, format, args), room);
        va_end(args);
    }
    blank_controls(line, len);
    line[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* there is nowhere left to say that stderr fails */
}

static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
            return true;
        }
    }
    return s.len == 0;
}

/* Writes one byte of a quoted value, escaped, and returns its length: at most 4. */
static size_t quote_byte(char c, char out[4])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char code = (unsigned char)c;
    if (code >= ' ' && code != '"' && code != '\\' && code != 0x7f) {
        out[0] = c;
        return 1;
    }
    out[0] = '\\';
    if (code == '"' || code == '\\' || code == '\n') {
        out[1] = code == '\n' ? 'n' : c;
        return 2;
    }
    out[1] = 'x';
    out[2] = hex[code >> 4];
    out[3] = hex[code & 15];
    return 4;
}

/* Escapes as much of `s` as fits `room` bytes; gives back how many it wrote. */
static size_t quote_text(struct str s, char *out, size_t room)
{
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        char escaped[4];
        size_t add = quote_byte(s.ptr[i], escaped);
        if (len + add > room) {
            return len - (i - str_utf8_cut(s, i)); /* not half a character: its bytes stand unescaped */
        }
        memcpy(out + len, escaped, add);
        len += add;
    }
    return len;
}

const char *log_quote(const char *text, char *out, int out_size)
{
    check(out_size >= 3); /* two quotes, a terminator */
    size_t room = (size_t)out_size - 1;
    struct str s = str_from(text != NULL ? text : "");
    size_t len = 0;
    if (needs_quotes(s)) {
        out[len++] = '"';
        len += quote_text(s, out + 1, room - 2);
        out[len++] = '"';
    } else {
        len = str_utf8_cut(s, room);
        memcpy(out, s.ptr, len);
    }
    out[len] = '\0';
    return out;
}
