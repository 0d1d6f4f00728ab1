/*
 * What every command keeps that was decoded from outside, however it came: the ranges that the ledger relies on.
 */
#ifndef TEST_FUZZ_COMMANDS_H
#define TEST_FUZZ_COMMANDS_H

#include "core/command.h"

/* Names that stand in the path are not in a body; with `named` (batch, whole requests) they are. */
void command_check(const struct command *c, bool named);

#endif
