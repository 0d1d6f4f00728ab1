-- A lease never runs longer than it was given. One that seems to is from before the server's clock was set back; if its
-- leader is gone, it would keep everybody away until the clock is there again. Twice as long is taken for that, so that a
-- clock which is merely put right deposes nobody; a leader that is well renews within a second, and loses the lead at worst.
CREATE FUNCTION lease_is_over(_until timestamptz, _lease_ms bigint) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT _until <= clock_timestamp() OR _until > clock_timestamp() + 2 * _lease_ms * interval '1 millisecond'
$$;

-- As before, but for that.
CREATE OR REPLACE FUNCTION claim(_partition bigint, _epoch bigint, _leader text, _lease_ms bigint, OUT claimed bigint,
    OUT holds partition) LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
BEGIN
    BEGIN
        PERFORM end_stuck_owners() FROM partition p
        WHERE p.partition = _partition AND lease_is_over(p.lease_until, _lease_ms);
        UPDATE partition p SET epoch = p.epoch + 1, session = p.session + 1, leader = _leader,
            lease_until = clock_timestamp() + _lease_ms * interval '1 millisecond'
        WHERE p.partition = _partition AND (p.epoch = _epoch OR lease_is_over(p.lease_until, _lease_ms))
        RETURNING p.* INTO holds;
        claimed := FOUND::integer;
    EXCEPTION WHEN lock_not_available THEN
        claimed := 0;
    END;
    IF claimed = 0 THEN
        SELECT p.* INTO holds FROM partition p WHERE p.partition = _partition;
    END IF;
END $$;
