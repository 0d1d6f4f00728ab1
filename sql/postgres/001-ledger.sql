-- The whole of one partition, as in sql/sqlite/001-ledger.sql: quantities are whole units, times are milliseconds since
-- 1970 (UTC), absent text is NULL, and every CHECK repeats an invariant that the ledger already kept. All of it is in the
-- schema `onhand`, which is the search path when this runs.
--
-- What a commit adds is appended in the order of its integer key; only levels, and the state of reservations, are updated
-- in place.

CREATE TABLE partition (
    partition bigint PRIMARY KEY CHECK (partition >= 0),
    epoch     bigint NOT NULL CHECK (epoch >= 0),   -- counts the owners; a commit names its own
    session   bigint NOT NULL CHECK (session >= 0), -- counts the connections of owners; a commit names its own
    commits   bigint NOT NULL CHECK (commits >= 0), -- counts the commits; each names those before it
    seq       bigint NOT NULL CHECK (seq >= 0),     -- of the last movement
    time_ms   bigint NOT NULL CHECK (time_ms >= 0)  -- ledger time of the last commit
) WITH (fillfactor = 10);                            -- one row, changed by each commit: room for its versions

CREATE TABLE item (
    item       bigint PRIMARY KEY CHECK (item >= 1),
    partition  bigint NOT NULL,
    sku        text COLLATE "C" NOT NULL UNIQUE,
    name       text,
    attributes text NOT NULL,                        -- a JSON object
    defined_ms bigint NOT NULL                       -- first time it was defined
);

CREATE TABLE location (
    location  bigint PRIMARY KEY CHECK (location >= 1),
    partition bigint NOT NULL,
    id        text COLLATE "C" NOT NULL UNIQUE,
    name      text,
    priority  bigint NOT NULL CHECK (priority BETWEEN 0 AND 1000000)
);

CREATE DOMAIN units AS bigint CHECK (VALUE BETWEEN 0 AND 1000000000000);

CREATE TABLE level (
    item            bigint NOT NULL,
    location        bigint NOT NULL,
    partition       bigint NOT NULL,
    on_hand         units NOT NULL,
    reserved        units NOT NULL,
    committed       units NOT NULL,
    damaged         units NOT NULL,
    quality_control units NOT NULL,
    safety_stock    units NOT NULL,
    incoming        units NOT NULL,
    version         bigint NOT NULL CHECK (version >= 1),
    seq             bigint NOT NULL CHECK (seq >= version), -- of its last movement
    time_ms         bigint NOT NULL,                        -- of its last movement
    PRIMARY KEY (item, location)
) WITH (fillfactor = 50);                            -- updated in place on its page

CREATE TABLE movement (
    seq                   bigint PRIMARY KEY CHECK (seq >= 1),
    partition             bigint NOT NULL,
    time_ms               bigint NOT NULL,
    kind                  smallint NOT NULL CHECK (kind BETWEEN 1 AND 12), -- names: view movements
    item                  bigint NOT NULL,
    location              bigint NOT NULL,
    on_hand_delta         bigint NOT NULL,
    reserved_delta        bigint NOT NULL,
    committed_delta       bigint NOT NULL,
    damaged_delta         bigint NOT NULL,
    quality_control_delta bigint NOT NULL,
    safety_stock_delta    bigint NOT NULL,
    incoming_delta        bigint NOT NULL,
    on_hand               units NOT NULL,            -- after the movement
    reserved              units NOT NULL,
    committed             units NOT NULL,
    damaged               units NOT NULL,
    quality_control       units NOT NULL,
    safety_stock          units NOT NULL,
    incoming              units NOT NULL,
    version               bigint NOT NULL CHECK (version BETWEEN 1 AND seq), -- of the level, after the movement
    reservation           bigint,                    -- reservation.seq
    reason                text,
    reference             text,
    actor                 text,

    CONSTRAINT before_was_in_range CHECK (
        on_hand - on_hand_delta BETWEEN 0 AND 1000000000000
        AND reserved - reserved_delta BETWEEN 0 AND 1000000000000
        AND committed - committed_delta BETWEEN 0 AND 1000000000000
        AND damaged - damaged_delta BETWEEN 0 AND 1000000000000
        AND quality_control - quality_control_delta BETWEEN 0 AND 1000000000000
        AND safety_stock - safety_stock_delta BETWEEN 0 AND 1000000000000
        AND incoming - incoming_delta BETWEEN 0 AND 1000000000000),
    CONSTRAINT first_starts_from_zero CHECK (
        version > 1
        OR (on_hand = on_hand_delta AND reserved = reserved_delta AND committed = committed_delta
            AND damaged = damaged_delta AND quality_control = quality_control_delta
            AND safety_stock = safety_stock_delta AND incoming = incoming_delta)),
    CONSTRAINT reserve_never_oversells CHECK (
        kind <> 6 OR on_hand - reserved - committed - damaged - quality_control - safety_stock >= 0),
    CONSTRAINT reservation_kinds_name_one CHECK (
        (kind >= 6) = (reservation IS NOT NULL) AND (reservation IS NULL OR reservation BETWEEN 1 AND seq))
);

CREATE TABLE reservation (
    seq        bigint PRIMARY KEY CHECK (seq >= 1),  -- of its first movement
    partition  bigint NOT NULL,
    id         uuid NOT NULL UNIQUE,                 -- UUIDv7: rises, so this index is appended to
    state      smallint NOT NULL CHECK (state BETWEEN 1 AND 7), -- names: view reservations
    created_ms bigint NOT NULL,
    expires_ms bigint NOT NULL CHECK (expires_ms >= created_ms),
    updated_ms bigint NOT NULL CHECK (updated_ms >= created_ms),
    reference  text,
    lines      integer NOT NULL CHECK (lines BETWEEN 1 AND 1000)
);

-- Held and committed ones: few, and young ones mostly.
CREATE INDEX reservation_open ON reservation (seq) WHERE state IN (1, 2);

CREATE TABLE reservation_line (
    seq       bigint PRIMARY KEY CHECK (seq >= 1),   -- of the movement that made it: reservation.seq + n
    partition bigint NOT NULL,
    item      bigint NOT NULL,
    location  bigint NOT NULL,
    quantity  bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000000000000),
    fulfilled bigint NOT NULL CHECK (fulfilled BETWEEN 0 AND quantity),
    returned  bigint NOT NULL CHECK (returned BETWEEN 0 AND fulfilled)
);

CREATE TABLE idempotency (
    "row"       bigint PRIMARY KEY CHECK ("row" >= 1),
    partition   bigint NOT NULL,
    time_ms     bigint NOT NULL,
    operation   text NOT NULL,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    status      integer NOT NULL CHECK (status BETWEEN 200 AND 599),
    location    text,
    answer      text NOT NULL                        -- the body, byte for byte
);

-- Sorted runs instead of indexes, see sql/sqlite/001-ledger.sql: run r repeats the movements r * 4096 + 1 to
-- (r + 1) * 4096 in the order in which they are looked for. An index on (item, location, seq) would take every row at a
-- random place; these are appended to.
CREATE TABLE movement_run (
    run      bigint NOT NULL,
    item     bigint NOT NULL,
    location bigint NOT NULL,
    seq      bigint NOT NULL,
    PRIMARY KEY (run, item, location, seq)
);

CREATE TABLE reference_run (
    run       bigint NOT NULL,
    reference text COLLATE "C" NOT NULL,
    seq       bigint NOT NULL,                       -- reservation.seq
    PRIMARY KEY (run, reference, seq)
);

-- One commit is a transaction that calls those of these functions that it needs, the first one first. Each takes columns
-- as arrays, and fails unless it touched as many rows as it was given: that would be a bug, and nothing of it may stay.

CREATE FUNCTION fail_unless(_good boolean, _what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT _good THEN
        RAISE EXCEPTION '% does not hold what the ledger says', _what USING ERRCODE = 'OH002';
    END IF;
END $$;

-- The owner, on its newest connection, goes on from where it left the partition; nobody else does.
CREATE FUNCTION advance(_partition bigint, _epoch bigint, _session bigint, _commits bigint, _seq_before bigint,
    _seq_after bigint, _time_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE partition SET commits = commits + 1, seq = _seq_after, time_ms = _time_ms
    WHERE partition = _partition AND epoch = _epoch AND session = _session AND commits = _commits AND seq = _seq_before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the store is no longer at epoch %, seq %: another process owns it', _epoch, _seq_before
            USING ERRCODE = 'OH001';
    END IF;
END $$;

CREATE FUNCTION add_items(_partition bigint, _item bigint[], _sku text[], _name text[], _attributes text[],
    _defined_ms bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO item (partition, item, sku, name, attributes, defined_ms)
    SELECT _partition, * FROM unnest(_item, _sku, _name, _attributes, _defined_ms)
$$;

CREATE FUNCTION change_items(_partition bigint, _item bigint[], _sku text[], _name text[], _attributes text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    UPDATE item i SET name = u.name, attributes = u.attributes
    FROM unnest(_item, _sku, _name, _attributes) AS u(item, sku, name, attributes)
    WHERE i.item = u.item AND i.partition = _partition AND i.sku = u.sku;
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM fail_unless(n = cardinality(_item), 'item');
END $$;

CREATE FUNCTION add_locations(_partition bigint, _location bigint[], _id text[], _name text[], _priority bigint[])
RETURNS void LANGUAGE sql AS $$
    INSERT INTO location (partition, location, id, name, priority)
    SELECT _partition, * FROM unnest(_location, _id, _name, _priority)
$$;

CREATE FUNCTION change_locations(_partition bigint, _location bigint[], _id text[], _name text[], _priority bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    UPDATE location l SET name = u.name, priority = u.priority
    FROM unnest(_location, _id, _name, _priority) AS u(location, id, name, priority)
    WHERE l.location = u.location AND l.partition = _partition AND l.id = u.id;
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM fail_unless(n = cardinality(_location), 'location');
END $$;

CREATE FUNCTION add_levels(_partition bigint, _item bigint[], _location bigint[], _version bigint[], _seq bigint[],
    _time_ms bigint[], _on_hand bigint[], _reserved bigint[], _committed bigint[], _damaged bigint[],
    _quality_control bigint[], _safety_stock bigint[], _incoming bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO level (partition, item, location, version, seq, time_ms, on_hand, reserved, committed, damaged,
        quality_control, safety_stock, incoming)
    SELECT _partition, * FROM unnest(_item, _location, _version, _seq, _time_ms, _on_hand, _reserved, _committed,
        _damaged, _quality_control, _safety_stock, _incoming)
$$;

CREATE FUNCTION change_levels(_partition bigint, _item bigint[], _location bigint[], _version bigint[], _seq bigint[],
    _time_ms bigint[], _on_hand bigint[], _reserved bigint[], _committed bigint[], _damaged bigint[],
    _quality_control bigint[], _safety_stock bigint[], _incoming bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    UPDATE level v SET version = u.version, seq = u.seq, time_ms = u.time_ms, on_hand = u.on_hand,
        reserved = u.reserved, committed = u.committed, damaged = u.damaged, quality_control = u.quality_control,
        safety_stock = u.safety_stock, incoming = u.incoming
    FROM unnest(_item, _location, _version, _seq, _time_ms, _on_hand, _reserved, _committed, _damaged,
        _quality_control, _safety_stock, _incoming) AS u(item, location, version, seq, time_ms, on_hand, reserved,
        committed, damaged, quality_control, safety_stock, incoming)
    WHERE v.item = u.item AND v.location = u.location AND v.partition = _partition AND v.version < u.version
        AND v.seq < u.seq;
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM fail_unless(n = cardinality(_item), 'level');
END $$;

CREATE FUNCTION add_movements(_partition bigint, _seq bigint[], _time_ms bigint[], _kind bigint[], _item bigint[],
    _location bigint[], _version bigint[], _reservation bigint[], _reason text[], _reference text[], _actor text[],
    _on_hand_delta bigint[], _reserved_delta bigint[], _committed_delta bigint[], _damaged_delta bigint[],
    _quality_control_delta bigint[], _safety_stock_delta bigint[], _incoming_delta bigint[], _on_hand bigint[],
    _reserved bigint[], _committed bigint[], _damaged bigint[], _quality_control bigint[], _safety_stock bigint[],
    _incoming bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO movement (partition, seq, time_ms, kind, item, location, version, reservation, reason, reference, actor,
        on_hand_delta, reserved_delta, committed_delta, damaged_delta, quality_control_delta, safety_stock_delta,
        incoming_delta, on_hand, reserved, committed, damaged, quality_control, safety_stock, incoming)
    SELECT _partition, * FROM unnest(_seq, _time_ms, _kind, _item, _location, _version, _reservation, _reason,
        _reference, _actor, _on_hand_delta, _reserved_delta, _committed_delta, _damaged_delta, _quality_control_delta,
        _safety_stock_delta, _incoming_delta, _on_hand, _reserved, _committed, _damaged, _quality_control,
        _safety_stock, _incoming)
$$;

CREATE FUNCTION add_reservations(_partition bigint, _seq bigint[], _id uuid[], _state bigint[], _created_ms bigint[],
    _expires_ms bigint[], _updated_ms bigint[], _reference text[], _lines bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO reservation (partition, seq, id, state, created_ms, expires_ms, updated_ms, reference, lines)
    SELECT _partition, * FROM unnest(_seq, _id, _state, _created_ms, _expires_ms, _updated_ms, _reference, _lines)
$$;

CREATE FUNCTION change_reservations(_partition bigint, _seq bigint[], _id uuid[], _state bigint[],
    _expires_ms bigint[], _updated_ms bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    UPDATE reservation r SET state = u.state, expires_ms = u.expires_ms, updated_ms = u.updated_ms
    FROM unnest(_seq, _id, _state, _expires_ms, _updated_ms) AS u(seq, id, state, expires_ms, updated_ms)
    WHERE r.seq = u.seq AND r.partition = _partition AND r.id = u.id;
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM fail_unless(n = cardinality(_seq), 'reservation');
END $$;

CREATE FUNCTION add_lines(_partition bigint, _seq bigint[], _item bigint[], _location bigint[], _fulfilled bigint[],
    _returned bigint[], _quantity bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO reservation_line (partition, seq, item, location, fulfilled, returned, quantity)
    SELECT _partition, * FROM unnest(_seq, _item, _location, _fulfilled, _returned, _quantity)
$$;

CREATE FUNCTION change_lines(_partition bigint, _seq bigint[], _item bigint[], _location bigint[],
    _fulfilled bigint[], _returned bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    UPDATE reservation_line l SET fulfilled = u.fulfilled, returned = u.returned
    FROM unnest(_seq, _item, _location, _fulfilled, _returned) AS u(seq, item, location, fulfilled, returned)
    WHERE l.seq = u.seq AND l.partition = _partition AND l.item = u.item AND l.location = u.location;
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM fail_unless(n = cardinality(_seq), 'reservation_line');
END $$;

CREATE FUNCTION add_keys(_partition bigint, _row bigint[], _time_ms bigint[], _operation text[], _key text[],
    _fingerprint bytea[], _status bigint[], _location text[], _answer text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO idempotency (partition, "row", time_ms, operation, key, fingerprint, status, location, answer)
    SELECT _partition, * FROM unnest(_row, _time_ms, _operation, _key, _fingerprint, _status, _location, _answer)
$$;

CREATE FUNCTION purge_keys(_to bigint) RETURNS void LANGUAGE sql AS $$
    DELETE FROM idempotency WHERE "row" <= _to
$$;

CREATE FUNCTION add_run(_run bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO movement_run (run, item, location, seq)
    SELECT _run, item, location, seq FROM movement WHERE seq > _run * 4096 AND seq <= (_run + 1) * 4096
    ORDER BY item, location, seq;
    INSERT INTO reference_run (run, reference, seq)
    SELECT _run, reference, seq FROM reservation
    WHERE seq > _run * 4096 AND seq <= (_run + 1) * 4096 AND reference IS NOT NULL ORDER BY reference, seq
$$;

-- For people with psql.
CREATE VIEW levels AS
SELECT i.sku, l.id AS location, v.on_hand,
       v.on_hand - v.reserved - v.committed - v.damaged - v.quality_control - v.safety_stock AS available,
       v.reserved, v.committed, v.damaged, v.quality_control, v.safety_stock, v.incoming, v.version, v.seq,
       to_timestamp(v.time_ms / 1000.0) AS time
FROM level v JOIN item i USING (item) JOIN location l USING (location);

CREATE VIEW movements AS
SELECT m.seq, to_timestamp(m.time_ms / 1000.0) AS time,
       (ARRAY['receive', 'adjust', 'set', 'transfer_out', 'transfer_in', 'reserve', 'commit', 'release', 'expire',
              'cancel', 'fulfill', 'return'])[m.kind] AS kind,
       i.sku, l.id AS location, m.on_hand_delta, m.reserved_delta, m.committed_delta, m.damaged_delta,
       m.quality_control_delta, m.safety_stock_delta, m.incoming_delta, m.on_hand, m.reserved, m.committed, m.damaged,
       m.quality_control, m.safety_stock, m.incoming, m.version, m.reservation, m.reason, m.reference, m.actor
FROM movement m JOIN item i USING (item) JOIN location l USING (location);

CREATE VIEW reservations AS
SELECT r.seq, r.id,
       (ARRAY['held', 'committed', 'fulfilled', 'released', 'expired', 'cancelled', 'returned'])[r.state] AS state,
       to_timestamp(r.created_ms / 1000.0) AS created, to_timestamp(r.expires_ms / 1000.0) AS expires,
       to_timestamp(r.updated_ms / 1000.0) AS updated, r.reference, i.sku, l.id AS location, n.quantity, n.fulfilled,
       n.returned
FROM reservation r JOIN reservation_line n ON n.seq BETWEEN r.seq AND r.seq + r.lines - 1
     JOIN item i USING (item) JOIN location l USING (location);
