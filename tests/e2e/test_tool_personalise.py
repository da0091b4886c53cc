#!/usr/bin/env python3
"""Personalisation must never lose a chain code: killed, out of disk, refused or twice, the record on
disk fits the card, or the card is still in factory and all of it can be done again."""

import json
import os
import pathlib
import random
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import tool
from tap import holds, note, run, same
from tool import DONE, IO, PIN, PUK, REFUSED, Terminal, folder, issued, simtie

KILLS = 30
CALLS_MAX = 60  # three times what one personalisation has
# Writes and syncs of one run are numbered by this library, and the one of $FAIL_AT fails or kills.
SHIM = pathlib.Path(__file__).resolve().parent.parent / "lib" / "fail_at.c"


def fits(card):
    """Whether the record on disk verifies what the card signs."""
    return card.verify(card.token(), code=None).code == DONE


def state_holds(card, what):
    """The promise. Returns the card's lifecycle."""
    lifecycle = card.info()["lifecycle"]
    if lifecycle == "personalised":
        holds(card.record.exists(), f"{what}: locked without a record")
        same(stat.S_IMODE(os.stat(card.record).st_mode), 0o600, what)
        holds(fits(card), f"{what}: the record does not fit the card")
    else:
        same(lifecycle, "factory", what)
    return lifecycle


def goes_on(card, what):
    """After an interruption, what the tool itself advises leads to a personalised card."""
    if card.info()["lifecycle"] == "factory":
        if card.record.exists():
            refused = card.personalise(code=IO)
            holds("simtie info" in refused.err and "remove it" in refused.err, refused.err)
            card.record.unlink()
        card.personalise()
    same(state_holds(card, what), "personalised", what)


def killed_at_random_30_times():
    with folder() as card:
        begin = time.monotonic()
        card.personalise()
        usual = time.monotonic() - begin
    seen = {}
    for i in range(KILLS):
        with folder() as card:
            card.info()  # makes the state file, which is not at stake
            process = subprocess.Popen(
                [tool.PROGRAM, "personalise", "-r", f"loop:{card.state}", "--pin-file", card.pin,
                 "--puk-file", card.puk, "--record", card.record], env=tool.environment(),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.uniform(0, usual))
            process.send_signal(signal.SIGKILL)
            process.wait()
            how = state_holds(card, f"kill {i}"), card.record.exists()
            seen[how] = seen.get(how, 0) + 1
            goes_on(card, f"kill {i}")
    note(f"lifecycle, record: times: {seen}")


def shim(directory):
    library = pathlib.Path(directory) / "fail_at.so"
    subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, SHIM], check=True)
    return library


def at_every_write(action):
    """Runs a personalisation for each of its writes, syncs and renames, `action` happening at it."""
    ended = {}
    with tempfile.TemporaryDirectory() as directory:
        library = shim(directory)
        for number in range(1, CALLS_MAX):
            with folder() as card:
                card.info()
                result = card.personalise("--json", code=None, env={
                    "LD_PRELOAD": str(library), "FAIL_AT": str(number), "FAIL_HOW": action,
                    "ASAN_OPTIONS": "verify_asan_link_order=0"})
                what = f"{action} at {number}"
                lifecycle = state_holds(card, what)
                how = result.code, lifecycle, card.record.exists()
                ended[how] = ended.get(how, 0) + 1
                yield what, card, result, lifecycle
                goes_on(card, what)
                if "not reached" in result.err:
                    break
        else:
            raise AssertionError(f"never got through: {ended}")
    note(f"{action}: exit code, lifecycle, record: times: {ended}")
    holds(len(ended) > 1, "some runs were hit")


def killed_before_every_write():
    for _ in at_every_write("before"):
        pass


def killed_after_every_write():
    for _ in at_every_write("after"):
        pass


def failing_at_every_write():
    for what, card, result, lifecycle in at_every_write("fail"):
        if result.code == DONE:
            same(lifecycle, "personalised", what)
        elif lifecycle == "factory":
            # It says so, and takes back the record, so that the same command can be run again.
            holds("still in factory and running this again is safe" in result.err, f"{what}: {result!r}")
            holds(not card.record.exists(), f"{what}: the record stayed")
            said = result.err.splitlines()[-1]  # before it, that the test keys are used
            same(result.json["message"], said.removeprefix("simtie: "), what)
        else:
            raise AssertionError(f"{what}: locked, and yet {result!r}")


def keys_are_taken_from_a_file():
    key = "404142434445464748494A4B4C4D4E4F"
    with folder() as card:
        keys, wrong = card.file("keys", f"version 30\nkey {key}\n"), card.file("wrong", f"key {key[2:]}50\n")
        for path in (keys, wrong):
            path.chmod(0o600)
        refused = card.personalise("--keys", wrong, "--json", code=REFUSED)
        same(refused.json["error"], "SECURE")
        holds("the card is untouched" in refused.err and "not the card's keys" in refused.err, refused.err)
        refused = card.personalise("--keys", keys, "--key-version", "31", "--json", code=REFUSED)
        same((refused.json["error"], card.record.exists()), ("CARD", False))
        holds("no key set of that version" in refused.err, refused.err)
        holds("--key-version" in card.personalise("--keys", keys, "--key-version", "80", code=2).err, "usage")
        card.personalise("--keys", card.folder / "none", code=IO)
        same(card.info()["lifecycle"], "factory")
        same(card.personalise("--keys", keys).err, "", "nothing to say of test keys")
        holds(fits(card), "the record")
    with folder() as card:
        holds("well-known test keys" in card.personalise().err, "they are named")


def record_that_is_there_is_refused_and_the_card_untouched():
    with folder() as card:
        card.info()
        before = card.state.read_bytes()
        for content in (b"", b"of another card"):
            card.record.write_bytes(content)
            refused = card.personalise("--json", code=IO)
            same(refused.json["error"], "RECORD_EXISTS")
            holds(str(card.record) in refused.err, refused.err)
            same(card.record.read_bytes(), content, "the other record")
        card.record.unlink()
        card.record.symlink_to("nowhere")
        card.personalise(code=IO)
        card.record.unlink()
        card.record = card.folder / "no" / "such" / "folder.json"
        refused = card.personalise(code=IO)
        holds("No such file or directory" in refused.err and "untouched" in refused.err, refused.err)
        holds(card.state.read_bytes() == before, "the card is as it was")
        # Before a PIN is asked for, too.
        simtie("personalise", "-r", f"loop:{card.state}", "--record", card.record, code=IO,
               start_new_session=True)


def no_draft_stays_behind():
    with folder() as card:
        card.personalise()
        same(sorted(p.name for p in card.folder.iterdir()), ["card.json", "card.state", "pin", "puk"])


def disk_that_is_full_leaves_the_card_in_factory():
    with folder() as card:
        card.info()

        def full():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))

        refused = card.personalise(code=None, preexec_fn=full)
        holds(refused.code in (REFUSED, IO), repr(refused))
        holds("still in factory" in refused.err, refused.err)
        goes_on(card, "full disk")


def card_in_use_is_refused():
    with issued() as card:
        record, card.record = card.record, card.folder / "second.json"
        refused = card.personalise("--json", code=REFUSED)
        same(refused.json["error"], "NOT_FACTORY")
        holds("personalised" in refused.err, refused.err)
        holds(not card.record.exists(), "no second record")
        card.record = record
        holds(fits(card), "the first record still fits")


def objects_are_stored():
    with folder() as card:
        der = card.file("certificate.der", b"\x30\x82\x01\x00" + bytes(256))
        result = card.personalise("--iccid", "89490123456789012345", "--certificate", der, "--json").json
        same(sorted(result), ["certificate", "channelPublicKey", "devicePublicKey", "iccid", "lifecycle", "record"])
        same(result["devicePublicKey"], json.loads(card.record.read_text())["devicePublicKey"])
        info = card.info()
        same((info["hasCertificate"], info["iccid"]), (True, "89490123456789012345"))
    with folder() as card:
        for content in (b"", b"-----BEGIN CERTIFICATE-----\n", b"\x30" + bytes(1024)):
            bad = card.file("certificate", content)
            same(card.personalise("--certificate", bad, "--json", code=IO).json["error"], "CERTIFICATE")
        card.personalise("--certificate", card.folder / "missing", code=IO)
        card.personalise("--certificate", card.file("largest", b"\x30" + bytes(1023)))


def secrets_are_made_up():
    with folder() as card:
        card.pin, card.puk = card.folder / "new-pin", card.folder / "new-puk"
        ended = card.personalise("--generate")
        pin, puk = card.pin.read_text(), card.puk.read_text()
        holds(len(pin) == 7 and pin.strip().isdigit() and len(puk) == 9 and puk.strip().isdigit(), (pin, puk))
        for path in (card.pin, card.puk):
            same(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
        holds(not tool.leaks(ended.out + ended.err.encode(), pin.strip()), "the PIN is not printed")
        holds(fits(card), "they open the card")
        record, card.record = card.record, card.folder / "again.json"
        refused = card.personalise("--generate", code=IO)
        holds("--pin-file" in refused.err and str(card.pin) not in refused.err, refused.err)
        same(card.pin.read_text(), pin, "an old PIN is not overwritten")
        # A run that comes to nothing leaves no secrets that open nothing.
        card.pin, card.puk = card.folder / "more-pin", card.folder / "more-puk"
        card.personalise("--generate", code=REFUSED)
        holds(not card.pin.exists() and not card.puk.exists(), "taken back")
    with folder() as first, folder() as second:
        for card in (first, second):
            card.pin, card.puk = card.folder / "new-pin", card.folder / "new-puk"
            card.personalise("--generate")
        holds(first.puk.read_text() != second.puk.read_text(), "random")


def prompts_ask_twice():
    with folder() as card:
        def begin():
            return Terminal("personalise", "-r", f"loop:{card.state}", "--record", card.record)

        terminal = begin()
        for question, answer in (("PIN: ", PIN), ("PIN again: ", PUK)):
            terminal.expect(question)
            terminal.type(answer + "\n")
        same(terminal.end(), 2)
        holds(b"differ" in terminal.seen, terminal.seen)
        terminal = begin()
        for question, answer in (("PIN: ", PIN), ("PIN again: ", PIN), ("PUK: ", PUK), ("PUK again: ", PUK)):
            terminal.expect(question)
            terminal.type(answer + "\n")
        same(terminal.end(), 0)
        holds(fits(card), "the PIN typed opens the card")


def interrupted_at_every_write_it_waits_for_the_end():
    for what, card, result, lifecycle in at_every_write("interrupt"):
        same(lifecycle, "personalised", what)
        holds(result.code in (-signal.SIGINT, DONE), f"{what}: {result!r}")


def nothing_printed_holds_a_secret():
    same(tool.forget_nothing(), [])


if __name__ == "__main__":
    sys.exit(run([
        killed_at_random_30_times, killed_before_every_write, killed_after_every_write,
        failing_at_every_write, interrupted_at_every_write_it_waits_for_the_end,
        keys_are_taken_from_a_file, record_that_is_there_is_refused_and_the_card_untouched, no_draft_stays_behind,
        disk_that_is_full_leaves_the_card_in_factory, card_in_use_is_refused, objects_are_stored,
        secrets_are_made_up, prompts_ask_twice, nothing_printed_holds_a_secret]))
