-- Rows of levels may be behind: a commit adds movements, which hold the quantities after them, and a sweep brings the
-- rows up to date later, in the order of their keys. All movements up to levels_seq are in the rows, and of each row all
-- up to its own seq. After a stop in good order levels_seq is seq: then all rows are up to date.
ALTER TABLE partition ADD COLUMN levels_seq INTEGER NOT NULL DEFAULT 0 CHECK (levels_seq BETWEEN 0 AND seq);
UPDATE partition SET levels_seq = seq;

DROP VIEW levels;
CREATE VIEW levels AS
WITH recent AS (
    SELECT item, location, max(seq) AS seq FROM movement
    WHERE seq > (SELECT levels_seq FROM partition) GROUP BY item, location),
newest AS (
    SELECT v.item, v.location,
           coalesce(m.on_hand, v.on_hand) AS on_hand, coalesce(m.reserved, v.reserved) AS reserved,
           coalesce(m.committed, v.committed) AS committed, coalesce(m.damaged, v.damaged) AS damaged,
           coalesce(m.quality_control, v.quality_control) AS quality_control,
           coalesce(m.safety_stock, v.safety_stock) AS safety_stock, coalesce(m.incoming, v.incoming) AS incoming,
           coalesce(m.version, v.version) AS version, coalesce(m.seq, v.seq) AS seq,
           coalesce(m.time_ms, v.time_ms) AS time_ms
    FROM level v LEFT JOIN recent r ON r.item = v.item AND r.location = v.location AND r.seq > v.seq
         LEFT JOIN movement m ON m.seq = r.seq)
SELECT i.sku, l.id AS location, v.on_hand,
       v.on_hand - v.reserved - v.committed - v.damaged - v.quality_control - v.safety_stock AS available,
       v.reserved, v.committed, v.damaged, v.quality_control, v.safety_stock, v.incoming, v.version, v.seq,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.time_ms / 1000.0, 'unixepoch') AS time
FROM newest v JOIN item i USING (item) JOIN location l USING (location);
