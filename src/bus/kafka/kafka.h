/*
 * The bus over Kafka.
 *
 * Events go to the topic `onhand.stock`, into the partition with the number of ours: events of a partition stay in their
 * order. The key is the event's key (the SKU), so that a compacted copy of the topic keeps the newest state of each; the
 * headers are `content-type` and `ce_id`. The producer is idempotent, and confirmed is what all replicas in sync have. The
 * topic needs as many partitions as the ledger has; a cluster that makes topics by itself makes it with its defaults.
 *
 * A follower reads its partition from the end on, without a group and without commits: several followers do not know of
 * each other, and none leaves anything at the cluster. After a broken connection it goes on where it was, after a wipe at
 * the end.
 *
 * Where the stream ends is read from the newest records of the partition.
 *
 * Debian has no Kafka to test against. The tests run this backend against the mock cluster of the library (librdkafka) in a
 * process of its own: it speaks the protocol, on one broker, and keeps nothing when it ends.
 */
#ifndef BUS_KAFKA_KAFKA_H
#define BUS_KAFKA_KAFKA_H

#include "bus/bus.h"

#define KAFKA_TOPIC "onhand.stock"

/*
 * `url`: kafka://host[:port][,host[:port]...], brokers to begin with. Copied. ERR_CONFIG: not such a URL. Does not
 * connect; a cluster that is away is waited for by receive, and is ERR_IO of publish. Freed with bus_free.
 */
MUST_CHECK enum err bus_kafka_open(const struct bus_options *o, struct bus **out, struct err_note *note);

#endif
