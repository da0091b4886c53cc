"""(rule, file, code, broken code, test that must fail) of each mutant of the way through a modem."""

CHAT, SIM, CHANNEL = "host/lib/at_chat.c", "host/lib/at_sim.c", "host/lib/at_channel.c"
PORT, TRANSPORT = "host/lib/at_port.c", "host/lib/at.c"
TEST, REFUSALS = "test_at", "test_at_refusals"

MUTANTS = [
    ("commands go to the channel that is ours", SIM, "\t\t*mapped = put_on_channel(cla, at->channel);",
     "\t\t*mapped = cla;", TEST),
    ("no command goes to a channel of the phone's", SIM,
     "\treturn channel == 0 || (at->further >> channel & 1);", "\treturn true;", TEST),
    ("no channel of the phone's is closed", SIM,
     "\treturn command[2] == CHANNEL_ACTION_CLOSE &&\n", "\treturn false && command[2] == CHANNEL_ACTION_CLOSE &&\n", TEST),
    ("a session's channels are the modem's", SIM, "\tif (at->way == AT_WAY_CGLA)\n\t\treturn true;\n", "", TEST),
    ("without a channel the basic one is not taken", CHANNEL,
     "\treturn sw == SW_OK ? SIMTIE_ERR_PROTOCOL : SIMTIE_ERR_BUSY;", "\tat->channel = 0;\n\treturn 0;", TEST),
    ("closing the session closes its channel", TRANSPORT,
     "\t\tat_settle(at, deadline_after(SETTLE_MS));\n\t\tat_channel_close(at, deadline_after(CLOSE_MS));\n\t\tat_port_close(&at->port);\n\t}\n\tat_wipe",
     "\t\tat_port_close(&at->port);\n\t}\n\tat_wipe", TEST),
    ("further channels are closed too", CHANNEL, "\tuint32_t open = at->further | 1U << at->channel;",
     "\tuint32_t open = 1U << at->channel;", TEST),
    ("an abandoned session closes its channel", TRANSPORT,
     "\tat->port.next = 0;\n\tat_settle(at, deadline_after(SETTLE_MS));\n\tat_channel_close(at, deadline_after(CLOSE_MS));\n",
     "\tat->port.next = 0;\n", TEST),
    ("reset gets a new channel", TRANSPORT, "\tint error = at_channel_close(at, deadline);\n\n\t(void)line;",
     "\tint error = 0;\n\n\t(void)line;\n\tif (at->is_open)\n\t\treturn 0;", TEST),
    ("a length that does not fit is no answer", SIM, "(size_t)(end - text) != length || ", "", TEST),
    ("what is no hexadecimal is no answer", SIM, "\t\tif (high < 0 || low < 0)\n\t\t\treturn false;\n", "", TEST),
    ("an echo is no answer", CHAT, "\t\tif (line.len == echo && memcmp(line.ptr, at->out, echo) == 0)\n\t\t\tcontinue;\n",
     "\t\tif (line.len == echo && memcmp(line.ptr, at->out, echo) == 0)\n\t\t\treturn 0;\n", TEST),
    ("two programs do not share a port", PORT, "\tif (flock(port->fd, LOCK_EX | LOCK_NB) == 0)\n", "\tif (true)\n", REFUSALS),
    ("the terminal's settings are put back", PORT, "\ttcsetattr(port->fd, TCSANOW, &port->before);\n", "", REFUSALS),
    ("late answers to a greeting are not taken for others", TRANSPORT, "\tif (tries > 1)\n\t\thush(at);\n", "", TEST),
    ("a SIM that is missing is said, not tried another way", CHANNEL,
     "\tif (!at->refused || !csim || is_of_the_sim(at->cme))", "\tif (!at->refused || !csim)", REFUSALS),
    ("the guard is cleared with the session", "host/lib/session.c",
     "\tif ((*session)->guard)\n\t\t*(*session)->guard = NULL;\n", "", TEST),
    ("answers that the modem fetched are taken", "host/lib/transmit.c",
     "\tif (session->line.fetches && (piece->data.len > 0 || piece->wrapped))\n\t\tmost = APDU_NE_SHORT;\n", "", TEST),
]
