/*
 * Ledger tests as rows that a shop person can read:
 *
 *     "reserve r1  a 3, b 2 @shop   => ok  a@main:3 b@shop:2"
 *     "level a main                 => on_hand 10 reserved 3  v2"
 *
 * A row is a command and, behind "=>", all that it must answer. After each row the movements are folded again by code
 * of the test's own and compared with the levels, and the units of open reservations with reserved and committed.
 *
 * Rows: item SKU · location ID [PRIORITY] · receive SKU LOC N · adjust LOC-lines · set SKU LOC vN|new|any Q=N… ·
 * transfer FROM TO lines · reserve NAME [ttl=S] lines · extend NAME S · commit|release|cancel NAME ·
 * fulfill|return|return-damaged NAME [lines] · at MS (sets the time, expires what is due) · later MS (sets the time
 * alone) · level SKU LOC · state NAME · commit-batch (the changes so far are durable). Lines: "SKU N [@LOC]" with commas between; adjust: "SKU N @LOC BUCKET".
 */
#ifndef TEST_CORE_SCRIPT_H
#define TEST_CORE_SCRIPT_H

#include <stddef.h>

/* Runs the rows on a fresh ledger; fails the test at the first that answers otherwise. */
void script_run(const char *const *rows, size_t rows_len);

#define SCRIPT(...)                                                            \
    do {                                                                       \
        static const char *const script_rows[] = {__VA_ARGS__};                \
        script_run(script_rows, sizeof(script_rows) / sizeof(script_rows[0])); \
    } while (0)

#endif
