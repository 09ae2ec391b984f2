-- Fines of the readers, one row for each late medium.
CREATE TABLE fines (
    id        bigint PRIMARY KEY,
    reader    text NOT NULL,
    cents     integer NOT NULL,
    since     date NOT NULL,
    loan_id   bigint NOT NULL REFERENCES loans (id),
    note      text
);

CREATE INDEX fines_reader ON fines (reader);
CREATE INDEX fines_since ON fines (since);

COMMENT ON TABLE fines IS 'amounts in cents';
