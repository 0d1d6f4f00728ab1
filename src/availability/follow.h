/* The shell of the follower: a thread between a broker, the HTTP interface of inventory, the kept file and the view. */
#ifndef AVAILABILITY_FOLLOW_H
#define AVAILABILITY_FOLLOW_H

#include "availability/availability.h"

struct follow;

struct follow *follow_new(const struct availability_follow *options, struct availability *a);
void follow_free(struct follow *f); /* accepts NULL; ended */
/* Takes in what was kept, on the caller's thread. */
MUST_CHECK enum err follow_open(struct follow *f, struct err_note *note);
/*
 * One turn of the thread: what the bus brings, what is missing, what is to be kept. False: the stream was cut, and whoever
 * gave the options knows.
 */
bool follow_turn(struct follow *f);
/* The thread: turns until it is ended, then keeps the rest. `arg` is the struct follow. */
void *follow_run(void *arg);
/* Any thread: run returns soon. */
void follow_end(struct follow *f);

/* Any thread. */
int64_t follow_age_ms(const struct follow *f);
uint64_t follow_epoch(const struct follow *f);
void follow_metrics(const struct follow *f, struct availability_metrics *out);

#endif
