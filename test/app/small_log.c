#include "small_log.h"

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

void small_log_make(const char *lines, const char *products, char out_dir[SMALL_LOG_DIR_MAX])
{
    strcpy(out_dir, "/tmp/onhand-small-log-XXXXXX");
    assert_non_null(mkdtemp(out_dir));
    char path[SMALL_LOG_DIR_MAX + 32];
    snprintf(path, sizeof(path), "%s/transactions.csv.gz", out_dir);
    gzFile log = gzopen(path, "wb");
    assert_non_null(log);
    assert_true(gzputs(log, "ts,invoice,kind,sku,qty,price,customer,country,note\n") > 0);
    assert_true(lines[0] == '\0' || gzputs(log, lines) > 0);
    assert_int_equal(gzclose(log), Z_OK);
    snprintf(path, sizeof(path), "%s/products.csv", out_dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fprintf(f, "sku,description,median_price,units,lines,first,last\n%s", products) > 0);
    assert_int_equal(fclose(f), 0);
}

void small_log_remove(const char *dir)
{
    char path[SMALL_LOG_DIR_MAX + 32];
    snprintf(path, sizeof(path), "%s/transactions.csv.gz", dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/products.csv", dir);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}
