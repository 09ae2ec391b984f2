CREATE TABLE shows (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL
);

CREATE TABLE episodes (
    guid TEXT PRIMARY KEY,
    show_id INTEGER NOT NULL REFERENCES shows (id) ON DELETE CASCADE,
    published TEXT NOT NULL,
    heard_at TEXT,
    position_seconds INTEGER NOT NULL DEFAULT 0,
    title TEXT NOT NULL
);

-- the list of new episodes
CREATE INDEX episodes_new ON episodes (published DESC, heard_at);

CREATE TABLE users (
    name TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    language TEXT NOT NULL DEFAULT 'en'
);

CREATE TABLE follows (
    name TEXT NOT NULL REFERENCES users (name),
    show_id INTEGER NOT NULL REFERENCES shows (id)
);

CREATE UNIQUE INDEX follows_once ON follows (name, show_id);
