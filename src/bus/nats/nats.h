/*
 * The bus over NATS with JetStream.
 *
 * Events go to the subject `onhand.<partition>.<kind>` with the event's id as Nats-Msg-Id, so that the server drops what is
 * published again within two minutes. They are captured by the stream ONHAND (all of `onhand.>`, on disk, a day or a
 * gigabyte, the oldest go first), which is made when it is missing, also after the server was wiped; one that is there
 * with other limits is left as it is. Confirmed is what JetStream has acknowledged.
 *
 * A follower is a plain subscription to `onhand.<partition>.>`, not a consumer of the stream: the server passes on what
 * is published whether or not it keeps it, the library subscribes again with every new connection, and nothing of a
 * follower has to be made, named, found again or cleaned up at the server. What a consumer would add, that less is lost, is
 * no use here: what is missing is noticed by seq and fetched from inventory. Consumers of the stream are for other
 * programs.
 */
#ifndef BUS_NATS_NATS_H
#define BUS_NATS_NATS_H

#include "bus/bus.h"

/*
 * `url`: nats://[user[:password]@]host[:port], several with commas. Copied. ERR_CONFIG: not such a URL. Does not connect;
 * a server that is away is waited for by receive, and is ERR_IO of publish. Freed with bus_free.
 */
MUST_CHECK enum err bus_nats_open(const struct bus_options *o, struct bus **out, struct err_note *note);

#endif
