/*
 * Configuration of the server. Each key is one row of config.def; its value comes from the flag, else the
 * environment, else the file, else the default. A bad value is refused wherever it stands, also when a stronger
 * source would have hidden it.
 */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include "app/options.h"
#include "base/err.h"
#include "base/log.h"

#include <stdint.h>
#include <stdio.h>

#define CONFIG_TEXT char *
#define CONFIG_NUMBER uint64_t
#define CONFIG_LEVEL enum log_level

struct config {
#define CONFIG(member, kind, section, key, flag, variable, fallback, least, greatest, argument, help) \
    CONFIG_##kind member;
#include "app/config.def"
#undef CONFIG
};

enum config_kind { CONFIG_KIND_TEXT, CONFIG_KIND_NUMBER, CONFIG_KIND_LEVEL };

struct config_row {
    const char *section;
    const char *key;
    const char *flag;
    const char *variable;
    const char *fallback;
    const char *argument;
    const char *help;
    enum config_kind kind;
    uint64_t least;
    uint64_t greatest;
    size_t offset; /* of the member */
};

/* Every row, in the order of config.def. */
const struct config_row *config_rows(size_t *out_len);
/* The flags of the rows, `--config` before them: for reading arguments and for help. */
const struct option_row *config_options(size_t *out_len);

/*
 * Fills `out` from the arguments after the subcommand's name, from `getenv_fn` (getenv) and from the file that
 * --config or ONHAND_CONFIG names. ERR_INVALID: an argument is unknown or incomplete. ERR_CONFIG: a value or the file
 * is refused; the note names the key and where it was set, for a file as "FILE:LINE".
 */
MUST_CHECK enum err
config_read(int argc, char **argv, char *(*getenv_fn)(const char *), struct config *out, struct err_note *note);
/* Of a file alone, over the defaults. `path` names it in the note; it is borrowed, as `file` is. */
MUST_CHECK enum err config_read_stream(FILE *file, const char *path, struct config *out, struct err_note *note);
/* Frees the texts. */
void config_release(struct config *c);

#endif
