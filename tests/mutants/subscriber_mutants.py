"""Mutants of the audit log, the outbox, imports, events and what a subscriber sees: as in mutants.py."""

REGISTRY, SERVICE = "host/registry/", "host/service/"

AUDIT, OUTBOX, REKEY = "test_audit", "test_outbox", "test_rekey"
OPERATOR_ENDED = SERVICE + "operator_ended.c"
PURGE_CLOCK, RETENTION = SERVICE + "purge_clock.c", "test_operator_retention"
ENDED, ME = "test_operator_ended", "test_operator_me"
EVENT, RECORDS = "test_operator_event", "test_operator_records"

MUTANTS = [
    # The audit log
    ("a line's MAC is checked", REGISTRY + "audit.c", "memcmp(mac, row->mac, MAC_SIZE) != 0)\n", "false)\n", AUDIT),
    ("a line covers whom it concerns", REGISTRY + "audit.c", "row->of_subscriber ? row->subscriber.hi : 0,", "0,", AUDIT),
    ("a line covers whether it concerns anybody", REGISTRY + "audit.c", "data[at++] = row->of_subscriber;", "data[at++] = 0;", AUDIT),
    ("a line covers its time", REGISTRY + "audit.c", "row->seq, row->at,", "row->seq, 0,", AUDIT),
    ("a chain has no gaps", REGISTRY + "audit.c", "\tif (row->seq != walk->seq + 1)\n", "\tif (false)\n", AUDIT),
    ("a chain without a head is broken", REGISTRY + "audit.c", "\telse if (seq < walk->seq)\n", "\telse if (false)\n", AUDIT),
    ("a head's MAC is checked", REGISTRY + "audit.c", "\telse if (memcmp(mac, walk->mac, MAC_SIZE) != 0)\n", "\telse if (false)\n", AUDIT),
    ("a head without lines is broken", REGISTRY + "audit.c", "\t\tresult = walk_orphans(&walk, db);\n", "\t\tresult = DB_OK;\n", AUDIT),
    ("no line without an actor", REGISTRY + "audit.c", "|| !line->actor ||", "||", AUDIT),
    ("a log that is written to is not broken", REGISTRY + "audit.c", "\twhile (result == DB_OK && seq > walk->seq && found)\n",
     "\twhile (false)\n", AUDIT),
    ("a number's next holder sees nothing earlier", REGISTRY + "audit.c",
     "strcmp(line.action, AUDIT_NEW_SUBSCRIBER) != 0 &&", "", ME),
    ("nor of a subscriber who was deleted", REGISTRY + "audit.c", "strcmp(line.action, AUDIT_SUBSCRIBER_DELETED) != 0);", "true);", ENDED),
    # The outbox
    ("a claimed notice is nobody else's", REGISTRY + "outbox.c", '" AND (claimed_until <= $1 OR claimed_until > $2)"',
     '" AND (claimed_until >= 0 OR claimed_until > $2)"', OUTBOX),
    ("a delivered notice is not sent again", REGISTRY + "outbox.c", "!error ? DELIVERED : last", "last", OUTBOX),
    ("a notice is given up after a day", REGISTRY + "outbox.c", "TRIES_MIN && due > entry->expires_at;", "TRIES_MIN && due < 0;", OUTBOX),
    ("a clock ahead gives up no notice", REGISTRY + "outbox.c", "attempts >= TRIES_MIN && due", "due", OUTBOX),
    ("pauses grow", REGISTRY + "outbox.c", "\t\tpause *= 2;\n", "\t\tbreak;\n", OUTBOX),
    ("a clock set back delays nothing", REGISTRY + "outbox.c", "(due_at <= $1 OR due_at > $2)", "(due_at <= $1 OR due_at > $2 + $2)", OUTBOX),
    ("one messenger's notices hold up no other's", SERVICE + "operator_outbox.c", "lane->planned < LANE_MAX;", "lane->planned <= FLIGHTS_MAX;",
     "test_simtied_notices"),
    # Sealing anew
    ("a row that does not open stops the walk", REGISTRY + "rekey.c", "\tint result = DB_ERR_DAMAGED;\n\n\tif (vault_unseal",
     "\tint result = DB_OK;\n\n\tif (vault_unseal", REKEY),
    # Events
    ("an event revokes the credentials", SERVICE + "operator_event.c", "event->kind != SIMTIE_EVENT_RESUMED", "false", EVENT),
    ("the end of a contract ends the registrations", SERVICE + "operator_event.c", "\tif (result == DB_OK && ends)\n", "\tif (false)\n", EVENT),
    ("an event that changes nothing tells nobody", SERVICE + "operator_event.c", "\tif (*to == from)\n\t\treturn EFFECT_NONE;\n", "", EVENT),
    ("what has ended stays so", SERVICE + "operator_event.c", "\treturn ended ? EFFECT_CONFLICT : EFFECT_CHANGE;\n}", "\treturn EFFECT_CHANGE;\n}",
     EVENT),
    ("a card is one subscriber's", SERVICE + "operator_event.c", "\telse if (state == STOCK_TAKEN && !*again)\n", "\telse if (false)\n", EVENT),
    ("an event leaves a line", SERVICE + "operator_event.c", "\treturn result ? result : note(event, request);\n", "\treturn result;\n", EVENT),
    # SIM swap
    ("a SIM swap query leaves a line", SERVICE + "operator_sim_swap.c", "\treturn audit_write(work->db, vault, work->chain, &line);\n",
     "\treturn DB_OK;\n", EVENT),
    ("maxAge has bounds", SERVICE + "operator_sim_swap.c", "age < AGE_MIN || age > AGE_MAX", "age < AGE_MIN", EVENT),
    # The subscriber herself
    ("a subscriber's challenge is ours", SERVICE + "operator_me.c", "\t    !nonce_good(work->service->vault, asked->nonce))\n", "\t    false)\n",
     ME),
    ("a registration's token reads no records", SERVICE + "operator_me.c", ".purpose = PURPOSE_GENERIC,", ".purpose = PURPOSE_REGISTRATION,", ME),
    ("her reading leaves a line", SERVICE + "operator_me.c", "\t\tresult = audit_write(work->db, work->service->vault, work->chain, &line);\n",
     "\t\tresult = DB_OK;\n", ME),
    ("what no event would find is revoked", SERVICE + "operator_retention.c", '" WHERE v.state = 2 AND NOT', '" WHERE v.state = 9 AND NOT',
     "test_operator_retention"),
    # Contracts that have ended
    ("a subscriber stays while a registration of hers does", OPERATOR_ENDED, "\tif (count > 0)\n", "\tif (count < 0)\n", ENDED),
    ("who has a contract is not deleted", OPERATOR_ENDED, "WHERE purge_at <= $1", "WHERE $1 > 0", ENDED),
    ("her counters go with her", OPERATOR_ENDED, "DELETE FROM counters", "DELETE FROM audit_heads WHERE 1 = 0 AND $1 = $2; --", ENDED),
    ("her end leaves a line", OPERATOR_ENDED, "\t\tresult = audit_write(work->db, work->service->vault, work->chain, &line);",
     "\t\tresult = line.actor ? DB_OK : DB_ERR_SQL;", ENDED),
    ("a subscriber is deleted in her time", SERVICE + "operator_event.c", "clock_wall_ms() + event->op->subscriber_days * DAY_MS;", "1;", ENDED),
    ("a number given on has no counters", SERVICE + "operator_records.c", "\t\tresult = operator_ended_counters(work, index);", "\t\t(void)work;",
     ENDED),
    # The purge and its clock
    ("a clock that leapt deletes nothing", PURGE_CLOCK, "found && clock_gain(&last, &now) > PURGE_LEAP_MS)", "found && clock_gain(&last, &now) < 0)",
     RETENTION),
    ("another leap begins the doubt anew", PURGE_CLOCK, "gain > PURGE_LEAP_MS ||", "gain > INT64_MAX - 1 ||", RETENTION),
    ("the doubt lasts a day", PURGE_CLOCK, ">= PURGE_DOUBT_MS;", ">= PURGE_DOUBT_MS / 2;", RETENTION),
    ("the doubt ends", PURGE_CLOCK, ">= PURGE_DOUBT_MS;", "< 0;", RETENTION),
    ("a clock that goes on ends another's doubt", PURGE_CLOCK, "int result = db_run(db, end, DB_VALUES(db_int(DOUBTED)), NULL);",
     "int result = end ? DB_OK : DB_ERR_SQL;", RETENTION),
    ("no role deletes by a clock that leapt", SERVICE + "purge.c", "return result == DB_OK && believed ?", "return result == DB_OK ?", RETENTION),
    ("of another boot's clock nothing is known", REGISTRY + "clock.c", "clock_same_boot(now, moment) ? now->boot_ms - moment->boot_ms : 0;",
     "now->boot_ms - moment->boot_ms;", "test_clock"),
    ("ended registrations are shown", SERVICE + "operator_registration_row.c", '" WHERE hi = $1 AND lo = $2 AND state <> $3"',
     '" WHERE hi = $1 AND lo = $2 AND state <> $3 AND state = 1"', ME),
    ("what was replaced is said to be", SERVICE + "operator_registration.c", "SET state = 4, ended_at", "SET state = 2, ended_at", ME),
    ("the next holder sees no earlier registration", SERVICE + "operator_records.c", "SET state = 5 WHERE", "SET state = state WHERE", ME),
    ("an answer that leaves something out says so", SERVICE + "operator_registration_row.c", "*complete = *count <= REGISTRATIONS_SHOWN_MAX;",
     "*complete = *count <= REGISTRATIONS_SHOWN_MAX + 1;", ME),
    # Imports
    ("a part is in whole or not at all", SERVICE + "operator_records.c", 'result = db_script(db, "ROLLBACK TO SAVEPOINT part");',
     "result = DB_OK;", RECORDS),
    ("an import leaves no gap", SERVICE + "operator_records.c", "\tif (import.offset > import.position)\n", "\tif (false)\n", RECORDS),
    ("test keys are refused", SERVICE + "operator_records.c", "&& !import->op->allow_virtual)", "&& false)", RECORDS),
    ("an import gives no card away twice", SERVICE + "operator_records.c", "\telse if (state == STOCK_TAKEN && !same)\n", "\telse if (false)\n",
     RECORDS),
    ("an import changes no SIM", SERVICE + "operator_records.c",
     "\telse if (state == STOCK_GIVEN && subscriber->card_state != SUBSCRIBER_CARD_NONE)\n", "\telse if (false)\n", RECORDS),
    ("an import says when a number is somebody else's", SERVICE + "operator_records.c", "\t\tif (found)\n\t\t\tresult = begin_anew",
     "\t\tif (false)\n\t\t\tresult = begin_anew", ME),
    ("two cards of one ICCID are refused", REGISTRY + "stock.c", "\telse if (result == DB_OK && !same)\n", "\telse if (false)\n", RECORDS),
]
