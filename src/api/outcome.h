/*
 * The one place where a refusal of the ledger becomes an error of the interface.
 */
#ifndef API_OUTCOME_H
#define API_OUTCOME_H

#include "base/buf.h"
#include "base/err.h"
#include "core/command.h"
#include "core/result.h"

/* ERR_OK for outcomes that are none. */
enum err outcome_err(enum outcome outcome, enum command_kind kind);

/* The problem that answers a refused command. */
void outcome_render(struct buf *out, const struct command *command, const struct result *result);

#endif
