#!/usr/bin/env python3
"""Cards of a maker: keys of every length and kind, every mode of SCP03, through a reader, with --keys."""

import contextlib
import os
import pathlib
import sys

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))
if __name__ == "__main__" and "PCSCD_START" not in os.environ:
    os.execv(LIB / "private-pcscd", ["private-pcscd", "--", sys.executable, os.path.abspath(__file__)])

import pcsc
import tool
import vcard
from tap import holds, run, same
from tool import REFUSED, folder, simtie

PORT = 35963
READER = {"PCSCLITE_CSOCK_NAME": "/run/pcscd/pcscd.comm"}
ICCID = "8949012345678901234"
ATR_T0 = "3B00"
COUNTER = "00 CA 9F 21 00 > 9F21 04 00000000 9000"
GENERATE = "00 46 00 00 00 > ** 9000"


def wait(present):
    with pcsc.Context() as context:
        context.wait(context.readers()[0], present)


def drawn(seed, size):
    """Bytes that look random, and are no test key."""
    return bytes((seed * 37 + i * i * 11 + i * 5) % 251 for i in range(size)).hex()


class Maker:
    """Key files of the two sides, which differ in that the card's says its mode."""

    def __init__(self, files, size, version="21", derive=None, scp="70"):
        words = [f"version {version}"]
        words += [f"{name} {drawn(seed, size)}" for seed, name in ((1, "enc"), (2, "mac"), (3, "dek"))]
        words += [f"derive {derive}"] if derive else []
        self.host = files.file("host.keys", "\n".join(words) + "\n")
        self.card = files.file("card.keys", "\n".join([*words, f"scp {scp}"]) + "\n")
        for path in (self.host, self.card):
            path.chmod(0o600)
        self.words = words


@contextlib.contextmanager
def inserted(maker, *options):
    wait(False)
    with vcard.Card("--issuer", maker.card, *options, port=PORT) as card:
        wait(True)
        yield card
    wait(False)


def on_card(subcommand, *arguments, **more):
    return simtie(subcommand, "--reader", "0", *arguments, env=READER, **more)


def every_mode_at_every_level_it_offers():
    offered = {"00": ["01", "03"], "10": ["01", "03"], "20": ["01", "03", "11", "13"],
               "30": ["01", "03", "11", "13"], "60": ["01", "03", "11", "13", "33"],
               "70": ["01", "03", "11", "13", "33"]}
    for number, (scp, levels) in enumerate(offered.items()):
        for s16 in (0, 1):
            mode = f"{int(scp, 16) | s16:02X}"
            atr = ["--atr", ATR_T0] if (number + s16) % 2 else []
            with folder() as files:
                maker = Maker(files, (16, 24, 32)[(number + s16) % 3], scp=mode)
                with inserted(maker, *atr):
                    for level in ("01", "03", "11", "13", "33"):
                        ended = on_card("apdu", "--select", "--keys", maker.host, "--level", level, "--json",
                                        COUNTER, COUNTER, code=None)
                        what = f"i {mode}, level {level}: {ended!r}"
                        if level in levels:
                            same(ended.code, 0, what)
                            same(ended.json["secureChannel"],
                                 {"level": level, "keyVersion": "21", "options": mode}, what)
                        else:
                            same((ended.code, ended.json["error"]), (REFUSED, "SECURE"), what)
                            holds("does not offer this security level" in ended.err, what)


def derived_keys_open_the_channel():
    for derive in ("kdd", "iccid"):
        for size in (16, 24, 32):
            with folder() as files:
                maker = Maker(files, size, derive=derive)
                with inserted(maker, "--iccid", ICCID):
                    on_card("apdu", "--select", "--keys", maker.host, GENERATE)
                    # As they stand the masters are not the card's keys.
                    plain = files.file("plain", "\n".join(maker.words[:4]) + "\n")
                    plain.chmod(0o600)
                    ended = on_card("apdu", "--select", "--keys", plain, GENERATE, code=REFUSED)
                    holds("not the card's keys" in ended.err, ended)


def keys_by_iccid_need_one():
    with folder() as files:
        maker = Maker(files, 16, derive="iccid")
        plain = Maker(files, 16)
        masters = files.file("masters", "\n".join(maker.words) + "\n")
        masters.chmod(0o600)
        with inserted(plain):
            ended = on_card("apdu", "--select", "--keys", masters, GENERATE, code=tool.IO)
            holds("ICCID" in ended.err, ended)


def a_makers_card_is_personalised_and_conforms():
    with folder() as files:
        maker = Maker(files, 32, derive="kdd", scp="71")
        record = ("--pin-file", files.pin, "--puk-file", files.puk, "--record", files.record)
        with inserted(maker, "--iccid", ICCID) as card:
            refused = on_card("personalise", *record, code=REFUSED)
            holds("the card is untouched" in refused.err and "not the card's keys" in refused.err, refused)
            on_card("personalise", *record, "--keys", maker.host)
            same(on_card("info", "--json").json["keySets"], [{"version": "21", "kind": "AES-256"}])
            found = on_card("conformance", "--json", "--keys", maker.host, "--fresh",
                            f"kill -USR1 {card.process.pid}", "--only", "PUT_KEY").json
            same((found["failed"], found["passed"]), (0, 4))


def no_key_was_ever_printed():
    same(tool.forget_nothing(), [])
    for words, data in tool._said:
        for seed in (1, 2, 3):
            holds(drawn(seed, 16).encode() not in data.lower(), words)


if __name__ == "__main__":
    sys.exit(run([every_mode_at_every_level_it_offers, derived_keys_open_the_channel, keys_by_iccid_need_one,
                  a_makers_card_is_personalised_and_conforms, no_key_was_ever_printed]))
