/*
 * The answer of a decided command, written on the sequencer thread before the commit.
 */
#ifndef API_RENDER_H
#define API_RENDER_H

#include "api/encode.h"
#include "api/etag.h"
#include "core/changes.h"
#include "core/command.h"
#include "core/result.h"

/* The body of a command that was done, or was already so. Returns the HTTP status. */
int render_body(
    struct buf *out, const struct command *command, const struct result *result, const struct changes *changes);

#endif
