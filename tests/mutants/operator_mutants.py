"""Mutants of the operator's verifications, registrations and status lists: as in mutants.py."""

SERVICE = "host/service/"
DECIDE = SERVICE + "operator_decide.c"
CLONE = SERVICE + "operator_clone.c"
ROW = SERVICE + "operator_row.c"
VERIFICATION = SERVICE + "operator_verification.c"
BACKLOG = SERVICE + "operator_backlog.c"
REGISTRATION = SERVICE + "operator_registration.c"
STATUS = SERVICE + "operator_status.c"
LIST = SERVICE + "operator_status_list.c"
CACHE = SERVICE + "operator_cache.c"
SUBSCRIBER = "host/registry/subscriber.c"

MUTANTS = [
    # The decision
    ("a token at fault by itself is refused by its name", DECIDE, "\tif (refusal != SIMTIE_ACCEPTED) {", "\tif (false) {",
     "test_operator_verification"),
    ("a token is for the messenger that sends it", DECIDE, ".audience = request->audience,\n\t\t.nonce = request->nonce.ptr",
     ".audience = \"chat.example\",\n\t\t.nonce = request->nonce.ptr", "test_operator_verification"),
    ("a virtual card registers only where it is allowed", DECIDE, ".allow_virtual = op->allow_virtual", ".allow_virtual = true",
     "test_operator_verification"),
    ("only an active subscriber registers", DECIDE, "found && subscriber->state == SUBSCRIBER_ACTIVE &&", "found &&",
     "test_operator_verification"),
    ("a suspended card does not register", DECIDE, "\t       subscriber->card_state == SUBSCRIBER_CARD_GOOD;",
     "\t       subscriber->card_state != SUBSCRIBER_CARD_NONE;", "test_operator_verification"),
    ("the SIM must have signed", DECIDE, "\tif (!holds || !may) {\n", "\tif (!may) {\n", "test_operator_verification"),
    ("the SIM must have signed, prepared", DECIDE, "\tif (!ahead->holds || !may_register(", "\tif (!may_register(", "test_operator_verification"),
    ("what was prepared is compared", DECIDE, "\tif (!same)\n\t\treturn decide_anew(", "\tif (!ahead)\n\t\treturn decide_anew(", "test_operator_ahead"),
    ("a state that changed is seen", SUBSCRIBER, "seen->state == db_column_int(db, 0)", "true", "test_operator_ahead"),
    ("a card's state that changed is seen", SUBSCRIBER, "seen->card_state == db_column_int(db, 1)", "true", "test_operator_ahead"),
    ("a subscriber that came is seen", SUBSCRIBER, "row_same(db, seen) : !seen->found;", "row_same(db, seen) || !seen->found : !seen->found;",
     "test_operator_ahead"),
    ("a subscriber that went is seen", SUBSCRIBER, "row_same(db, seen) : !seen->found;", "row_same(db, seen) : true;", "test_operator_ahead"),
    ("an index taken since is not used", STATUS, "\t*taken = changed > 0;\n", "\t*taken = true;\n", "test_operator_ahead"),
    ("a list closed since is not used", STATUS, "\" WHERE list = $1 AND list = (SELECT MAX(list) FROM status_lists)\"", "\" WHERE list = $1\"",
     "test_operator_ahead"),
    ("a preparation takes curves out of the transaction", DECIDE, "\tif (result != DB_OK || taken)\n\t\treturn result;\n",
     "\tif (result != DB_OK)\n\t\treturn result;\n", "test_operator_cost"),
    ("a token counts once", DECIDE, "\tif (result == DB_OK && changed == 0)\n\t\treturn counted_before(",
     "\tif (result == DB_OK && changed < 0)\n\t\treturn counted_before(", "test_operator_verification"),
    ("another signature makes no other token", DECIDE, "bytes_of(token.ptr, token.len - SIMTIE_SIGNATURE_SIZE), digest)",
     "bytes_of(token.ptr, token.len), digest)", "test_operator_verification"),
    ("another content under a counter is a clone", DECIDE, "\tif (same) {", "\tif (same || digest) {", "test_operator_verification"),
    ("the same content under a counter is none", DECIDE, "\tif (same) {", "\tif (same && !digest) {", "test_operator_verification"),
    ("the counter rises for each service", DECIDE, "\n\t\t\" WHERE counters.counter < excluded.counter\";", ";",
     "test_operator_verification"),
    ("a no costs a derivation, though the key is known", DECIDE, "\tif (cached)\n\t\tsimtie_service_key(", "\tif (false)\n\t\tsimtie_service_key(",
     "test_operator_cost"),
    ("a no costs a counter opened", DECIDE, "\tif (!*holds)\n\t\tsimtie_counter_open(", "\tif (false)\n\t\tsimtie_counter_open(",
     "test_operator_cost"),
    ("only what held goes into the cache", DECIDE, "\tif (*holds && may) {\n\t\tif (!cached)", "\tif (!cached)\n\t\t\toperator_cache_put(op->cache, name, service_public);\n\tif (*holds && may) {\n\t\tif (false)",
     "test_operator_cost"),

    # The clone alarm
    ("a cloned card is suspended", CLONE, "card_state = SUBSCRIBER_CARD_SUSPENDED", "card_state = SUBSCRIBER_CARD_GOOD",
     "test_operator_verification"),
    ("a clone alarm is written down", CLONE, "result = audit_write(work->db, vault, work->chain, &line);", "(void)line;",
     "test_operator_verification"),
    ("a clone's credentials are revoked", CLONE, "result = operator_status_revoke_all(work, &subscriber->index);", ";",
     "test_operator_verification"),
    ("messengers hear of a clone", CLONE, "i < count; i++)", "i < 0; i++)", "test_operator_verification"),

    # Rows and their age
    ("the deadline goes by the clock that does not jump", ROW, "return clock_since(&row->accepted) >=",
     "return clock_wall_ms() - row->accepted.wall_ms >=", "test_operator_backlog"),
    ("the deadline is a deadline", ROW, "return clock_since(&row->accepted) >=", "return INT64_MIN >=", "test_operator_backlog"),
    ("the oldest deadline goes first", ROW, "\" ORDER BY deadline_at LIMIT", "\" ORDER BY deadline_at DESC LIMIT", "test_operator_backlog"),
    ("what was late stays EXPIRED", VERIFICATION, "\t\tresult = operator_row_decide(work, &row, &changed);", "\t\tchanged = true;",
     "test_operator_backlog"),
    ("what is late is said to be", VERIFICATION, "VERIFICATION_PENDING && operator_row_late(&row))", "VERIFICATION_PENDING && false)",
     "test_operator_backlog"),
    ("what is late is written unasked", BACKLOG, "\tif (operator_row_late(row)) {", "\tif (false) {", "test_operator_backlog"),
    ("what does not open stops nobody", BACKLOG, "until its deadline */\n\t\t\treturn DB_OK;", "until its deadline */\n\t\t\treturn DB_ERR_DAMAGED;",
     "test_operator_backlog"),

    # Requests and answers
    ("one of the identifiers, not both", VERIFICATION, "if (asked->number && asked->sealed.len)", "if (false)",
     "test_operator_verification"),
    ("one of the identifiers at least", VERIFICATION, "if (!asked->number && !asked->sealed.len)", "if (false)",
     "test_operator_verification"),
    ("a no is not sent early", VERIFICATION, "reply->not_before_ms = (unsigned)operator_of(work)->refusal_ms;", ";",
     "test_operator_verification"),
    ("what waited too long is put off", VERIFICATION, "work->waited_ms >= operator_of(work)->answer_within_ms;", "false;",
     "test_operator_verification"),
    ("a request put off is not decided as well", VERIFICATION, "\tif (!late || operator_decide_token(", "\tif (late || operator_decide_token(",
     "test_operator_verification"),
    ("a messenger sees its own alone", VERIFICATION, "if (*found && row->service == service)", "if (*found)", "test_operator_verification"),
    ("the same key is the same verification", VERIFICATION, "\t*answered = result == DB_OK && found;", "\t*answered = false && found;",
     "test_operator_verification"),
    ("the same key with another request is a conflict", VERIFICATION, "if (*answered && memcmp(", "if (false && memcmp(",
     "test_operator_verification"),
    ("keys of two messengers are apart", ROW, "\" WHERE hi = $1 AND lo = $2 AND service = $3 AND idempotency = $4\"",
     "\" WHERE hi = $1 AND lo = $2 AND $3 = $3 AND idempotency = $4\"", "test_operator_verification"),
    ("what is pending is held for a long poll", VERIFICATION, "\t\t      request->wait_ms > 0;", "\t\t      request->wait_ms < 0;",
     "test_operator_verification"),

    # Registrations
    ("only a yes registers", REGISTRATION, "if (row.decision.state != VERIFICATION_VERIFIED)", "if (false)", "test_operator_registration"),
    ("a subscriber that may not does not register", REGISTRATION, "\t*fits = db_column_int(db, 0) == SUBSCRIBER_ACTIVE &&",
     "\t*fits = true ||", "test_operator_registration"),
    ("only the SIM that said yes registers", REGISTRATION,
     "bytes_equal(db_column_bytes(db, 2), bytes_of(yes->card, sizeof(yes->card)));", "true;", "test_operator_registration"),
    ("a revoked yes does not register", REGISTRATION, "\t*fits &= result == DB_ROW;", "", "test_operator_registration"),
    ("a registration has one code", REGISTRATION, "else if (strcmp(found.registration.code, code) != 0)", "else if (false)",
     "test_operator_registration"),
    ("an ended registration does not come back", REGISTRATION, "else if (found.state != REGISTRATION_STANDS)", "else if (false)",
     "test_operator_registration"),
    ("a messenger ends its own alone", REGISTRATION, "if (service != db_column_int(db, 1))", "if (false)", "test_operator_registration"),
    ("a later registration ends the earlier", REGISTRATION, "\t\tresult = end_earlier(work, row, registration.registered_at);",
     "\t\t(void)end_earlier;", "test_operator_registration"),
    ("what is replaced is revoked", REGISTRATION, "\tint result = db_run(work->db, revoke, DB_VALUES(hi, lo, service, at), NULL);",
     "\tint result = revoke ? DB_OK : DB_ERR_SQL;", "test_operator_registration"),
    ("what is ended is revoked", REGISTRATION, "\t\tresult = operator_status_revoke(work, found.status_list, found.status_index);", "\t\t;",
     "test_operator_registration"),
    ("what was ended keeps its time", REGISTRATION, "\" WHERE hi = $1 AND id = $2 AND state = 1\"", "\" WHERE hi = $1 AND id = $2\"",
     "test_operator_registration"),

    # Status lists
    ("an index is drawn at random", STATUS, "*number = (int64_t)(random >> 1);", "static int64_t next;\n\t*number = (int64_t)(random * 0) + next++;", "test_operator_status"),
    ("a bit shows at the tick", LIST, "db_column_int(work->db, 1) < listed->tick_ms)", "db_column_int(work->db, 1) < INT64_MAX)",
     "test_operator_status"),
    ("a published list is good for its tick", LIST, "return listed->tick_ms >= tick_ms ? 0 :", "return listed->tick_ms >= tick_ms - 10 * tick ? 0 :",
     "test_operator_status"),
    ("a list is signed once a tick, however often it is asked for", LIST, "\tif (age == 0)\n", "\tif (false)\n", "test_operator_status"),
    ("a daemon signs in its share of the time", LIST, "!maker->busy && owed_ms <= CREDIT_MS;", "!maker->busy;", "test_operator_status"),
    ("what is too old is not published", LIST, "age >= LIVES) {", "age > 1000) {", "test_operator_status"),
    ("a list is left when half full", STATUS, "2 * count >= sample", "count >= sample", "test_operator_status"),
    ("how full a list is is not counted", STATUS, "\t\tfrom = random % (size - sample + 1);\n", "\t\tsample = size;\n", "test_operator_status"),
    ("a full list stops nobody", STATUS, "(*list == 0 || attempt == TRIES_MAX)", "*list == 0", "test_operator_status"),
    ("what was revoked keeps its time", STATUS, "AND idx = $2 AND revoked_at IS NULL\"", "AND idx = $2\"", "test_operator_status"),

    # The cache
    ("the unused go first", CACHE, "\tif (at) {\n\t\tring_leave(shard, at);\n\t\tring_enter(shard, at);\n", "\tif (at) {\n", "test_operator_cache"),
    ("the cache is bounded", CACHE, "if (shard->used < shard->room)", "if (shard->used <= shard->room)", "test_operator_cache"),
    ("a name is of the chain code too", CACHE, "memcpy(of, card, sizeof(*card));", "memset(of, 0, sizeof(of));\n\tmemcpy(of, card, SIMTIE_POINT_SIZE);",
     "test_operator_cache"),
    ("a name is of the audience too", CACHE, "bytes_of(of, sizeof(*card) + len), name)", "bytes_of(of, sizeof(*card) + 0 * len), name)",
     "test_operator_cache"),
    ("a challenge is good for few numbers", "host/service/operator_guess.c",
     "\tif (tried->count == OPERATOR_GUESS_MAX)\n\t\treturn false;\n", "\tif (tried->count == OPERATOR_GUESS_MAX)\n\t\treturn true;\n",
     "test_operator_guess"),
    ("a challenge is told by its nonce", "host/service/operator_verification.c",
     "bytes_of(of, len + asked->nonce.len), challenge)", "bytes_of(asked->token.bytes, asked->token.len), challenge)",
     "test_operator_guess"),
]
