-- The messenger's registrations. (hi, lo) is 128 bits of HMAC-SHA-256 over the registration's id: the
-- id is the client's secret, and who reads this table alone cannot ask in a client's name. hi is what
-- an engine that spreads tables over machines spreads by.
--
-- Times are milliseconds since 1970 UTC.

CREATE TABLE registrations (
	hi INTEGER NOT NULL,
	lo INTEGER NOT NULL,
	state INTEGER NOT NULL,             -- 1 pending, 2 registered, 3 refused, 4 expired,
	                                    -- 5 to be verified again
	step INTEGER NOT NULL,              -- what comes next: 0 nothing, 1 the client attests, 2 the
	                                    -- operator is asked, 3 its answer is waited for, 4 the
	                                    -- code is reported, 5 the report is taken back
	reason INTEGER NOT NULL,            -- enum messenger_reason; 0 none
	from_at INTEGER NOT NULL,           -- what the step's deadline counts from, by the wall clock
	boot BYTEA NOT NULL,                -- the machine's boot then, 16 bytes
	boot_ms INTEGER NOT NULL,           -- CLOCK_BOOTTIME of it then
	changed_at INTEGER NOT NULL,        -- since when it has its state
	operator TEXT NOT NULL,             -- its name
	verification TEXT,                  -- its id for this verification
	digest BYTEA,                       -- HMAC-SHA-256 over attestation and sealed number; null
	                                    -- until they came
	sim BYTEA,                          -- 16 bytes of HMAC over its service key; null until the yes
	status_uri TEXT,                    -- of one that stands, or is being reported: the status
	status_index INTEGER,               -- list that its credential names, and its place there
	attempts INTEGER NOT NULL,          -- that failed in a row
	due_at INTEGER,                     -- when to look at it; null: never
	key_id INTEGER NOT NULL,
	sealed BYTEA NOT NULL,              -- number, nonce, client key, sealed number, attestation,
	                                    -- credential, identification code: each while it is needed
	PRIMARY KEY (hi, lo)
);
CREATE INDEX registrations_due ON registrations (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX registrations_ended ON registrations (changed_at) WHERE state > 2;
CREATE UNIQUE INDEX registrations_verification ON registrations (operator, verification)
	WHERE verification IS NOT NULL;

CREATE INDEX registrations_sim ON registrations (sim) WHERE sim IS NOT NULL;
CREATE INDEX registrations_status ON registrations (operator, status_uri, status_index)
	WHERE status_uri IS NOT NULL;
CREATE INDEX registrations_unanswered ON registrations (changed_at) WHERE digest IS NULL;

-- The operators' status lists that registrations name.
CREATE TABLE status_lists (
	operator TEXT NOT NULL,
	uri TEXT NOT NULL,
	due_at INTEGER NOT NULL,            -- when to fetch it, or to fetch it anew
	PRIMARY KEY (operator, uri)
);

-- Notices that operators sent: each counts once.
CREATE TABLE notices (
	operator TEXT NOT NULL,
	id TEXT NOT NULL,
	event INTEGER NOT NULL,
	verification TEXT NOT NULL,
	received_at INTEGER NOT NULL,
	PRIMARY KEY (operator, id)
);
CREATE INDEX notices_received ON notices (received_at);

-- What the purge knows of the wall clock, for all daemons: see purge.h.
CREATE TABLE purge_clock (
	what INTEGER PRIMARY KEY,           -- 1: when it was believed last; 2: since when it is not
	wall_at INTEGER NOT NULL,
	boot BYTEA NOT NULL,                -- the machine's boot, 16 bytes
	boot_ms INTEGER NOT NULL            -- CLOCK_BOOTTIME of it then
);
