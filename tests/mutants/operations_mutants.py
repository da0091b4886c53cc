"""Mutants of what only running daemons show: faults, the desk's commands, notices. As in mutants.py."""

REGISTRY, SERVICE = "host/registry/", "host/service/"
DESK, FAULTS, NOTICES = "test_simtied_desk", "test_simtied_faults", "test_simtied_notices"

MUTANTS = [
    # The desk
    ("desk: a reading leaves a line", SERVICE + "desk_record.c", "\tresult = note(work, reading, &subscriber.index);\n", "\t(void)note;\n", DESK),
    ("desk: a reading has a reason", SERVICE + "desk_record.c", "\tif (!reason_valid(reading.reason))\n",
     "\t(void)reason_valid;\n\tif (false)\n", DESK),
    ("desk: a broken log is exit code 1", SERVICE + "desk_audit.c", "\t\treturn COMMAND_REFUSED;\n", "\t\treturn COMMAND_DONE;\n", DESK),
    ("desk: an import is not taken for another", SERVICE + "desk_import.c", "\t\tcode = check_place(fd, path, position);\n",
     "\t\t(void)check_place;\n", DESK),
    ("desk: a refused import goes no further", SERVICE + "desk_import.c",
     "\t\tcode = COMMAND_REFUSED;\n\t} else {\n\t\t*position", "\t\tcode = COMMAND_DONE;\n\t} else {\n\t\t*position", DESK),
    ("desk: an import stands where its lines are in", SERVICE + "operator_records.c",
     "\tif (result == DB_OK && import->position > before)\n\t\tresult = progress_write(import);\n",
     "\tif (result == DB_OK)\n\t\tresult = db_commit(db);\n\tif (result == DB_OK)\n\t\tresult = db_begin(db);\n"
     "\tif (result == DB_OK && import->position > before)\n\t\tresult = progress_write(import);\n", DESK),
    ("desk: no command works on another schema", SERVICE + "desk.c", "\tif (missing == 0)\n", "\tif (missing >= 0)\n", DESK),
    ("desk: sealing anew goes through every table", REGISTRY + "rekey.c", "rekey->table + 1 < roles[rekey->role].count",
     "rekey->table + 2 < roles[rekey->role].count", DESK),
    ("desk: what was given up is listed so", REGISTRY + "outbox.c", "db_column_int(db, 9) == GIVEN_UP;", "false;", NOTICES),
    ("notices: what was given up is counted", SERVICE + "operator_outbox.c", "result == DB_OK && flight->given_up", "false", NOTICES),
    ("desk: whoever logged in is named", SERVICE + "desk_staff.c", "has_login && staff->login != staff->uid", "false", "test_desk_staff"),
    ("desk: what sudo says is in nobody's place", SERVICE + "desk_staff.c", "\tname_of(staff->uid, user);\n",
     "\tname_of(staff->uid, user);\n\tif (sudo)\n\t\tsnprintf(user, sizeof(user), \"%s\", sudo);\n", "test_desk_staff"),
    ("desk: what sudo says is a name", SERVICE + "desk_staff.c", "staff->sudo && is_name(staff->sudo)", "staff->sudo", "test_desk_staff"),
    # Faults
    ("faults: who waits for a store is told so at once", SERVICE + "engine_batch.c",
     "(reached == REACHED_NOTHING && regroups + 1 == ENGINE_REGROUPS)", "false", FAULTS),
    ("faults: a 503 says when to come again", SERVICE + "server_work.c", "\t\texchange->reply.retry_after_s = 2;\n", "", FAULTS),
    ("faults: nothing is acknowledged before the commit", SERVICE + "engine_batch.c",
     "\tif (result != DB_OK)\n\t\tdb_rollback(thread->db);\n\tengine_note(thread, result);\n\treturn result;\n",
     "\tif (result != DB_OK)\n\t\tdb_rollback(thread->db);\n\tengine_note(thread, result);\n\treturn DB_OK;\n", FAULTS),
    ("faults: readiness follows the store", SERVICE + "engine.c", "\tif (atomic_exchange(&thread->good, good) != good)\n",
     "\tif (!thread)\n", FAULTS),
    ("faults: a deadline is not the wall clock's", SERVICE + "operator_row.c",
     "return clock_since(&row->accepted) >= row->deadline_at - row->accepted.wall_ms;", "return clock_wall_ms() >= row->deadline_at;",
     FAULTS),
    # Notices
    ("notices: what was refused is not delivered", SERVICE + "operator_outbox.c", "answer->status >= 200 && answer->status < 300",
     "answer->status > 0", NOTICES),
    ("notices: what broke off is not delivered", SERVICE + "operator_outbox.c", "flight->delivered ? NULL : flight->error",
     "flight->delivered || flight->error[0] != 'i' ? NULL : flight->error", NOTICES),
    ("notices: the id is the same at each try", SERVICE + "operator_outbox.c", "\tvault_id_text(entry->id, id);\n",
     "\tvault_id_text(entry->id, id);\n\tid[0] = (char)('A' + entry->attempts);\n", NOTICES),
    ("notices: a claim outlives who made it", SERVICE + "operator_outbox.c", "#define CLAIM_MS    60000", "#define CLAIM_MS    1", NOTICES),
    ("notices: a claim ends", SERVICE + "operator_outbox.c", "#define CLAIM_MS    60000", "#define CLAIM_MS    600000", NOTICES),
]
