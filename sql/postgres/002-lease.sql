-- Who leads. The lease says who may try to write; what is written is decided by the epoch, as before. Times are of the
-- server's clock, which all who ask share.
ALTER TABLE partition
    ADD COLUMN leader      text NOT NULL DEFAULT '' CHECK (octet_length(leader) <= 255), -- under which URL it is reached
    ADD COLUMN lease_until timestamptz NOT NULL DEFAULT '-infinity';

-- A client that was stopped or cut off in the middle of a commit leaves a connection that holds the row of the partition,
-- and waits for the rest of it: until the network gives up, for ever if the client is only stopped.
CREATE FUNCTION end_stuck_owners() RETURNS void LANGUAGE sql AS $$
    SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
    WHERE l.relation = 'partition'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted AND a.pid <> pg_backend_pid()
        AND a.datname = current_database() AND a.usename = current_user AND a.wait_event = 'ClientRead'
$$;

-- One row: was it claimed, and what the partition holds then. The owner at _epoch may claim again at any time; others once
-- the lease has run out. Who holds the row for a second is at work, so is not asked to wait for.
CREATE FUNCTION claim(_partition bigint, _epoch bigint, _leader text, _lease_ms bigint, OUT claimed bigint,
    OUT holds partition) LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
BEGIN
    BEGIN
        PERFORM end_stuck_owners() FROM partition p WHERE p.partition = _partition AND p.lease_until <= clock_timestamp();
        UPDATE partition p SET epoch = p.epoch + 1, session = p.session + 1, leader = _leader,
            lease_until = clock_timestamp() + _lease_ms * interval '1 millisecond'
        WHERE p.partition = _partition AND (p.epoch = _epoch OR p.lease_until <= clock_timestamp())
        RETURNING p.* INTO holds;
        claimed := FOUND::integer;
    EXCEPTION WHEN lock_not_available THEN
        claimed := 0;
    END;
    IF claimed = 0 THEN
        SELECT p.* INTO holds FROM partition p WHERE p.partition = _partition;
    END IF;
END $$;
