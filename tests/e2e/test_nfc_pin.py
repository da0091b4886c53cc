#!/usr/bin/env python3
"""A PIN over the air: within a secure channel, to the card that it is meant for, or not at all."""

import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from nfc import virtual_card
from picc import CardA
from tap import holds, run, same
from tool import AUDIENCE, DONE, NEW_PIN, NONCE, PIN, PUK, REFUSED, USAGE, folder, simtie

GENERATOR = ("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
             "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")


class Air:
    """A personalised card on the antenna, what the tool said of it, and all that went through the air."""

    def __init__(self, chip, heard, place):
        self.chip, self.heard, self.place = chip, heard, place
        self.pin = self.write("pin", PIN)
        self.record = place / "card.json"

    def write(self, name, digits):
        path = self.place / name
        path.write_text(digits + "\n")
        path.chmod(0o600)
        return path

    def __call__(self, *arguments, code=DONE):
        self.heard.clear()
        return simtie(*arguments, "--reader", self.chip.name, code=code)

    def attest(self, *arguments, code=DONE):
        return self("attest", "--audience", AUDIENCE, "--nonce", NONCE, "--pin-file", self.pin, "--json", *arguments,
                    code=code)

    def tries(self):
        return self("info", "--json").json["pinTries"]

    def heard_pin(self):
        return any(digits.encode() in command for command in self.heard for digits in (PIN, NEW_PIN, PUK))


@contextlib.contextmanager
def air(*arguments):
    heard = []

    def kind(ask, reset, **more):
        def listened(command):
            heard.append(bytes(command))
            return ask(command)
        return CardA(listened, reset, **more)

    with virtual_card(kind) as (chip, _, _), folder() as there:
        place = pathlib.Path(there.pin).parent
        it = Air(chip, heard, place)
        made = it("personalise", "--record", it.record, "--pin-file", it.pin, "--puk-file", it.write("puk", PUK), "--json",
                  *arguments)
        same(it.heard_pin(), False, "PIN heard at personalisation")
        it.key = made.json["channelPublicKey"]
        yield it


def pin_goes_inside():
    with air() as card:
        token = card.attest("--channel-key", card.key).json
        same(card.heard_pin(), False, "PIN heard")
        same(token["claims"]["consent"], 1)
        entries = card("log", "--pin-file", card.pin, "--channel-key", card.key, "--json").json["entries"]
        same((len(entries), card.heard_pin()), (1, False))
        card("pin", "change", "--pin-file", card.pin, "--new-pin-file", card.write("new", NEW_PIN),
             "--channel-key", card.key)
        same(card.heard_pin(), False, "PIN heard")
        card("pin", "verify", "--pin-file", card.write("new", NEW_PIN), "--channel-key", card.key)
        same(card.heard_pin(), False, "PIN heard")


def no_pin_is_sent_in_clear_unasked():
    with air() as card:
        for ended in (card.attest(code=REFUSED), card("pin", "verify", "--pin-file", card.pin, code=REFUSED),
                      card("log", "--pin-file", card.pin, code=REFUSED)):
            holds("the PIN was not sent" in ended.err and "no certificate" in ended.err, ended)
            same(card.heard_pin(), False, "PIN heard")
        same(card.tries(), 3)
        ended = card.attest("--pin-in-clear")
        same(card.heard_pin(), True, "PIN heard")
        holds("in clear" in ended.err, ended)


def another_card_gets_no_pin():
    with air() as card:
        ended = card.attest("--channel-key", GENERATOR, code=REFUSED)
        holds("did not prove" in ended.err, ended)
        same((card.heard_pin(), card.tries()), (False, 3))
        card.attest("--channel-key", card.key, "--pin-in-clear", code=USAGE)


def guarded_card_refuses_it_in_clear():
    with air("--guard-pin") as card:
        same(card("info", "--json").json["pinGuarded"], True)
        same(card.attest("--pin-in-clear", code=REFUSED).json["statusWord"], "6982")
        same(card.tries(), 3)
        card.attest("--channel-key", card.key)


if __name__ == "__main__":
    sys.exit(run([pin_goes_inside, no_pin_is_sent_in_clear_unasked, another_card_gets_no_pin,
                  guarded_card_refuses_it_in_clear]))
