-- Items of an invoice.
CREATE TABLE item (
    invoice_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    text VARCHAR(200) NOT NULL,
    net_cents INTEGER NOT NULL,
    tax_percent INTEGER NOT NULL,
    PRIMARY KEY (invoice_id, position)
);


-- what the accountants load every month
CREATE TABLE month_sum (
    month DATE NOT NULL,
    tax_percent INTEGER NOT NULL,
    net_cents BIGINT NOT NULL
);
