/*
 * The bus over AMQP 0-9-1, as RabbitMQ speaks it, from 3.10 on.
 *
 * Events go to the durable topic exchange `onhand` with the routing key `onhand.<partition>.<kind>`, persistent, with the
 * event's id as message id. Confirmed is what the broker has confirmed to the publisher: each queue that is bound at that
 * moment has it, a quorum queue on the disks of most of its brokers. Without queues nothing is kept. Other programs bind
 * quorum queues of their own to `onhand.<partition>.#`; one that takes nothing and does not reject holds up the stream.
 *
 * Where the stream ends is noted at the broker, in the quorum queue `onhand.<partition>.end` (end.h). A publisher whose
 * connection broke fails its next call once, because the broker may have lost something meanwhile; who then asks for the
 * end publishes again what is missing.
 *
 * A follower has a durable quorum queue `onhand.<partition>.node.<node>`, so that it gets what comes while its connection
 * is away for a moment: events of the last minute, a million at most. What is older it would hear again in a long row of
 * positions that are not true any more; asking inventory is shorter. The broker removes the queue an hour after its last
 * reader. Of two followers with the same name the second has an exclusive queue for as long as its connection lasts.
 * Redelivered events are harmless, as all repetitions are. A follower acknowledges what its user has given back, which
 * only bounds what is on its way.
 *
 * A quorum queue whose broker is killed within its first second comes back without a leader, and then nothing that is
 * routed to it is confirmed (quorum.h). So a follower binds its queue QUORUM_SETTLE_MS after declaring it: a new one hears
 * nothing for that long. Programs that declare quorum queues of their own should wait likewise.
 *
 * The broker's user needs configure and read permissions for `onhand.*`, and write permissions for `onhand.*` and
 * `amq.default`. The library (rabbitmq-c) blocks; every wait here is cut into slices, in which it looks whether the bus was
 * closed.
 */
#ifndef BUS_AMQP_AMQP_H
#define BUS_AMQP_AMQP_H

#include "bus/bus.h"

#define AMQP_EXCHANGE "onhand"
/* Of a follower's queue. */
#define AMQP_QUEUE_EVENTS_MAX 1000000
#define AMQP_QUEUE_EVENT_MS 60000
#define AMQP_QUEUE_UNUSED_MS 3600000

/*
 * `url`: amqp://[user[:password]@]host[:port][/vhost], several with commas, which are tried in turn; user, password and vhost
 * percent-encoded; without a user "guest", without a vhost "/". Copied. ERR_CONFIG: not such a URL. Does not connect; a
 * broker that is away is waited for by receive, and is ERR_IO of publish. Freed with bus_free.
 */
MUST_CHECK enum err bus_amqp_open(const struct bus_options *o, struct bus **out, struct err_note *note);

#endif
