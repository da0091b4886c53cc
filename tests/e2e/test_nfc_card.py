#!/usr/bin/env python3
"""simtie-card --nfc: the virtual SIM as a contactless card, before a reader that the simulated PN532 sees."""

import os
import pathlib
import signal
import sys
import tempfile

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))

import tool
import vcard
from pn532 import Chip
from tap import holds, run, same

HISTORY = bytes.fromhex("80738001 9B 56") + b"simtie"
OK = b"\x90\x00"
GET_CERTIFICATE = bytes.fromhex("00CA7F21")


def offered(chip, *options):
    return vcard.Card("--nfc", chip.name.partition("nfc:")[2], *options)


def in_factory(answer):
    holds(answer[-2:] == OK and b"\x82\x01\x00\x83" in answer, answer.hex())


def a_reader_finds_the_card():
    with Chip() as chip, offered(chip) as card:
        card.expect(f"card offered by pn532_uart:{chip.path}")
        seen = chip.tap()
        same((seen["sak"], seen["atqa"], seen["history"], seen["picc"]), (0x20, b"\x04\x00", HISTORY, True))
        same((len(seen["uid"]), seen["uid"][0]), (4, 8))
        same(chip.ask(vcard.SELECT)[-2:], OK)
        in_factory(chip.ask(vcard.GET_INFORMATION))
        same((card.end(), chip.refusals), (0, 0))
        same(chip.commands[-1], 0x16)  # asleep again


def identifiers_are_made_up_for_every_reader():
    with Chip() as chip, offered(chip):
        seen = set()
        for _ in range(8):
            seen.add(chip.tap()["uid"])
            same(chip.ask(vcard.SELECT)[-2:], OK)
            chip.withdraw()
            holds(chip.await_target(), "offered again")
        holds(len(seen) > 1, seen)


def a_reader_that_leaves_takes_the_session_along():
    """What is volatile in the card goes with the field, as with power."""
    with Chip() as chip, offered(chip):
        chip.tap()
        same(chip.ask(vcard.SELECT)[-2:], OK)
        in_factory(chip.ask(vcard.GET_INFORMATION))
        chip.withdraw()
        holds(chip.await_target(), "offered again")
        chip.tap()
        holds(chip.ask(vcard.GET_INFORMATION)[-2:] != OK, "nothing is selected any more")


def answers_come_in_pieces_that_fit():
    """Extended Le: the card could say more at once than the chip carries."""
    certificate = b"\x30\x82\x01\x00" + bytes(range(256))
    with Chip() as chip, tool.folder() as files:
        files.personalise("--certificate", files.file("certificate", certificate))
        with offered(chip, "--state", files.state):
            chip.tap()
            chip.ask(vcard.SELECT)
            first = chip.ask(GET_CERTIFICATE + bytes(3))
            whole = GET_CERTIFICATE[2:] + b"\x82\x01\x04" + certificate
            same((first[:-2], first[-2]), (whole[:256], 0x61))
            rest = chip.ask(bytes.fromhex("00C00000") + first[-1:])
            same(rest, whole[256:] + OK)


def long_commands_cost_the_reader_its_session_only():
    with Chip() as chip, offered(chip) as card:
        chip.tap()
        chip.put(bytes.fromhex("00DA000000") + (400).to_bytes(2, "big") + bytes(400))
        holds(chip.await_target(), "offered again")
        chip.tap()
        same(chip.ask(vcard.SELECT)[-2:], OK)
        same(card.end(), 0)


def signals_end_it_whatever_it_waits_for():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with Chip() as chip, offered(chip) as card:
            card.expect("card offered by")
            holds(chip.await_target(), "offered")
            same(card.end(number), 0)
    with Chip() as chip, offered(chip) as card:
        chip.tap()
        chip.ask(vcard.SELECT)
        same(card.end(), 0)


def a_fresh_card_on_sigusr1():
    with Chip() as chip, tempfile.TemporaryDirectory() as folder:
        with offered(chip, "--state", os.path.join(folder, "card")) as card:
            chip.tap()
            chip.ask(bytes.fromhex("00A4040000"))
            same([vcard.begun(chip.ask(vcard.BEGIN)) for _ in range(3)], [1, 2, 3])
            card.send(signal.SIGUSR1)
            card.expect("a factory-fresh one goes in")
            holds(chip.await_target(), "offered again")
            chip.tap()
            chip.ask(bytes.fromhex("00A4040000"))
            same(vcard.begun(chip.ask(vcard.BEGIN)), 1)
            same(card.end(), 0)


def a_device_that_goes_ends_it():
    with Chip() as chip, offered(chip) as card:
        chip.tap()
        same(chip.ask(vcard.SELECT)[-2:], OK)
        chip.unplug()
        same(card.process.wait(vcard.BOUND), 4)
        card.expect("the NFC device failed")


def two_programs_do_not_share_a_device():
    with Chip() as chip, offered(chip) as card:
        card.expect("card offered by")
        code, said = vcard.refusal("--nfc", f"pn532_uart:{chip.path}")
        same(code, 4)
        holds(f"another program is using pn532_uart:{chip.path}" in said, said)


def wrong_usage_is_said():
    for options in (["--port", "35963"], ["--host", "::1"], ["--atr", "3B00"],
                    ["--tray", "2", "--iccid", "8988211000000000001"]):
        code, said = vcard.refusal("--nfc", "", *options)
        same(code, 2)
        holds("--nfc: " in said, said)
    code, said = vcard.refusal("--nfc", "pn532_uart:/dev/does-not-exist")
    same(code, 4)
    holds("there is no /dev/does-not-exist" in said, said)


if __name__ == "__main__":
    sys.exit(run([a_reader_finds_the_card, identifiers_are_made_up_for_every_reader,
                  a_reader_that_leaves_takes_the_session_along, answers_come_in_pieces_that_fit,
                  long_commands_cost_the_reader_its_session_only, signals_end_it_whatever_it_waits_for,
                  a_fresh_card_on_sigusr1, a_device_that_goes_ends_it, two_programs_do_not_share_a_device,
                  wrong_usage_is_said]))
