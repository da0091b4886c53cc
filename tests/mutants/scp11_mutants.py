"""Mutants of SCP11b, on the card and on the host: as in mutants.py."""

CORE = "applet/core/"
CARD = CORE + "cmd_internal_authenticate_scp11b.c"
MESSAGING = "applet/crypto/messaging.c"
HOST = "host/lib/scp11.c"
CERTIFICATE = "host/lib/scp11_certificate.c"

MUTANTS = [
    # The card
    ("the static key is agreed with", MESSAGING, "crypto_p256_agree(key, point, shared + P256_SCALAR_SIZE)",
     "crypto_p256_agree(ephemeral, point, shared + P256_SCALAR_SIZE)", "test_scp11"),
    ("the ephemeral key is agreed with", MESSAGING, "crypto_p256_agree(ephemeral, point, shared) &&", "crypto_p256_agree(key, point, shared) &&",
     "test_scp11"),
    ("the receipt covers the request", MESSAGING, "const struct bytes covered[] = {request, answer};",
     "const struct bytes covered[] = {answer, answer};", "test_scp11"),
    ("a point off the curve opens nothing", CARD, "\tif (!agreed) {\n", "\tif (false) {\n", "test_examples"),
    ("a session of SCP11b is not the issuer's", CORE + "access.c", "(unsigned)needed | SECURE_ISSUER;", "(unsigned)needed;",
     "test_secure_card"),
    ("the PIN in clear is refused where it was forbidden", CORE + "pin.c",
     "\tif (!admitted(applet, command))\n\t\treturn SW_NOT_SATISFIED;\n", "\t(void)admitted;\n\t(void)command;\n", "test_secure_card"),
    ("a PIN under a MAC alone is in clear", CORE + "pin.c",
     "(command->level & SECURITY_LEVEL_C_MAC_ENC) == SECURITY_LEVEL_C_MAC_ENC", "command->level != 0", "test_secure_card"),
    ("no try is charged for a PIN in clear where it was forbidden", CORE + "pin.c",
     "\tif (!admitted(applet, command))\n\t\treturn SW_NOT_SATISFIED;\n\tif (left == 0)\n\t\treturn SW_BLOCKED;\n\tleft--;\n"
     "\tif (!charge(applet, id, left))\n\t\treturn SW_MEMORY_FAILURE;\n",
     "\tif (left == 0)\n\t\treturn SW_BLOCKED;\n\tleft--;\n\tif (!charge(applet, id, left))\n\t\treturn SW_MEMORY_FAILURE;\n"
     "\tif (!admitted(applet, command))\n\t\treturn SW_NOT_SATISFIED;\n", "test_secure_card"),
    ("a session of SCP11b dies with SELECT", CORE + "cmd_select.c", "\tsecure_end_on(applet, command->channel_number);\n", "",
     "test_secure_card"),
    ("the end of the applet takes the key of SCP11b", CORE + "lifecycle.c", "removal(RECORD_CHANNEL_KEY, RECORD_LOG_LAST)",
     "removal(RECORD_LOG, RECORD_LOG_LAST)", "test_terminate"),
    ("the key of SCP11b is not the device key", CORE + "cmd_generate_key_pair.c", "device ? RECORD_KEY : RECORD_CHANNEL_KEY", "RECORD_KEY",
     "test_secure_card"),

    # The host
    ("the receipt is checked", HOST, "return bytes_equal_secret(mac, receipt, sizeof mac) ? SCP03_OK : SCP03_RECEIPT;",
     "return receipt ? SCP03_OK : SCP03_RECEIPT;", "test_scp11"),
    ("every byte of the receipt counts", HOST, "(mac, receipt, sizeof mac)", "(mac, receipt, sizeof mac - 1)", "test_scp11"),
    ("the certificate is checked", CERTIFICATE, "X509_verify_cert(context) == 1 ? SCP03_OK : SCP03_CERTIFICATE",
     "X509_verify_cert(context) <= 1 ? SCP03_OK : SCP03_CERTIFICATE", "test_secure_card"),
    ("a root that cannot be read is none", CERTIFICATE, "authority ? verify(card, authority) : SCP03_CERTIFICATE",
     "authority ? verify(card, authority) : SCP03_OK", "test_secure_card"),
    ("a device key's certificate is not one of SCP11b", CERTIFICATE, " || !is_for_agreement(card)", "", "test_secure_card"),
    ("nothing follows the certificate", CERTIFICATE, "at != bytes.ptr + bytes.len", "at == NULL", "test_secure_card"),
    ("what is not held against anything is not verified", "host/lib/session_card.c", "*verified = trust->point || trust->root_len > 0;",
     "*verified = true;", "test_secure_card"),
    ("the ephemeral key is wiped", HOST, "SCP03_REFUSED;\n\tbytes_wipe(scp11, sizeof *scp11);\n", "SCP03_REFUSED;\n", "test_scp11"),
    ("the host's point is fresh", HOST, "if (scp03_draw(ephemeral, SCP11_SCALAR_SIZE) != SCP03_OK)",
     "if (memset(ephemeral, 7, SCP11_SCALAR_SIZE) == NULL)", "test_scp11"),

    # The tool
    ("no PIN goes over the air in clear unasked", "holder.c", "(!named && !simtie_session_over_the_air(*session))", "!named", "test_nfc_pin"),
    ("a PIN is not sent after a channel that failed", "holder.c", "\t\treturn card_failed(common, session, \"the PIN was not sent\", error);\n",
     "\t\treturn TOOL_DONE;\n", "test_nfc_pin"),
    ("personalisation guards the PIN when it is told to", "cmd_personalise.c", ".guard_pin = p->guard_pin,", ".guard_pin = false,", "test_nfc_pin"),
]
