"""Mutants of the services' server: TLS, HTTP, bodies, bounds, the engine. As in mutants.py."""

S = "host/service/"
TLS, HTTP_E2E = "test_simtied_tls", "test_simtied_http"
HTTP, FIELDS, ENGINE, ROUTE, PEER, QUOTA = ("test_http", "test_fields", "test_engine", "test_route",
                                            "test_tls_peer", "test_quota")

MUTANTS = [
    # Who gets through
    ("TLS 1.3 alone", S + "tls.c", "\tSSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);\n", "", TLS),
    ("a revoked certificate is refused", S + "tls.c", "\tX509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);\n",
     "", TLS),
    ("clientAuth is asked for", S + "tls.c", "\tif (!(X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) ||\n"
     "\t    !(X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT) ||\n", "\tif (\n", TLS),
    ("from elsewhere nobody comes without a certificate", S + "tls.c", ": SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,",
     ": SSL_VERIFY_PEER,", TLS),
    ("a key that everybody can read is refused", S + "tls.c", "\tif (status.st_mode & S_IRWXO)\n", "\tif (false)\n", TLS),
    ("a reload ends old connections", S + "server.c", "\tserver->generation++;\n", "", TLS),
    ("one certificate is one role", S + "tls_peer.c", "\t\tif (peer->role != PEER_NONE)\n\t\t\treturn false;\n", "", PEER),
    ("a name has no control characters", S + "tls_peer.c", "if (c < ' ' || c == 0x7f || len == LIMIT_AUDIENCE_MAX)",
     "if (len == LIMIT_AUDIENCE_MAX)", PEER),
    ("a scope is a whole word", S + "tls_peer.c", "if (text.len == strlen(scopes[i].name) && begins(text, scopes[i].name))",
     "if (begins(text, scopes[i].name))", PEER),
    ("a role is asked for", S + "route.c", "!(route->roles & peer->role)", "false", ROUTE),
    ("all scopes are asked for", S + "route.c", "(peer->scopes & route->scopes) != route->scopes", "false", ROUTE),
    ("the public listener shows what is public", S + "route.c", "!(route->listeners & listener) || ", "", ROUTE),
    ("metrics are for loopback and the scope", S + "server_builtin.c", "if (!peer->loopback && !(peer->scopes & SCOPE_METRICS))",
     "if (false)", TLS),
    # What is read in one way only
    ("no length beside chunks", S + "http.c", "\tif (seen->length && seen->coding)\n", "\tif (false)\n", HTTP),
    ("one length", S + "http.c", "\tif (seen->length > 1 || ", "\tif (", HTTP),
    ("no space before a colon", S + "http.c", "|| !all_token(name))", ")", HTTP),
    ("no chunks in HTTP/1.0", S + "http.c", "\tif (seen->coding && head->old)\n", "\tif (false)\n", HTTP),
    ("no other coding", S + "http.c", '\t\tif (!is(value, "chunked"))\n', "\t\tif (false)\n", HTTP),
    ("a line ends in CR LF", S + "http.c", "} else if ((c < ' ' && c != '\\t') || c == 0x7f) {", "} else if (c == 0x7f) {", HTTP),
    ("a chunk ends in CR LF", S + "http_chunks.c", "\tif (c != wanted)\n\t\treturn 400;\n", "", HTTP),
    ("chunks stay within their room", S + "http_chunks.c", "if (chunks->left > room - *written)", "if (false)", HTTP),
    ("trailers have an end", S + "http_chunks.c", "if (++chunks->overhead > OVERHEAD_MAX)", "if (false)", HTTP),
    ("no path in a segment", S + "route.c", "c == 0x7f || c == '/' ||", "c == 0x7f ||", ROUTE),
    ("a member once", S + "fields.c", "JSON_REJECT_DUPLICATES", "0", FIELDS),
    ("sixteen deep", S + "fields.c", "if (++depth > DEPTH_MAX)", "if (++depth > 2000)", FIELDS),
    ("no member that is not known", S + "fields.c", '\t\t\t\t  "is not known here"))\n', '\t\t\t\t  "is not known here") || true)\n', FIELDS),
    ("base64url has one form", S + "fields.c", "return bits == 0 ? (int)n : -1;", "return (int)n;", FIELDS),
    ("an error repeats no value", S + "fields.c", "\t\t      c == '_' || c == '-' || c == '.'))\n", "\t\t      c > ' '))\n", FIELDS),
    # Bounds
    ("a request has its time", S + "server_connection.c", "\t} else if (now_ms >= connection->deadline_ms) {\n", "\t} else if (false) {\n", HTTP_E2E),
    ("time is not given anew with each byte", S + "server_connection.c",
     "\tif (connection->in_len == 0 && connection->state == CONNECTION_HEAD)\n\t\tconnection_allow_time(connection, 0);\n",
     "\tconnection_allow_time(connection, 0);\n", HTTP_E2E),
    ("a head has its size", S + "server_read.c", "\tif (len == 0 && connection->in_len < header_max)\n", "\tif (len == 0)\n", HTTP_E2E),
    ("a body has its size", S + "server_exchange.c", "\tif (head->content_length > connection->body_max) {\n", "\tif (false) {\n", HTTP_E2E),
    ("connections are bounded", S + "server_connection.c", "\treturn server->connection_count < max &&\n", "\treturn max &&\n", HTTP_E2E),
    ("a client has its quota", S + "server_exchange.c", "\tif (wait_s == 0)\n\t\treturn true;\n", "\treturn true;\n", HTTP_E2E),
    ("a bucket has its burst", S + "quota.c", "\t\tif (entry->tokens > quota->full)\n\t\t\tentry->tokens = quota->full;\n", "", QUOTA),
    ("who is at it is not pushed out", S + "quota.c", "set[i].seen_us < oldest->seen_us", "set[i].seen_us > oldest->seen_us", QUOTA),
    ("a queue has its length", S + "engine.c", "&& waiting_of(engine) < engine->queue_max", "", ENGINE),
    ("a poll that is held is not idle", S + "server_read.c", "\tconnection->deadline_ms = INT64_MAX;\n", "", HTTP_E2E),
    # Nothing is said before it is so
    ("told after the commit", S + "engine_batch.c", "\tint result = db_commit(thread->db);\n", "\tint result = DB_OK;\n", ENGINE),
    ("one that fails takes nobody with it", S + "engine_batch.c", "\t\ttell(told, jobs[bad], run_alone(thread, jobs[bad]));\n",
     "\t\tfor (size_t i = 0; i < count; i++)\n\t\t\ttell(told, jobs[i], result);\n\t\treturn;\n", ENGINE),
    ("many that fail cost a few runs", S + "engine_batch.c", "count > 1 && regroups < ENGINE_REGROUPS; regroups++", "count > 1; regroups++", ENGINE),
    ("locks are waited for", S + "engine_batch.c", "attempt < ENGINE_TRIES; attempt++", "attempt < 1; attempt++", ENGINE),
    ("the end works off the queue", S + "engine_work.c", "\tif (may_write(engine))\n",
     "\tif (engine->stopping)\n\t\treturn STEP_END;\n\tif (may_write(engine))\n", ENGINE),
    ("a job is prepared first", S + "engine.c", "job->prepare && engine->one_writer ? &engine->queued : &engine->ready", "&engine->ready", ENGINE),
    ("the end answers what was begun", S + "server.c", "if (server->draining && (!server->connections || now_ms >= server->drain_until_ms))",
     "if (server->draining)", HTTP_E2E),
]
