#!/usr/bin/env python3
"""simtie over NFC, through libnfc and a simulated PN532: every example of the contract, cards that come and
go, sizes."""

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))

import tool
import vcard
from nfc import (AMBIGUOUS, ARGUMENT, BYTES, CARD_ABSENT, GONE, MUTE, OK, PROTOCOL, Session, echo, fails,
                 virtual_card)
from picc import CardA, CardB
from pn532 import Chip
from pn532_frame import DATA_MAX
from tap import holds, run, same
from tool import NO_CARD, simtie


@contextlib.contextmanager
def fresh_on_demand(fresh):
    """A shell command that makes the card fresh, and ends when it is."""
    with socket.create_server(("127.0.0.1", 0)) as server, tempfile.TemporaryDirectory() as folder:
        ended = threading.Event()

        def serve():
            while True:
                asking, _ = server.accept()
                with asking:
                    if ended.is_set():
                        return
                    fresh()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        script = pathlib.Path(folder) / "fresh.py"
        script.write_text(f"import socket\nsocket.create_connection(('127.0.0.1', {port})).recv(1)\n")
        yield f"{sys.executable} {script}"
        ended.set()
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join(tool.BOUND)


def conformance(*arguments):
    """The whole run takes longer than tool.simtie allows for."""
    done = subprocess.run([tool.PROGRAM, "conformance", "--json", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, env=tool.environment(), timeout=300, check=False)
    tool.remember(arguments, done.stdout + done.stderr)
    same((done.returncode, done.stderr), (0, b""))
    return json.loads(done.stdout)


def outcomes(found):
    return {(r["group"], r["name"]) if "group" in r else r["name"]: r["outcome"] for r in found["results"]}


# ---- Conformance ----

def every_example_holds_by_radio():
    """The same examples pass as on the card in the process, at T=1."""
    with virtual_card() as (chip, _, fresh), fresh_on_demand(fresh) as command:
        found = conformance("--reader", chip.name, "--fresh", command)
        same((found["failed"], found["protocol"], found["reader"], chip.refusals), (0, "T=1", chip.name, 0))
        holds(found["passed"] > 115, found["passed"])
    same(outcomes(found), outcomes(conformance("--reader", "loop:", "--protocol", "T=1")))


def type_b_holds_too():
    with virtual_card(CardB) as (chip, _, fresh), fresh_on_demand(fresh) as command:
        found = conformance("--reader", chip.name, "--fresh", command, "--only", "[CGV]*")
        same(found["failed"], 0)
        holds(found["passed"] > 20, found["passed"])


def both_ends_by_radio():
    """simtie-card offers itself by one chip, and another one reads it."""
    with Chip() as outside, vcard.Card("--nfc", outside.name.partition("nfc:")[2]) as process:
        process.expect("card offered by")

        def power():
            if outside.near:
                outside.withdraw()

        def answer(command):
            """The outer reader comes with the first command: the inner host waits for that longer than for a field."""
            if not outside.near:
                outside.tap()
            return outside.ask(command)

        with Chip(CardA(answer, power)) as inside:
            found = conformance("--reader", inside.name, "--all")
        same((found["failed"], process.end()), (0, 0))
        holds(found["passed"] > 60, found["passed"])


# ---- Cards ----

def a_card_says_what_it_is():
    with Chip(CardA(echo)) as chip, Session(chip.name) as session:
        same((session.reader, session.by_radio), (chip.name, True))
        # PC/SC's form: 80 01, the historical bytes of the ATS, a check byte.
        same(session.atr.hex(), "3b868001" + b"simtie".hex() + "08")
    with Chip(CardB(echo)) as chip, Session(chip.name) as session:
        same(session.atr.hex(), "3b888001" + b"stie".hex() + "008171" + "00" + "f2")
    with Session("loop:") as session:
        same(session.by_radio, False)


def t0_is_refused():
    with Chip(CardA(echo)) as chip:
        holds("T=0" in fails(MUTE, Session, chip.name, 3000, 1), "says why")


def an_empty_field_and_two_cards():
    def kinds(*cards):
        with Chip(*cards) as chip:
            with Session(chip.name) as session:
                return session.raw(b"\0\0\0\0")

    holds("no card lies on" in fails(CARD_ABSENT, kinds), "empty")
    holds("two cards" in fails(AMBIGUOUS, kinds, CardA(echo), CardA(echo, uid="04A1B2C4")), "two of type A")
    holds("two cards" in fails(AMBIGUOUS, kinds, CardA(echo), CardB(echo)), "one of each")
    holds("not a smart card" in fails(CARD_ABSENT, kinds, CardA(echo, sak=0x08)), "a tag")
    tag = CardB(echo, protocol="008070")
    holds("not a smart card" in fails(CARD_ABSENT, kinds, tag), "type B without 14443-4")
    same(kinds(CardA(echo, uid="04010203040506")), b"\0\0\0\0" + OK)


def a_card_that_leaves_is_gone_and_comes_back():
    with Chip(CardA(echo)) as chip:
        with Session(chip.name) as session:
            same(session.raw(BYTES), BYTES + OK)
            chip.take_away()
            fails(GONE, session.raw, BYTES)
            chip.put_back()
            fails(GONE, session.raw, BYTES)
        with Session(chip.name) as session:
            same(session.raw(BYTES), BYTES + OK)
            chip.take_away()
            fails(GONE, session.reset)
        fails(CARD_ABSENT, Session, chip.name)


def a_card_that_leaves_in_the_midst():
    def leave(_):
        chip.take_away()
        return OK

    with Chip(CardA(leave)) as chip, Session(chip.name) as session:
        fails(GONE, session.raw, BYTES)


def reset_is_a_new_field():
    powered = []
    with Chip(CardA(echo, lambda: powered.append(1))) as chip, Session(chip.name) as session:
        before = len(powered)
        session.reset()
        holds(len(powered) > before, "it lost its power")
        same(session.raw(BYTES), BYTES + OK)


def another_card_is_not_taken_for_the_same():
    with Chip(CardA(echo)) as chip, Session(chip.name) as session:
        chip.cards[:] = [CardA(echo, uid="04FFFFFF")]
        fails(GONE, session.reset)
    # One that makes up its identifier is another each time.
    with Chip(CardA(echo, uid="08000001")) as chip, Session(chip.name) as session:
        chip.cards[:] = [CardA(echo, uid="08000002")]
        session.reset()
        same(session.raw(BYTES), BYTES + OK)


# ---- Sizes ----

def sizes_are_checked_before_libnfc_aborts():
    seen = []

    def answer(command):
        seen.append(len(command))
        return OK

    with Chip(CardA(answer)) as chip, Session(chip.name) as session:
        same(session.raw(bytes(DATA_MAX)), OK)
        for size in (DATA_MAX + 1, 300, 65544):
            fails(ARGUMENT, session.raw, bytes(size))
        same(session.raw(bytes(4)), OK)
        same(seen, [DATA_MAX, 4])


def answers_as_long_as_fits():
    with Chip(CardA(lambda command: bytes(int.from_bytes(command[2:4], "big")) + OK)) as chip:
        with Session(chip.name) as session:
            for size in (0, 1, 252, 253, 254, 256, 260, 261):
                same(session.raw(bytes(2) + size.to_bytes(2, "big")), bytes(size) + OK)
            fails(PROTOCOL, session.raw, bytes(2) + (262).to_bytes(2, "big"))
            same(session.raw(bytes(4)), OK)
            fails(PROTOCOL, session.raw, bytes(2) + (2000).to_bytes(2, "big"))


# ---- The rest ----

def doctor_finds_device_and_card():
    with virtual_card() as (chip, _, _):
        found = simtie("doctor", "--json", "--reader", chip.name,
                       env={"LIBNFC_DEVICE": chip.name.partition("nfc:")[2], "LIBNFC_AUTO_SCAN": "false"}).json
        texts = [(f["check"], f["verdict"], f["text"]) for f in found["findings"]]
        holds(("nfc", "ok", f"an NFC device: {chip.name}") in texts, texts)
        holds(("card", "ok", "a card answers at T=1, ATR 3B86800173696D74696508") in texts, texts)
        same(found["ready"], 1)
        chip.take_away()
        ended = simtie("doctor", "--json", "--reader", chip.name, code=NO_CARD, env={"LIBNFC_AUTO_SCAN": "false"})
        texts = [f["text"] for f in ended.json["findings"]]
        holds(any("no card lies on" in text for text in texts), texts)
        holds("libnfc finds no NFC device" in texts, texts)


def a_sentence_says_what_is_wrong_and_what_to_do():
    with Chip() as chip:
        ended = simtie("info", "--reader", chip.name, code=NO_CARD)
        same(ended.err, f"simtie: no card lies on {chip.name.partition('nfc:')[2]}: put it flat on the antenna, "
                        "without metal near by\n")


def libnfc_is_silent_unless_asked():
    with Chip() as chip:
        chip.faults.mute = True  # of which libnfc has much to say
        said = simtie("info", "--reader", chip.name, code=NO_CARD).err
        same(said.count("\n"), 1, said)
        said = simtie("info", "--reader", chip.name, code=NO_CARD, env={"LIBNFC_LOG_LEVEL": "3"}).err
        holds("libnfc" in said, said)


if __name__ == "__main__":
    sys.exit(run([every_example_holds_by_radio, type_b_holds_too, both_ends_by_radio, a_card_says_what_it_is,
                  t0_is_refused, an_empty_field_and_two_cards, a_card_that_leaves_is_gone_and_comes_back,
                  a_card_that_leaves_in_the_midst, reset_is_a_new_field, another_card_is_not_taken_for_the_same,
                  sizes_are_checked_before_libnfc_aborts, answers_as_long_as_fits, doctor_finds_device_and_card,
                  a_sentence_says_what_is_wrong_and_what_to_do, libnfc_is_silent_unless_asked]))
