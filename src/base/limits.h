/*
 * Every limit of the system in one place. A limit that a client can hit has its own error.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* What a client may send. */
#define SKU_BYTES_MAX 64
#define LOCATION_BYTES_MAX 64
#define NAME_BYTES_MAX 256
#define ATTRIBUTES_BYTES_MAX 4096
#define REASON_BYTES_MAX 256
#define REFERENCE_BYTES_MAX 128
#define IDEMPOTENCY_KEY_BYTES_MAX 255
#define LINES_MAX 100
#define LINE_QUANTITY_MAX 1000000
#define TTL_S_MIN 1
#define TTL_S_MAX 86400
#define TTL_S_DEFAULT 900
#define PRIORITY_MAX 1000000
#define PRIORITY_DEFAULT 100
#define BATCH_OPERATIONS_MAX 1000
#define PAGE_ROWS_MAX 1000
#define PAGE_ROWS_DEFAULT 100
#define BODY_BYTES_MAX (64 * 1024)
#define BATCH_BODY_BYTES_MAX (1024 * 1024)
#define JSON_DEPTH_MAX 32
#define STREAM_SKUS_MAX 500
#define AVAILABILITY_SKUS_MAX 100

/* What the ledger holds. A quantity bucket stays within 0..QUANTITY_MAX, so that no sum of buckets overflows. */
#define QUANTITY_MAX 1000000000000LL
#define LOCATIONS_MAX 4096
#define ITEMS_MAX 16000000
/* 48 bits, as the view keeps them: a million changes of one level a second for nine years. */
#define LEVEL_VERSION_MAX ((1LL << 48) - 1)
/* An "any" line may be split over locations: the parts of one reservation. */
#define RESERVATION_PARTS_MAX 1000
/* Sets of locations that sourcing tries for the exact answer before it takes the greedy one. */
#define SOURCING_SETS_MAX 4096

/* What the service queues. */
#define REQUEST_QUEUE_MAX 16384
#define QUERY_QUEUE_MAX 4096
#define BATCH_REQUESTS_MAX 2048
#define BATCH_MOVEMENTS_MAX 16384
#define IDEMPOTENCY_KEYS_MAX_DEFAULT 4000000
#define IDEMPOTENCY_KEPT_MS (24LL * 3600 * 1000)

#endif
