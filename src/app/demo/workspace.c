#include "app/demo/workspace.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_FILE "transactions.csv.gz"
#define REMOVE_DESCRIPTORS 16

/* From the directory of the program: in the source tree (build/onhand), then installed (bin/onhand). */
static const char *const places[] = {"../data/online_retail", "../share/onhand/online_retail"};

static bool has_log(const char *dir)
{
    char path[PATH_MAX + sizeof(LOG_FILE) + 1];
    snprintf(path, sizeof(path), "%s/%s", dir, LOG_FILE);
    return access(path, R_OK) == 0;
}

static enum err find_log(const char *file, char out[PATH_MAX], struct err_note *note)
{
    if (file != NULL) {
        int len = snprintf(out, PATH_MAX, "%s", file);
        bool found = len < PATH_MAX && has_log(out);
        return found ? ERR_OK : err_note_set(note, ERR_CONFIG, "there is no %s in %s", LOG_FILE, file);
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

/* A directory that is not there yet is as good as an empty one. */
static bool is_empty(const char *dir)
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        return errno == ENOENT;
    }
    bool empty = true;
    for (struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d)) {
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    }
    closedir(d);
    return empty;
}

static enum err make_temporary(struct workspace *w, struct err_note *note)
{
    const char *base = getenv("TMPDIR");
    int len = snprintf(w->data_dir, sizeof(w->data_dir), "%s/onhand-demo-XXXXXX", base == NULL ? "/tmp" : base);
    if ((size_t)len >= sizeof(w->data_dir) || mkdtemp(w->data_dir) == NULL) {
        return err_note_set(note, ERR_IO, "a temporary directory cannot be made: %s", strerror(errno));
    }
    w->is_temporary = true;
    return ERR_OK;
}

enum err workspace_open(const char *data, const char *file, struct workspace *out, struct err_note *note)
{
    *out = (struct workspace){0};
    TRY(find_log(file, out->file_dir, note));
    if (data == NULL) {
        return make_temporary(out, note);
    }
    int len = snprintf(out->data_dir, sizeof(out->data_dir), "%s", data);
    if ((size_t)len >= sizeof(out->data_dir) || len == 0 || !is_empty(data)) {
        return err_note_set(note, ERR_CONFIG, "--data: \"%s\" is not an empty directory", data);
    }
    return ERR_OK;
}

static int remove_cb(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void workspace_close(struct workspace *w)
{
    if (w->is_temporary && nftw(w->data_dir, remove_cb, REMOVE_DESCRIPTORS, FTW_DEPTH | FTW_PHYS) != 0) {
        fprintf(stderr, "onhand demo: %s could not be removed: %s\n", w->data_dir, strerror(errno));
    }
    w->is_temporary = false;
}
