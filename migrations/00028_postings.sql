-- +goose Up

-- By which words a ticket is found, in blocks: of one term, which tickets of a block have it. A block is 512 ids in a row. Whatever is searched is so read newest
-- first and up to a page, however many tickets have it. members are two digits to the base 32 for each ticket, its place in the block, in no order: who adds tickets
-- puts theirs behind. Terms are UTF-8 in bytes, which sort the same under every collation.
CREATE TABLE postings (
    tenant  text   NOT NULL,
    term    bytea  NOT NULL,
    block   bigint NOT NULL,
    members text   NOT NULL,
    PRIMARY KEY (tenant, term, block)
);
CREATE INDEX postings_block ON postings (tenant, block, term);

-- The terms of tickets that are not in postings yet, each between spaces: one row for an opening, where postings would be tens. Some hundred, the newest.
CREATE TABLE unposted (
    ticket_id bigint PRIMARY KEY,
    tenant    text   NOT NULL,
    terms     text   NOT NULL
);

-- Whether a ticket is in one of the two. Processes of the version before do not say so, and put its words into the table words, where they look for them; there it is
-- looked for as well until it is posted, by migrate or by a process that posts others. The table goes with a later version.
ALTER TABLE tickets ADD COLUMN posted boolean NOT NULL DEFAULT false;
CREATE INDEX tickets_not_posted ON tickets (id) WHERE NOT posted;

-- +goose Down
DROP INDEX tickets_not_posted;
ALTER TABLE tickets DROP COLUMN posted;
DROP TABLE unposted;
DROP TABLE postings;
