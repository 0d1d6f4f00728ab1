/* A real RabbitMQ for a test, one in each process, and what tests ask of it. */
#ifndef TEST_BUS_RABBIT_H
#define TEST_BUS_RABBIT_H

#include "broker.h"
#include "bus/bus.h"

#include <amqp.h>

#define RABBIT_TRIES 600 /* of 100 ms and more */

extern struct broker rabbit;

/* Ends the process when it is not installed. */
void rabbit_start(void);
void rabbit_remove(void);
uint16_t rabbit_free_port(void); /* nobody listens there, most likely */

/* A connection of the test's own with the channel 1. */
amqp_connection_state_t rabbit_connect(const struct broker *b);
void rabbit_disconnect(amqp_connection_state_t c);
/* What rabbitmqctl says; lives until the next call. */
const char *rabbit_control(const char *command);

/* An end of the bus; a publisher's partition gets a keeper, a queue that keeps what is published there. */
struct bus *rabbit_open(const struct broker *b, enum bus_end end, uint32_t partition, const char *node);
struct bus *rabbit_open_at(const char *url, enum bus_end end, uint32_t partition, const char *node);
const char *rabbit_keeper(uint32_t partition); /* its name; lives until the next call */
uint64_t rabbit_stored(const struct broker *b, uint32_t partition);
/* Bytes of a "stock.changed". */
void rabbit_put(const struct broker *b, uint32_t partition, struct str bytes);

struct bus_message rabbit_row(struct level_row *level, uint32_t partition, uint64_t seq);
/* Publishes one row. */
enum err rabbit_publish(struct bus *b, uint32_t partition, uint64_t seq, struct err_note *note);
/* Publishes rows from `*seq` on until the follower has one of them; what it got before is let go. */
void rabbit_meet(struct bus *publisher, struct bus *follower, uint32_t partition, uint64_t *seq);

#endif
