/*
 * The bus over a Redis stream.
 *
 * Events are added to the stream `onhand:stream:<partition>` with the fields `event` (the JSON) and `id`; it keeps about the
 * newest million. Confirmed is what Redis has answered: how much of it survives a crash is a matter of the server's
 * `appendonly`, and what does not is a gap that followers notice by seq.
 *
 * A follower reads from the end of the stream on, in turns of a second, and remembers where it is across connections. When
 * the stream's newest entry is older than that place, the stream is another one, and the follower begins anew at its end.
 *
 * The process ignores SIGPIPE: the client library does not guard its writes.
 */
#ifndef BUS_REDIS_REDIS_H
#define BUS_REDIS_REDIS_H

#include "bus/bus.h"

/*
 * `url`: redis://[[user]:password@]host[:port][/database]. Copied. ERR_CONFIG: not such a URL. Does not connect; a server
 * that is away is waited for by receive, and is ERR_IO of publish. Freed with bus_free.
 */
MUST_CHECK enum err bus_redis_open(const struct bus_options *o, struct bus **out, struct err_note *note);

#endif
