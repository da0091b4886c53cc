"""Mutants of the messenger: as in mutants.py."""

SERVICE = "host/service/"
ANSWER, NOTICE, ROW = SERVICE + "messenger_answer.c", SERVICE + "messenger_notice.c", SERVICE + "messenger_row.c"
STATUS = SERVICE + "messenger_status.c"
ATTESTATION, STATE = SERVICE + "messenger_attestation.c", SERVICE + "messenger_state.c"

MESSENGER, MODEL, REMOTE = "test_messenger", "test_messenger_model", "test_tool_remote"

MUTANTS = [
    ("the longest prefix has the number", SERVICE + "messenger_route.c",
     "for (size_t len = strlen(digits); len >= 2 && !found && messenger->prefix_count; len--) {\n\t\tdigits[len] = '\\0';",
     "for (size_t len = 3; len >= 2 && !found && messenger->prefix_count; len--) {\n\t\tdigits[len] = '\\0';", MESSENGER),
    ("a foreign number has its own outcome", SERVICE + "messenger_registration.c",
     '422, "OPERATOR_NOT_COVERED"', '422, "NOT_FOUND"', MESSENGER),
    ("a nonce serves once", ATTESTATION, "\tif (bytes_equal_secret(row.digest, digest, sizeof(digest)))\n", "\tif (true)\n", MESSENGER),
    ("an attestation answers this challenge", ATTESTATION, "\tif (refusal == SIMTIE_ACCEPTED)\n", "\tif (true)\n", MESSENGER),
    ("an attestation vouches for the client's key", ATTESTATION,
     ".thumbprint = secret->thumbprint_len ? secret->thumbprint : NULL,", ".thumbprint = NULL,", MESSENGER),
    ("a sealed number comes when none was given", ATTESTATION, "\treturn known == (sealed.len == 0);\n", "\treturn true;\n", MESSENGER),
    ("a yes needs a credential that fits", ANSWER, "!holds(messenger, to, row, bytes_of(credential, len))", "false", MESSENGER),
    ("a credential's attestation is verified", "host/lib/service_accept.c", "\tif (*refusal != SIMTIE_ACCEPTED)\n", "\tif (false)\n", MESSENGER),
    ("the number is forgotten", STATE, "\tbytes_wipe(secret->number, sizeof(secret->number));\n", "", MESSENGER),
    ("the attestation is forgotten", STATE, "secret->sealed_len = secret->token_len = secret->nonce_len = 0;",
     "secret->sealed_len = secret->nonce_len = 0;", MESSENGER),
    ("a question is asked again under one key", SERVICE + "messenger_question.c", "vault_put_int(bytes + 8, key->lo);",
     "vault_put_int(bytes + 8, clock_wall_ms());", MESSENGER),
    ("a challenge expires", STATE, "allowed = messenger->challenge_s * 1000LL;", "allowed = 86400000;", MESSENGER),
    ("the deadline goes by the clock that does not jump", STATE, "left = allowed - clock_since(&row->from);",
     "left = allowed - (clock_wall_ms() - row->from.wall_ms);", MESSENGER),
    ("what was reported too late is withdrawn", STATE, "\tif (reported) {\n", "\tif (false) {\n", MESSENGER),
    ("a leased row is nobody else's", ROW, "db_int(now + lease_ms)", "db_int(now)", MESSENGER),
    ("a lease does not outlive a clock set back", ROW, "(due_at <= $1 OR due_at > $2)", "(due_at <= $1 OR due_at > $2 + $2)", MESSENGER),
    ("a change counts where its author saw the row", ROW, "lo = $2 AND state = $3 AND step = $4", "lo = $2 AND $3 + $4 > -1", MESSENGER),
    ("a notice counts once", NOTICE, "\tif (result == DB_OK && fresh)\n", "\tif (result == DB_OK)\n", MESSENGER),
    ("a notice is for us, from who signed it", NOTICE, "\tif (result != SIMTIE_SERVICE_OK)\n\t\treturn refuse_error(reply, result);\n",
     "", MESSENGER),
    ("a notice's issuer is who sends it", NOTICE, "simtie_notice_verify(from->signer, from->name,",
     "simtie_notice_verify(from->signer, \"mno.example\",", MESSENGER),
    ("a notice ends all of a SIM", NOTICE, "\twhile (result == DB_OK && found) {\n", "\tif (result == DB_OK && found) {\n", MESSENGER),
    ("a notice ends what is being acknowledged", ROW, "(state = 2 OR step = 4)", "(state = 2)", MODEL),
    ("an answer for another verification is none", ANSWER, "|| !take_id(row, body)", "|| (take_id(row, body), false)", MESSENGER),
    ("a status list is by its operator", STATUS, "\tif (error) {\n", "\tif (error == SIMTIE_SERVICE_ERR_FORMAT) {\n", "test_messenger_status"),
    ("a revoked bit ends a registration", STATUS, "list->bits[index / 8] >> (index % 8) & 1;", "false;", "test_messenger_status"),
    ("a bit is one registration's", STATUS, "list->bits[index / 8] >> (index % 8) & 1;", "true;", "test_messenger_status"),
    ("all pages are looked up", STATUS, "\tlist->over = rows < PAGE;\n", "\tlist->over = true;\n", "test_messenger_status"),
    ("a list is kept for its ttl", STATUS, "set_due(work, list, list->until * 1000)", "set_due(work, list, 1)", "test_messenger_status"),
    ("a list that nobody names is not fetched", STATUS, "*named = result == DB_ROW;", "*named = true;", "test_messenger_status"),
    ("a whole list is read as one bit is", "host/lib/service_status.c", "|| used != len)", "|| false)", "test_service_status"),
    ("challenges are bounded", SERVICE + "messenger_challenge.c", "< messenger->challenges_max;", "< INT32_MAX;", "test_messenger_status"),
    # The tool
    ("the SIM signs for no other audience", "remote.c", "\tif (remote->expected && strcmp(remote->expected, audience) != 0)\n",
     "\tif (false)\n", REMOTE),
    ("the SIM signs for no other purpose", "remote.c", "strcmp(asked, purpose) != 0", "false", REMOTE),
    ("an audience can be shown as it is", "remote.c", "strcmp(safe, audience) != 0 || !asked", "!asked", REMOTE),
    ("a server's certificate is verified", "https.c", "SSL_VERIFY_PEER", "SSL_VERIFY_NONE", REMOTE),
    ("a server's name is verified", "https.c", ": SSL_set1_host(call->ssl, host) && SSL_set_tlsext_host_name",
     ": SSL_set_tlsext_host_name", REMOTE),
    ("TLS is 1.3", "https.c", "TLS1_3_VERSION", "TLS1_2_VERSION", REMOTE),
    ("an answer has the length that it says", "https_read.c", "(length >= 0 && (size_t)length != body_len)", "false", REMOTE),
    ("an id stays within its path", "cmd_register.c", "!enrol->id[0] ||", "false &&", REMOTE),
    ("a server asks for signatures in its own name alone", "host/tool/remote.c",
     "\tif (!remote->expected && !speaks_for(remote->server.host, audience))\n", "\tif (false)\n", "test_tool_remote"),
]
