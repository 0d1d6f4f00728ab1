-- The tables of a shop that reserves by row lock. A level is updated in place again and again: room for that on its page.
CREATE TABLE level (
    sku integer PRIMARY KEY,
    on_hand bigint NOT NULL,
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE reservation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku integer NOT NULL,
    quantity bigint NOT NULL,
    state text NOT NULL DEFAULT 'held',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE movement (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reservation bigint NOT NULL,
    sku integer NOT NULL,
    quantity bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
