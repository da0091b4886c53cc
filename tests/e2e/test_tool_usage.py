#!/usr/bin/env python3
"""The tool's command line: help, completion, wrong usage, exit codes, JSON, files that fail."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import tool
from tap import holds, run, same
from tool import AUDIENCE, DONE, IO, NO_CARD, NONCE, REFUSED, ROOT, USAGE, folder, issued, simtie

HELP_LINES, HELP_COLUMNS = 40, 100
COMPLETION = ROOT / "host" / "tool" / "completion" / "simtie"
MANUAL = ROOT / "host" / "tool" / "man" / "simtie.1"
ATTEST = ("attest", "--audience", AUDIENCE, "--nonce", NONCE)
VERIFY = ("verify", "--record", "r", "--audience", AUDIENCE, "--nonce", NONCE)


def subcommands():
    return simtie("--complete").text.split()


def options(subcommand):
    """{"--name": "VALUE" or None}, as the program tells the shell."""
    lines = simtie(subcommand, "--complete").text.splitlines()
    return {name: value or None for name, _, value in (line.partition("=") for line in lines if line[0] == "-")}


def help_fits_a_screen_and_names_every_option():
    same(len(subcommands()), len(set(subcommands())))
    holds({"readers", "info", "personalise", "pin", "attest", "verify", "inspect", "log", "apdu",
           "conformance", "doctor"} <= set(subcommands()), subcommands())
    for name in (None, *subcommands()):
        text = simtie(*([name] if name else []), "--help").text
        lines = text.splitlines()
        holds(len(lines) < HELP_LINES, f"{name}: {len(lines)} lines")
        holds(max(map(len, lines)) <= HELP_COLUMNS, f"{name}: {max(lines, key=len)!r}")
        if name:
            same(simtie("help", name).text, text)
            same(set(re.findall(r"^  (?:-.,|   ) (--[a-z-]+)", text, re.M)), set(options(name)), name)
    holds(all(f"  {name} " in simtie("--help").text for name in subcommands()), "all are listed")
    same(simtie("help").text, simtie("--help").text)
    holds(re.fullmatch(r"simtie \d+\.\d+\.\d+\n", simtie("--version").text), "version")


def manual_knows_every_subcommand_and_option():
    page = MANUAL.read_text().replace("\\-", "-")
    for name in subcommands():
        holds(f".SS simtie {name}" in page, name)
        for option in options(name):
            holds(re.search(re.escape(option) + r"(?![a-z-])", page), f"{name} {option}")


def complete(*words):
    """What bash offers for the last word."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _simtie; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "-", COMPLETION, tool.PROGRAM, *map(str, words)],
                          env=tool.environment(), capture_output=True, text=True, check=True)
    same(done.stderr, "")
    return [line for line in done.stdout.splitlines() if line]


def completion_offers_what_the_program_knows():
    same(set(complete("")), {*subcommands(), "help", "--help", "--version"})
    same(complete("pers"), ["personalise"])
    same(complete("help", "verif"), ["verify"])
    for name in subcommands():
        same(set(complete(name, "--")), set(options(name)), name)
    same(set(complete("pin", "")), {"verify", "change", "unblock", "status"})
    same(set(complete("verify", "--crypto", "")), {"mbedtls", "openssl"})
    with folder() as card:
        same(complete("pin", "verify", "--pin-file", card.folder / "pi"), [str(card.pin)])
        same(complete("inspect", card.folder / "pu"), [str(card.puk)])
    same(complete("nonsense", ""), [])


def wrong_usage_names_what_is_wrong():
    for arguments, named in (
            (("attest", "--audience", AUDIENCE), "--nonce is missing"),
            (("attest", "--nonce", NONCE), "--audience is missing"),
            ((*ATTEST, "--nonce", NONCE), "--nonce is given twice"),
            (("attest", "--nonce"), "--nonce lacks its value"),
            (("attest", "--aud", AUDIENCE), "unknown option --aud"),
            (("attest", "--json=yes"), "--json takes no value"),
            (("attest", "--nonsense=1"), "unknown option --nonsense"),
            (("attest", "-x"), "unknown option -x"),
            (("attest", "-n"), "--nonce lacks its value"),
            (("attest", "--nonce", "00" * 15), "--nonce takes 16 to 64 bytes"),
            (("attest", "--nonce", "00" * 65), "--nonce takes 16 to 64 bytes"),
            (("attest", "--nonce", "0" * 33), "--nonce takes"),
            (("attest", "--nonce", "0x" + "00" * 16), "--nonce takes"),
            (("attest", "--nonce", ""), "--nonce takes"),
            (("attest", "--nonce", "gg" * 16), "--nonce takes"),
            (("attest", "--audience", ""), "--audience takes 1 to 64 bytes"),
            (("attest", "--audience", "a" * 65), "--audience takes 1 to 64 bytes"),
            (("attest", "--audience", "a\nb", "--nonce", NONCE), "--audience takes UTF-8 without control"),
            (("attest", "--audience", b"a\xff", "--nonce", NONCE), "--audience takes UTF-8"),
            (("attest", "--audience", b"\xed\xa0\x80", "--nonce", NONCE), "--audience takes UTF-8"),
            ((*ATTEST, "--thumbprint", "00" * 31), "--thumbprint takes 32 bytes"),
            ((*ATTEST, "--purpose", "0"), "--purpose takes a number, 1 to 3"),
            ((*ATTEST, "--purpose", "4"), "--purpose takes"),
            ((*ATTEST, "--purpose", "two"), "--purpose takes"),
            ((*ATTEST, "--purpose", "2x"), "--purpose takes"),
            ((*ATTEST, "--purpose", "-1"), "--purpose takes"),
            ((*ATTEST, "--purpose", " 1"), "--purpose takes"),
            ((*ATTEST, "--purpose", "18446744073709551618"), "--purpose takes"),
            ((*ATTEST, "extra"), "1 argument where 0 are taken"),
            ((*ATTEST, "--output", ""), "--output takes"),
            ((*ATTEST, "--trace-secrets"), "--trace-secrets needs --trace"),
            (("info", "--reader", ""), "--reader takes"),
            (VERIFY, "FILE|- is missing"),
            ((*VERIFY, "a", "b"), "2 arguments where 1 is taken"),
            ((*VERIFY, "--min-counter", "4294967296", "-"), "--min-counter takes a number, 0 to 4294967295"),
            ((*VERIFY, "--crypto", "nettle", "-"), "--crypto takes mbedtls|openssl"),
            (("verify", "-"), "--record is missing"),
            (("personalise", "--record", "r", "--iccid", "123"), "--iccid takes 18 to 20 digits"),
            (("personalise", "--record", "r", "--iccid", "8" * 21), "--iccid takes"),
            (("personalise", "--record", "r", "--iccid", "8" * 18 + "A"), "--iccid takes"),
            (("pin",), "verify|change|unblock|status is missing"),
            (("pin", "guess"), "verify|change|unblock|status"),
            (("inspect",), "FILE|- is missing")):
        words = [os.fsencode(a) if isinstance(a, str) else a for a in arguments]
        done = subprocess.run([tool.PROGRAM, *words], capture_output=True, env=tool.environment(), timeout=tool.BOUND)
        err = done.stderr.decode()
        what = f"{arguments}: {done.returncode}, {err!r}"
        same(done.returncode, USAGE, what)
        same(done.stdout, b"", what)
        lines = err.splitlines()
        holds(lines[0].startswith("simtie: ") and named in lines[0], what)
        same(len(lines), 3, what)
        holds(lines[1].startswith(f"usage: simtie {arguments[0]} "), what)
        holds(f"`simtie {arguments[0]} --help`" in lines[2], what)


def usage_of_the_whole():
    holds("Usage:" in simtie(code=USAGE).err, "no subcommand")
    for word in ("nonsense", "--nonsense", "help nonsense", "", "\x1b[31m"):
        refused = simtie(*word.split(" "), code=USAGE)
        holds("`simtie --help`" in refused.err and "\x1b" not in refused.err, refused.err)


def options_may_stand_anywhere():
    with issued() as card:
        token = card.file("token", card.token())
        simtie("verify", token, "-a", AUDIENCE, f"--nonce={NONCE}", "--allow-virtual", "--record", card.record)
        simtie("verify", "-a", AUDIENCE, "-n", NONCE, "--allow-virtual", "--record", card.record, "--", token)
        same(simtie("pin", "-r", f"loop:{card.state}", "status", env={"SIMTIE_READER": "loop:/nowhere/x"}).code, DONE)
        same(simtie("info", "--json", env={"SIMTIE_READER": f"loop:{card.state}"}).json["lifecycle"], "personalised")
        spaced = " ".join(NONCE[i:i + 2].upper() for i in range(0, len(NONCE), 2))
        card.verify(card.token(nonce=spaced), nonce=spaced)


def no_reader_is_exit_3():
    for arguments in (("readers",), ("readers", "--watch"), ("info",), ("info", "-r", "0"),
                      ("log", "--pin-fd", "0"), ("pin", "status")):
        missing = simtie(*arguments, "--json", stdin="1234", code=NO_CARD)
        same(missing.json["error"], "SERVICE", arguments)
        holds("pcscd" in missing.err and missing.err.count("\n") == 1, missing.err)
        same(missing.json["message"], missing.err.strip().removeprefix("simtie: "))


@contextlib.contextmanager
def held(path):
    """The state file's lock, as another card holds it."""
    with open(path, "rb") as state:
        fcntl.flock(state, fcntl.LOCK_EX)
        yield


def state_files_that_cannot_be_used():
    with issued() as card:
        with held(card.state):
            same(card("info", "--json", code=NO_CARD).json["error"], "BUSY")
        whole = card.state.read_bytes()
        for damaged in (whole[:-1], whole + b"\0", whole[:500] + bytes([whole[500] ^ 1]) + whole[501:], b"", b"x"):
            card.state.write_bytes(damaged)
            refused = card("info", "--json", code=IO)
            same(refused.json["error"], "STATE")
            holds(card.state.read_bytes() == damaged, "untouched")
        card.state.write_bytes(whole)
        card("info")
        simtie("info", "-r", f"loop:{card.folder}/no/such/folder", code=IO)


def records_that_cannot_be_used():
    with issued() as card:
        token = card.token()
        whole = card.record.read_text()
        record = json.loads(whole)
        bad = [whole[:-3], "", "[]", "null", whole.replace("simtie-card-record/1", "simtie-card-record/2"),
               json.dumps({**record, "chainCode": record["chainCode"][:-2]}),
               json.dumps({**record, "devicePublicKey": "04" + "00" * 64}),
               json.dumps({k: v for k, v in record.items() if k != "chainCode"})]
        for content in bad:
            path = card.file("bad.json", content)
            refused = card.verify(token, "--json", record=path, code=IO)
            same(refused.json["error"], "FORMAT", content)
            holds(record["chainCode"] not in refused.err, "no key in the text")
        refused = card.verify(token, "--json", record=card.folder / "missing", code=IO)
        same(refused.json["error"], "FILE")
        holds("No such file" in refused.err, refused.err)


def output_that_fails():
    with issued() as card:
        token = card.token()
        with open("/dev/full", "wb") as full:
            for arguments in (("--help",), ("--version",), ("help", "pin"),
                              ("info", "-r", f"loop:{card.state}"), ("info", "--json", "-r", f"loop:{card.state}")):
                failed = simtie(*arguments, stdout=full, code=IO)
                holds("No space left" in failed.err, f"{arguments}: {failed.err}")
            simtie("inspect", "-", stdin=token, stdout=full, code=IO)
            card.verify(token, stdout=full, code=IO)
            card.verify(token, "--json", stdout=full, code=IO)
        reader, writer = os.pipe()
        os.close(reader)
        same(simtie("--help", stdout=writer, code=IO).err, "", "a reader that went away is no news")
        os.close(writer)
        simtie("inspect", card.folder / "missing", code=IO)
        simtie("inspect", card.folder, code=IO)


def every_json_is_one_object_with_known_keys():
    with issued() as card:
        token = card.token()
        pin = ("--pin-file", card.pin)
        keys = {
            "info": (card("info", "--json"), ["appletVersion", "atr", "counter", "debugStatus", "diversification",
                                              "hasCertificate", "hasChannelKey", "hasKey", "keySets", "lifecycle",
                                              "pinGuarded", "pinTries", "pukTries", "reader", "secureChannel", "seeded"]),
            "status": (card("pin", "status", "--json"), ["pinTries", "pinTriesMax", "pukTries", "pukTriesMax"]),
            "verify PIN": (card("pin", "verify", *pin, "--json"), ["done"]),
            "attest": (card.attest("--json"), ["claims", "exchanges", "form", "lineBytes", "token"]),
            "verify": (card.verify(token, "--json"), ["claims", "counter", "reason", "refusal", "valid"]),
            "inspect": (simtie("inspect", "--json", "-", stdin=token),
                        ["claims", "diagnostic", "reason", "refusal", "size", "verified"]),
            "log": (card("log", *pin, "--json"), ["entries"]),
            "refusal": (card.personalise("--json", code=IO), ["error", "message"]),
        }
        for what, (ended, expected) in keys.items():
            same(sorted(ended.json), expected, what)
            holds(all(re.fullmatch(r"[a-z][A-Za-z]*", key) for key in ended.json), what)
        same(sorted(card("log", *pin, "--json").json["entries"][0]),
             ["audience", "audienceHash", "audienceWhole", "consent", "counter", "purpose", "seeded"])


def errors_are_one_sentence():
    with folder() as card:
        wrong = [card.attest(code=REFUSED), card("log", "--pin-file", card.pin, code=REFUSED),
                 card("pin", "verify", "--pin-file", card.pin, code=REFUSED),
                 simtie("inspect", "/nonexistent", code=IO), simtie("info", code=NO_CARD)]
        for ended in wrong:
            holds(re.fullmatch(r"simtie: [^\n]+\n", ended.err), repr(ended))
            holds(";" in ended.err or ". " in ended.err, f"what to do: {ended.err}")


if __name__ == "__main__":
    sys.exit(run([
        help_fits_a_screen_and_names_every_option, manual_knows_every_subcommand_and_option,
        completion_offers_what_the_program_knows, wrong_usage_names_what_is_wrong, usage_of_the_whole,
        options_may_stand_anywhere, no_reader_is_exit_3, state_files_that_cannot_be_used,
        records_that_cannot_be_used, output_that_fails, every_json_is_one_object_with_known_keys,
        errors_are_one_sentence]))
