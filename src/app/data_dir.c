#include "app/data_dir.h"

#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REMOVE_DESCRIPTORS 16

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

static enum err make_temporary(const char *purpose, struct data_dir *d, struct err_note *note)
{
    const char *base = getenv("TMPDIR");
    int len = snprintf(d->path, sizeof(d->path), "%s/onhand-%s-XXXXXX", base == NULL ? "/tmp" : base, purpose);
    if ((size_t)len >= sizeof(d->path) || mkdtemp(d->path) == NULL) {
        return err_note_set(note, ERR_IO, "a temporary directory cannot be made: %s", strerror(errno));
    }
    d->is_temporary = true;
    return ERR_OK;
}

enum err data_dir_open(const char *given, const char *purpose, struct data_dir *out, struct err_note *note)
{
    *out = (struct data_dir){0};
    if (given == NULL) {
        return make_temporary(purpose, out, note);
    }
    int len = snprintf(out->path, sizeof(out->path), "%s", given);
    if ((size_t)len >= sizeof(out->path) || len == 0 || !is_empty(given)) {
        return err_note_set(note, ERR_CONFIG, "--data: \"%s\" is not an empty directory", given);
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

void data_dir_close(struct data_dir *d)
{
    if (d->is_temporary && nftw(d->path, remove_cb, REMOVE_DESCRIPTORS, FTW_DEPTH | FTW_PHYS) != 0) {
        fprintf(stderr, "onhand: %s could not be removed: %s\n", d->path, strerror(errno));
    }
    d->is_temporary = false;
}
