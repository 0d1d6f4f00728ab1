/*
 * The bus over AMQP 0-9-1, as RabbitMQ speaks it.
 *
 * Events go to the durable topic exchange `onhand` with the routing key `onhand.<partition>.<kind>`, persistent, with the
 * event's id as message id. Confirmed is what the broker has confirmed to the publisher: each queue that is bound at that
 * moment has it, and those that are durable have it on disk. Without queues nothing is kept; other programs bind queues of
 * their own.
 *
 * A follower has a queue of its own for as long as its connection lasts: exclusive, `onhand.<partition>.<node>.<random>`,
 * bound to `onhand.<partition>.#`, of at most a million events, then the oldest go. It acknowledges what its user has given
 * back, which only bounds what is on its way. A queue that outlives the connection would spare it some gaps, and
 * endanger all others: what such a queue does not take is not confirmed. (A quorum queue of RabbitMQ 3.10 that is asked
 * for something in the moment between the start of the broker and its first election never has a leader again; from
 * then on nothing in the partition would be confirmed.)
 *
 * The library (rabbitmq-c) blocks; every wait here is cut into slices, in which it looks whether the bus was closed.
 */
#ifndef BUS_AMQP_AMQP_H
#define BUS_AMQP_AMQP_H

#include "bus/bus.h"

#define AMQP_EXCHANGE "onhand"
#define AMQP_QUEUE_EVENTS_MAX 1000000

/*
 * `url`: amqp://[user[:password]@]host[:port][/vhost], several with commas, which are tried in turn; user, password and vhost
 * percent-encoded; without a user "guest", without a vhost "/". Copied. ERR_CONFIG: not such a URL. Does not connect; a
 * broker that is away is waited for by receive, and is ERR_IO of publish. Freed with bus_free.
 */
MUST_CHECK enum err bus_amqp_open(const struct bus_options *o, struct bus **out, struct err_note *note);

#endif
