"""(rule, file, code, broken code, test that must fail) of each mutant of NFC: sizes, time, presence, the lock, and
the card that is offered."""

NFC, CARD, LINE = "host/lib/nfc.c", "host/lib/nfc_card.c", "host/lib/nfc_line.c"
LOCK, CLAIM, PICC = "applet/port/nfc/lock.c", "applet/port/nfc/claim.c", "applet/port/nfc/picc.c"
DEVICE, CARDS, FAULTS, OFFER = "test_nfc_device", "test_nfc", "test_nfc_faults", "test_nfc_card"

MUTANTS = [
    ("nfc: a link in the lock's place is not followed", LOCK,
     "\t*lock = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);\n\tif (*lock < 0 && errno == ENOENT)",
     "\t*lock = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);\n\tif (*lock < 0 && errno == ENOENT)", DEVICE),
    ("nfc: a lock is a regular file", LOCK, "&& S_ISREG(status.st_mode)", "&& true", DEVICE),
    ("nfc: a lock keeps others out", LOCK, "LOCK_EX | LOCK_NB", "LOCK_SH | LOCK_NB", DEVICE),
    ("nfc: descriptors that libnfc cannot select() on are refused", LOCK, "*lock >= FD_SETSIZE - LOCK_FILES_MAX",
     "*lock >= 2 * FD_SETSIZE", DEVICE),
    ("nfc: a node's name has digits alone", LOCK, "is_digits(where + len + 1, rest - 1)", "true", DEVICE),
    ("nfc: an ATR has room for 15 historical bytes", CARD, "if (len > HISTORY_MAX)", "if (false)", DEVICE),
    ("nfc: an ATS of an impossible length is none", CARD, "if (a.szAtsLen > sizeof a.abtAts)", "if (false)", DEVICE),
    ("nfc: another card is not the same", CARD, "return memcmp(x->abtUid, y->abtUid, x->szUidLen) == 0;",
     "return true;", DEVICE),
    ("nfc: a command that libnfc would abort at is refused", NFC, "command.len > sizeof job->command)",
     "command.len > sizeof job->command + 1)", CARDS),
    ("nfc: a session by radio says so", NFC, ", .over_the_air = true", "", CARDS),
    ("nfc: T=0 is refused", NFC, "if (request->protocol == SIMTIE_PROTOCOL_T0) {", "if (false) {", CARDS),
    ("nfc: a fault of the line ends no session", NFC, "? SIMTIE_ERR_TRANSPORT :", "? SIMTIE_ERR_GONE :", FAULTS),
    ("nfc: the line is in step before a card is asked for", NFC, "present = nfc_line_regain(&job->claim, job->deadline) &&\n",
     "present = true &&\n", FAULTS),
    ("nfc: the line is in step before the next exchange", NFC,
     "return present && nfc_line_regain(&job->claim, job->deadline);", "return present;", FAULTS),
    ("nfc: a garbled answer on a card's presence is asked for again", NFC, "#define PRESENCE_TRIES 2",
     "#define PRESENCE_TRIES 1", FAULTS),
    ("nfc: an answer without a status is none", NFC, "\tscrub();\n\tif (left > 0)", "\tif (left > 0)", FAULTS),
    ("nfc: no late mark is taken for the next", LINE, "int64_t mark = deadline_now_us();", "int64_t mark = 1;", FAULTS),
    ("nfc: a card that left is gone", NFC, ": SIMTIE_ERR_GONE;",
     ": SIMTIE_ERR_TRANSPORT;", CARDS),
    ("nfc: reset does not go on with another card", NFC, "!nfc_card_same(&before, &job->card)", "false", CARDS),
    ("nfc: two cards are refused", CARD, "if (census.cards > 1) {", "if (census.cards > 9) {", CARDS),
    ("nfc: a tag is no card", CARD, "\t\tif (!is_smart(&found[i])) {", "\t\tif (false) {", CARDS),
    ("nfc: the deadline holds, not libnfc's bound", NFC, "sizeof job->answer, left);", "sizeof job->answer, -1);",
     FAULTS),
    ("nfc: libnfc is silent", CLAIM, '\tsetenv("LIBNFC_LOG_LEVEL", "0", 0);\n', "", CARDS),
    ("nfc: a device is for one program", CLAIM, "result = lock_take(claim->name, wait_ms, &claim->lock, text);",
     "result = CLAIM_OK;", FAULTS),
    ("nfc: an offered card's answers fit", PICC, "apdu.ne > APDU_NE_SHORT", "false", OFFER),
    ("nfc: an offered card forgets when the reader leaves", "applet/port/vpcd/card_air.c",
     "\tapplet_reset(&card->applet, APPLET_T1);\n", "", OFFER),
    ("nfc: an offered card makes up its identifier", PICC, "getrandom(target.nti.nai.abtUid + 1, 3, 0) != 3", "false",
     OFFER),
]
