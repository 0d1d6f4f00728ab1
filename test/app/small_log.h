/*
 * A trade log of a few lines in a temporary directory, for tests.
 */
#ifndef TEST_APP_SMALL_LOG_H
#define TEST_APP_SMALL_LOG_H

#define SMALL_LOG_DIR_MAX 64

/* Writes transactions.csv.gz with the header and `lines`, and products.csv with the header and `products`. */
void small_log_make(const char *lines, const char *products, char out_dir[SMALL_LOG_DIR_MAX]);
void small_log_remove(const char *dir);

#endif
