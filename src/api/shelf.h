/*
 * The files of the shelf page, compiled into the program by embed.sh.
 */
#ifndef API_SHELF_H
#define API_SHELF_H

#include <stddef.h>

struct shelf_file {
    const char *name; /* NULL: end */
    const unsigned char *bytes;
    size_t len;
    const char *hash; /* of the bytes, for the ETag */
};

extern const struct shelf_file shelf_files[];

#endif
