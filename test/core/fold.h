/*
 * The movements folded from zero, by code that shares nothing with the ledger but the struct of a movement.
 */
#ifndef TEST_CORE_FOLD_H
#define TEST_CORE_FOLD_H

#include "core/ledger.h"

struct fold;

struct fold *fold_new(void);
void fold_free(struct fold *f);
/* Appends the movements of a run from `from` on; fails the test when one does not follow from those before. */
void fold_add(struct fold *f, const struct changes *c, size_t from);
/* Every level of the ledger is what the movements say, and the other way round. */
void fold_check_levels(const struct fold *f, const struct ledger *l);
/* Reserved and committed by level are the units of these reservations and of no others. */
void fold_check_promises(const struct fold *f, const struct reservation *const *open, size_t open_len);
/* Hash over every byte that matters of every movement so far. */
uint64_t fold_hash(const struct fold *f);

#endif
