"""(rule, file of host/tool, code, broken code, end-to-end test that must fail) of each mutant."""

LIFE, PERSONALISE = "test_tool", "test_tool_personalise"
SECRETS, USAGE = "test_tool_secrets", "test_tool_usage"

MUTANTS = [
    # Personalisation
    ("the record is on disk before the card is locked", "cmd_personalise.c",
     "\treturn write_record(p);\n}\n\n/* Takes back", "\treturn 0;\n}\n\n/* Takes back", PERSONALISE),
    ("the card is not locked before its record is on disk", "cmd_personalise.c",
     "\terror = simtie_generate(p->session, &p->record.key);\n\tif (error == 0)\n"
     "\t\terror = simtie_store(p->session, &objects);\n",
     "\terror = simtie_generate(p->session, &p->record.key);\n\tif (error == 0)\n"
     "\t\terror = simtie_store(p->session, &objects);\n\tif (error == 0)\n"
     "\t\tsimtie_set_lifecycle(p->session, SIMTIE_LIFECYCLE_PERSONALISED);\n", PERSONALISE),
    ("a record that could not be made durable is taken back", "cmd_personalise.c",
     "\tif (error && cause != EEXIST)\n\t\tunlink(p->record_path);\n", "", PERSONALISE),
    ("a record of a card that stayed in factory is taken back", "cmd_personalise.c",
     "\t\ttake_back(p, true);\n", "\t\ttake_back(p, false);\n", PERSONALISE),
    ("a lost answer of the lock is asked for", "cmd_personalise.c",
     "\t    info.lifecycle == SIMTIE_LIFECYCLE_PERSONALISED)\n\t\treturn TOOL_DONE;\n",
     "\t    info.lifecycle == SIMTIE_LIFECYCLE_TERMINATED)\n\t\treturn TOOL_DONE;\n", PERSONALISE),
    ("a record that is there stops it before the card is touched", "cmd_personalise.c",
     "lstat(p->record_path, &there) == 0", "false && lstat(p->record_path, &there) == 0", PERSONALISE),
    ("a dangling link counts as a record", "cmd_personalise.c", "lstat(p->record_path, &there)",
     "stat(p->record_path, &there)", PERSONALISE),
    ("a place that takes no record stops it before the card is touched", "cmd_personalise.c",
     "\tif (fd < 0)\n\t\treturn card_failed(&p->common, NULL,\n", "\tif (false)\n\t\treturn card_failed(&p->common, NULL,\n",
     PERSONALISE),
    ("a card in use is not touched", "cmd_personalise.c",
     "info.lifecycle != SIMTIE_LIFECYCLE_FACTORY", "info.lifecycle == SIMTIE_LIFECYCLE_TERMINATED", PERSONALISE),
    ("an interrupt waits", "cmd_personalise.c", "sigprocmask(SIG_BLOCK, &held, &before)",
     "sigprocmask(SIG_UNBLOCK, &held, &before)", PERSONALISE),
    ("what is typed for a new PIN is typed twice", "secret.c", "read == LINE_READ && twice", "false && twice",
     PERSONALISE),
    ("made-up secrets overwrite no file", "secret.c", "O_WRONLY | O_CREAT | O_EXCL", "O_WRONLY | O_CREAT | O_TRUNC",
     PERSONALISE),
    # Verification
    ("a refusal is exit 1", "cmd_verify.c", "\t\t\tresult = TOOL_REFUSED;\n", "\t\t\tresult = TOOL_DONE;\n", LIFE),
    ("virtual cards only when allowed", "cmd_verify.c", ".allow_virtual = verify->allow_virtual",
     ".allow_virtual = true", LIFE),
    ("the least counter counts", "cmd_verify.c", ".min_counter = verify->min_counter.value", ".min_counter = 0", LIFE),
    ("the purpose counts", "cmd_verify.c", ".purpose = (uint8_t)verify->challenge.purpose.value",
     ".purpose = SIMTIE_PURPOSE_GENERIC", LIFE),
    ("the thumbprint counts", "cmd_verify.c", ".thumbprint = verify->challenge.thumbprint.len ?",
     ".thumbprint = false ?", LIFE),
    ("malformed base64url is not a token", "output.c", "digits % 4 == 1 || bits & ((1u << held) - 1) ? -1 : count",
     "count", LIFE),
    # Secrets
    ("the prompt does not echo", "line.c", "ECHO | ECHOE", "ECHOE", SECRETS),
    ("a signal gives the echo back", "line.c", "\t\tsigaction(held[i], &action, &before[i]);\n",
     "\t\tsigaction(held[i], NULL, &before[i]);\n", SECRETS),
    ("a PIN is wiped from the environment", "secret.c", "\texplicit_bzero(value, len);\n\tunsetenv(source->environment);\n",
     "\tunsetenv(source->environment);\n", SECRETS),
    ("a PIN is digits", "secret.c", " || strspn(line, \"0123456789\") != len", "", SECRETS),
    ("a NUL byte is no end of a PIN", "line.c", " || byte == '\\0'", "", SECRETS),
    ("a file holds one line", "line.c", "result == LINE_READ && read(fd, &more, 1) > 0", "false && read(fd, &more, 1) > 0",
     SECRETS),
    ("an option is written out", "options.c", "!written_out(&parser->entries[index], word_taken(argv))",
     "false", USAGE),
    ("a value behind an unknown option is not printed", "options.c", "(int)strcspn(word, \"=\"), word",
     "(int)strlen(word), word", SECRETS),
    ("a stray PIN file is refused", "cmd_pin.c", "\tif (!source->file && !source->fd.given)\n", "\tif (true)\n", SECRETS),
    ("no core file", "main.c", "\tsetrlimit(RLIMIT_CORE, &none);\n", "", SECRETS),
    ("a name from outside does not reach the terminal", "main.c", "output_safe(name, safe, sizeof(safe))", "name", USAGE),
    # The command line
    ("an option is given once", "options.c", "\tif (parser->given[index])\n", "\tif (false)\n", USAGE),
    ("a missing option is named", "options.c", "parser->entries[i].required && !parser->given[i]", "false", USAGE),
    ("a failed write is exit 4", "output.c", "fflush(stdout) == 0 && !ferror(stdout)", "fflush(stdout) == 0 || true", USAGE),
    ("a number is a number", "options.c", "!isdigit((unsigned char)text[0]) || *end || errno ||", "errno ||", USAGE),
    ("a pipe that went away does not kill", "main.c", "\tsignal(SIGPIPE, SIG_IGN);\n", "", USAGE),
]
