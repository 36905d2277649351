-- Sessions to which a broker deals: who stops leaves, who is gone is emptied by the others.
CREATE TABLE share_sessions (
    client_id       text NOT NULL,
    share           text NOT NULL,
    listening_at    timestamptz NOT NULL,
    emptied         boolean NOT NULL DEFAULT false,
    PRIMARY KEY (client_id, share)
);
