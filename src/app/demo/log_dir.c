#include "app/demo/log_dir.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_FILE "transactions.csv.gz"

/* From the directory of the program: in the source tree (build/onhand), then installed (bin/onhand). */
static const char *const places[] = {"../data/online_retail", "../share/onhand/online_retail"};

static bool has_log(const char *dir)
{
    char path[PATH_MAX + sizeof(LOG_FILE) + 1];
    snprintf(path, sizeof(path), "%s/%s", dir, LOG_FILE);
    return access(path, R_OK) == 0;
}

enum err log_dir_find(const char *given, char out[PATH_MAX], struct err_note *note)
{
    if (given != NULL) {
        int len = snprintf(out, PATH_MAX, "%s", given);
        bool found = len < PATH_MAX && has_log(out);
        return found ? ERR_OK : err_note_set(note, ERR_CONFIG, "there is no %s in %s", LOG_FILE, given);
    }
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(program, '/');
    for (size_t i = 0; slash != NULL && i < ARRAY_LEN(places); i++) {
        slash[1] = '\0';
        int out_len = snprintf(out, PATH_MAX, "%s%s", program, places[i]);
        if (out_len < PATH_MAX && has_log(out)) {
            return ERR_OK;
        }
    }
    return err_note_set(note, ERR_CONFIG, "the trade log is not where the program is; --file DIR says where");
}
