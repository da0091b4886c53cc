-- The operator's registry. Every table that concerns a subscriber begins its key with (hi) or
-- (hi, lo): 128 bits of HMAC-SHA-256 over the number, split in two. hi is what an engine that spreads
-- tables over machines spreads by; all rows of a subscriber, and all that one transaction touches,
-- lie together.
--
-- Times are milliseconds since 1970 UTC. A column `sealed` is AES-256-GCM under the key `key_id`,
-- bound to its table and its row's key; what is in it is said beside it. `service` is 64 bits of
-- HMAC-SHA-256 over subscriber and audience: it says whether two rows of one subscriber are of one
-- messenger, and nothing about two subscribers.

CREATE TABLE subscribers (
	hi INTEGER NOT NULL,
	lo INTEGER NOT NULL,
	state INTEGER NOT NULL,             -- 1 active, 2 suspended, 3 terminated, 4 ported out
	card BYTEA,                         -- first 16 bytes of SHA-256 of device_public; null: no card
	card_state INTEGER NOT NULL,        -- 0 no card, 1 good, 2 suspended: cloned or reported stolen
	device_public BYTEA,                -- uncompressed point, 65 bytes
	sim_changed_at INTEGER,             -- null: never since import
	updated_at INTEGER NOT NULL,
	purge_at INTEGER,                   -- null while the contract runs
	key_id INTEGER NOT NULL,
	sealed BYTEA NOT NULL,              -- chain code (32 bytes), card (16), zeros without one; number (ASCII)
	PRIMARY KEY (hi, lo)
);
CREATE INDEX subscribers_purge ON subscribers (purge_at) WHERE purge_at IS NOT NULL;

-- Cards that were made, by HMAC over the ICCID. One that a subscriber has leaves its row, without
-- the chain code, so that no second subscriber gets it. That row stays for ever: it is why nothing
-- else of a card need be kept for its tokens to count no more. Once the subscriber is deleted it
-- leads to nobody.
CREATE TABLE stock (
	hi INTEGER NOT NULL,
	lo INTEGER NOT NULL,
	taken INTEGER NOT NULL,             -- 1: a subscriber has it
	device_public BYTEA NOT NULL,
	imported_at INTEGER NOT NULL,
	key_id INTEGER NOT NULL,
	sealed BYTEA,                       -- chain code (32 bytes); null when taken
	PRIMARY KEY (hi, lo)
);

-- The counter values that a card was seen to sign: two contents under one are a clone. Rows older
-- than a clone is looked for go; that nothing counts twice then rests on the table counters alone.
CREATE TABLE attestations (
	hi INTEGER NOT NULL,
	lo INTEGER NOT NULL,
	card BYTEA NOT NULL,
	counter INTEGER NOT NULL,
	service INTEGER NOT NULL,
	digest BYTEA NOT NULL,              -- SHA-256 of the token without its signature: who has
	                                    -- one valid signature can make another over the same
	at INTEGER NOT NULL,
	PRIMARY KEY (hi, lo, card, counter)
);
CREATE INDEX attestations_age ON attestations (at);

-- The highest counter that each service has seen of a card.
CREATE TABLE counters (
	hi INTEGER NOT NULL,
	lo INTEGER NOT NULL,
	card BYTEA NOT NULL,
	service INTEGER NOT NULL,
	counter INTEGER NOT NULL,
	PRIMARY KEY (hi, lo, card, service)
);

CREATE TABLE verifications (
	hi INTEGER NOT NULL,
	id BYTEA NOT NULL,                  -- 16 bytes; hi can be read from it with the operator's key
	lo INTEGER NOT NULL,
	service INTEGER NOT NULL,
	idempotency BYTEA,                  -- 16 bytes of HMAC over the client's key, or null
	state INTEGER NOT NULL,             -- 1 pending, 2 verified, 3 not verified, 4 expired
	reason INTEGER NOT NULL,            -- enum verification_reason; 0 none
	accepted_at INTEGER NOT NULL,
	deadline_at INTEGER NOT NULL,       -- by the wall clock, for other machines
	order_at INTEGER NOT NULL,          -- what the backlog goes by: deadline_at; of one accepted
	                                    -- while another of hers waits, after that one's
	boot BYTEA NOT NULL,                -- the machine's boot that accepted it, 16 bytes
	boot_ms INTEGER NOT NULL,           -- CLOCK_BOOTTIME of it then, milliseconds
	decided_at INTEGER,
	counter INTEGER,                    -- opened, of a verified one
	status_list INTEGER,                -- of its credential
	status_index INTEGER,
	purge_at INTEGER NOT NULL,
	key_id INTEGER NOT NULL,
	sealed BYTEA NOT NULL,              -- the request's fingerprint (32 bytes); then, pending:
	                                    -- the request; decided: refusal (1), card of a verified one
	                                    -- (16), credential (DER)
	PRIMARY KEY (hi, id)
);
CREATE UNIQUE INDEX verifications_idempotency ON verifications (hi, lo, service, idempotency)
	WHERE idempotency IS NOT NULL;
CREATE INDEX verifications_pending ON verifications (order_at, id) WHERE state = 1;
CREATE INDEX verifications_purge ON verifications (purge_at);

CREATE TABLE registrations (
	hi INTEGER NOT NULL,
	id BYTEA NOT NULL,                  -- the verification's
	lo INTEGER NOT NULL,
	service INTEGER NOT NULL,
	state INTEGER NOT NULL,             -- enum registration_state
	status_list INTEGER,
	status_index INTEGER,
	ended_at INTEGER,
	purge_at INTEGER,                   -- null while it stands
	key_id INTEGER NOT NULL,
	sealed BYTEA NOT NULL,              -- JSON: service, identificationCode, registeredAt, counter
	PRIMARY KEY (hi, id)
);
CREATE INDEX registrations_subscriber ON registrations (hi, lo);
CREATE INDEX registrations_purge ON registrations (purge_at) WHERE purge_at IS NOT NULL;

-- Notices to messengers that are not delivered yet, or were of late.
CREATE TABLE outbox (
	hi INTEGER NOT NULL,
	id BYTEA NOT NULL,                  -- 16 random bytes: the notice's jti
	state INTEGER NOT NULL,             -- 1 queued, 2 delivered, 3 given up
	due_at INTEGER NOT NULL,            -- when to try next
	expires_at INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	claimed_until INTEGER NOT NULL,     -- a daemon is at it until then
	created_at INTEGER NOT NULL,
	last_error TEXT,
	key_id INTEGER NOT NULL,
	sealed BYTEA NOT NULL,              -- JSON: service, registration, event
	PRIMARY KEY (hi, id)
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 1;

-- Status lists (IETF Token Status List): one bit a credential, its index drawn at random.
CREATE TABLE status_lists (
	list INTEGER PRIMARY KEY,
	size INTEGER NOT NULL,              -- bits
	credential_days INTEGER NOT NULL DEFAULT 0, -- that any credential under it holds at most
	opened_at INTEGER NOT NULL,
	full_at INTEGER                     -- null: indexes are still drawn from it
);
CREATE TABLE status_entries (
	list INTEGER NOT NULL,
	idx INTEGER NOT NULL,
	revoked_at INTEGER,                 -- null: valid
	PRIMARY KEY (list, idx)
);
CREATE INDEX status_revoked ON status_entries (list, idx) WHERE revoked_at IS NOT NULL;
-- What was published of a list last: made once a tick, by whichever daemon was asked first.
CREATE TABLE status_tokens (
	list INTEGER PRIMARY KEY,
	tick_at INTEGER NOT NULL,           -- as it was then
	jwt BYTEA NOT NULL
);

-- The audit log: one hash chain for each connection that writes, so that none waits for another.
CREATE TABLE audit (
	chain TEXT NOT NULL,
	seq INTEGER NOT NULL,               -- from 1, without gaps
	at INTEGER NOT NULL,
	hi INTEGER,                         -- whom it concerns; null: nobody alone
	lo INTEGER,
	key_id INTEGER NOT NULL,
	sealed BYTEA NOT NULL,              -- JSON: actor, action, reason
	mac BYTEA NOT NULL,                 -- HMAC-SHA-256 over the one before and this line's plaintext
	PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_subscriber ON audit (hi, lo);
CREATE TABLE audit_heads (
	chain TEXT PRIMARY KEY,
	seq INTEGER NOT NULL,
	mac BYTEA NOT NULL
);

-- How far each import has come.
CREATE TABLE imports (
	name TEXT PRIMARY KEY,
	position INTEGER NOT NULL,          -- bytes of the file that are in
	lines INTEGER NOT NULL,
	updated_at INTEGER NOT NULL
);

-- What the purge knows of the wall clock, for all daemons: see purge.h.
CREATE TABLE purge_clock (
	what INTEGER PRIMARY KEY,           -- 1: when it was believed last; 2: since when it is not
	wall_at INTEGER NOT NULL,
	boot BYTEA NOT NULL,                -- the machine's boot, 16 bytes
	boot_ms INTEGER NOT NULL            -- CLOCK_BOOTTIME of it then
);
