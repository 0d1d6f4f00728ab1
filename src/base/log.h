/*
 * One line per event on stderr: time, level, event name, key=value (logfmt). Values with spaces, quotes, '=' or
 * control bytes are quoted and escaped. No customer data.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/check.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Default LOG_INFO. */
void log_level_set(enum log_level level);

/* log_line(LOG_INFO, "ready", "host=%s port=%d", ...): `format` writes the pairs; see log_quote for free text. */
void log_line(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

/* Quotes `text` for a value into `out` (truncated to fit); returns `out`. */
const char *log_quote(const char *text, char *out, int out_size);

#endif
