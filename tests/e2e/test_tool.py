#!/usr/bin/env python3
"""The tool's everyday work on virtual cards in files: attest, verify and refuse, inspect, PIN, log."""

import base64
import hashlib
import json
import os
import pathlib
import stat
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import tool
from tap import holds, run, same
from tool import (AUDIENCE, IO, NEW_PIN, NONCE, PUK, REFUSED, WRONG_PIN, WRONG_PUK, Terminal, folder,
                  issued, simtie)

OTHER_NONCE = "5a" * 32
THUMBPRINT = "c3" * 32
SEALED = 8  # bytes of the sealed counter
SIGNATURE = 64


def whole_life():
    with folder() as card:
        factory = card.info()
        same((factory["lifecycle"], factory["hasKey"], factory["pinTries"]), ("factory", False, 0))
        card.personalise("--iccid", "8949012345678901234")
        info = card.info()
        same(sorted(info), ["appletVersion", "atr", "counter", "debugStatus", "diversification",
                            "hasCertificate", "hasChannelKey", "hasKey", "iccid", "keySets", "lifecycle",
                            "pinGuarded", "pinTries",
                            "pukTries", "reader", "secureChannel", "seeded"])
        same((info["keySets"], info["secureChannel"]),
             ([{"version": "30", "kind": "AES-128"}], {"protocol": "03", "options": "70"}))
        same((info["lifecycle"], info["hasKey"], info["pinTries"], info["pukTries"], info["counter"]),
             ("personalised", True, 3, 10, 0))
        same((info["debugStatus"], info["seeded"], info["iccid"]), (0, False, "8949012345678901234"))
        same(card("pin", "status", "--json").json,
             {"pinTries": 3, "pinTriesMax": 3, "pukTries": 10, "pukTriesMax": 10})
        token = card.token()
        holds(card.verify(token).text.startswith("valid\n"), "valid")
        same(card.counter(token), 1, "counter")
        same(card.info()["counter"], 1, "counter of the card")
        same(len(card("log", "--pin-file", card.pin, "--json").json["entries"]), 1, "log")
        for line in card("info").text.splitlines():
            holds(len(line) <= 100 and line[17] != " ", f"aligned: {line!r}")


def record_is_its_owners_alone_and_has_its_keys():
    with issued() as card:
        same(stat.S_IMODE(os.stat(card.record).st_mode), 0o600)
        record = json.loads(card.record.read_text())
        same(list(record), ["format", "devicePublicKey", "chainCode", "appletVersion", "createdAt"])
        same(record["format"], "simtie-card-record/1")
        holds(len(record["devicePublicKey"]) == 130 and record["devicePublicKey"][:2] == "04", "point")
        same(len(record["chainCode"]), 64)


def compact_and_full_have_one_shape():
    with issued() as card:
        compact, full = card.token(), card.token("--full")
        same(len(compact), len(full), "length")
        masked = [bytearray(compact), bytearray(full)]
        for token in masked:
            at = token.index(bytes.fromhex("3a0001117048")) + 6
            token[at:at + SEALED] = bytes(SEALED)
            token[-SIGNATURE:] = bytes(SIGNATURE)
        same(masked[0], masked[1], "all but sealed counter and signature")
        same([card.counter(compact), card.counter(full)], [1, 2])
        lines = [card.attest("--json", *more).json for more in ((), ("--full",))]
        same([line["form"] for line in lines], ["compact", "full"])
        holds(lines[0]["lineBytes"] < lines[1]["lineBytes"], "compact is shorter on the line")


def each_policy():
    with issued() as card:
        token = card.token("--thumbprint", THUMBPRINT, "--purpose", "1")
        same(card.refusal(token, "--purpose", "1", virtual=False), "DEBUGGABLE")
        same(card.refusal(token), "WRONG_PURPOSE")
        same(card.refusal(token, "--purpose", "3"), "WRONG_PURPOSE")
        same(card.refusal(token, "--purpose", "1", "--thumbprint", "c4" * 32), "WRONG_THUMBPRINT")
        verdict = card.verify(token, "--purpose", "1", "--thumbprint", THUMBPRINT, "--json").json
        same(verdict, {"valid": True, "refusal": None, "reason": None, "counter": 1, "claims": {
            "audience": AUDIENCE, "nonce": NONCE, "thumbprint": THUMBPRINT, "debugStatus": 0,
            "profile": "urn:x-simtie:1", "purpose": 1,
            "sealedCounter": verdict["claims"]["sealedCounter"], "consent": 1}})
        same(len(verdict["claims"]["sealedCounter"]), 2 * SEALED)
        bare = card.token()
        same(card.refusal(bare, "--thumbprint", THUMBPRINT), "WRONG_THUMBPRINT")
        card.verify(bare, "--allow-no-consent")


def demo_refusals_each_for_its_own_reason():
    with issued() as card, issued() as other:
        token = card.token()
        seen = card.counter(token)
        card.verify(token, "--min-counter", seen)
        same(card.refusal(token, "--min-counter", seen + 1), "OLD_COUNTER")
        same(card.counter(token, audience=AUDIENCE), seen)
        same(card.refusal(token, audience="other.example.com"), "WRONG_AUDIENCE")
        same(card.refusal(token, nonce=OTHER_NONCE), "WRONG_NONCE")
        same(card.refusal(token, record=other.record), "BAD_SIGNATURE")
        same(card.refusal(token[:-1] + bytes([token[-1] ^ 1])), "BAD_SIGNATURE")
        same(card.refusal(token + b"\0"), "TRAILING_BYTES")
        same(card.refusal(b""), "TOO_LARGE")
        same(card.refusal(token + bytes(2000)), "TOO_LARGE")
        text = card.verify(token, code=REFUSED, nonce=OTHER_NONCE)
        same(text.out, b"", "nothing on standard output")
        holds("another challenge (WRONG_NONCE)" in text.err, text.err)


def every_changed_byte_is_refused():
    with issued() as card:
        token = card.token(nonce=NONCE[:32])
        for at in range(0, len(token), 3):
            changed = bytearray(token)
            changed[at] ^= 1 << at % 8
            verdict = card.verify(bytes(changed), "--json", nonce=NONCE[:32], code=REFUSED).json
            holds(verdict["refusal"], f"byte {at}")
        for length in range(1, len(token), 11):
            card.verify(token[:length], nonce=NONCE[:32], code=REFUSED)


def wrong_pin_says_tries_left_and_signs_nothing():
    with issued() as card:
        wrong = card.file("wrong", WRONG_PIN)
        for left, words in ((2, "2 tries left"), (1, "1 try left"), (0, "is blocked")):
            before = card.info()
            holds(before["pinTries"] == left + 1, before)
            refused = card.attest("--json", pin=wrong, code=REFUSED)
            same((refused.json["triesLeft"], refused.json["statusWord"]), (left, f"63C{left}"))
            holds(words in refused.err, refused.err)
        blocked = card.attest("--json", code=REFUSED)
        same((blocked.json["statusWord"], blocked.json["triesLeft"]), ("6983", 0))
        holds("simtie pin unblock" in blocked.err, blocked.err)
        same(card.info()["counter"], 0, "nothing was counted")


def pin_changes_and_is_unblocked():
    with issued() as card:
        new, wrong = card.file("new", NEW_PIN), card.file("wrong", WRONG_PIN)
        card("pin", "verify", "--pin-file", card.pin)
        same(card("pin", "change", "--pin-file", card.pin, "--new-pin-file", new, "--json").json,
             {"done": "change"})
        same(card("pin", "verify", "--pin-file", card.pin, "--json", code=REFUSED).json["triesLeft"], 2)
        same(card("pin", "change", "--pin-file", wrong, "--new-pin-file", card.pin, "--json",
                  code=REFUSED).json["triesLeft"], 1)
        card("pin", "verify", "--pin-file", new)
        same(card.info()["pinTries"], 3, "a right PIN gives the tries back")
        for _ in range(3):
            card("pin", "verify", "--pin-file", wrong, code=REFUSED)
        card("pin", "verify", "--pin-file", new, code=REFUSED)
        wrong_puk = card.file("wrong-puk", WRONG_PUK)
        refused = card("pin", "unblock", "--puk-file", wrong_puk, "--new-pin-file", new, "--json",
                       code=REFUSED)
        same(refused.json["triesLeft"], 9)
        holds("wrong PUK, 9 tries left" in refused.err, refused.err)
        card("pin", "unblock", "--puk-file", card.puk, "--new-pin-file", card.pin)
        card.verify(card.token())


def tenth_wrong_puk_is_the_last():
    with issued() as card:
        wrong_puk = card.file("wrong-puk", WRONG_PUK)
        unblock = ("pin", "unblock", "--puk-file", wrong_puk, "--new-pin-file", card.pin)
        for _ in range(9):
            card(*unblock, code=REFUSED)
        last = card(*unblock, "--json", code=REFUSED)
        same((last.json["triesLeft"], last.json["statusWord"]), (0, "63C0"))
        holds("needs a new SIM" in last.err, last.err)
        same(card("pin", "unblock", "--puk-file", card.puk, "--new-pin-file", card.pin, "--json",
                  code=REFUSED).json["statusWord"], "6983")
        card("pin", "verify", "--pin-file", card.pin)


def token_as_bytes_text_file_and_on_a_terminal():
    with issued() as card:
        path = card.folder / "token"
        same(card.attest("-o", path).out, b"", "nothing beside the file")
        token = path.read_bytes()
        same(token[:2], b"\xd2\x84", "COSE_Sign1")
        same(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        card.verify(token)
        same(simtie("inspect", path).code, 0)
        terminal = Terminal("attest", "-r", f"loop:{card.state}", "-a", AUDIENCE, "-n", NONCE,
                            "--pin-file", card.pin)
        same(terminal.end(), 0)
        text = terminal.seen.decode().strip()
        holds(set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), text)
        for form in (text, text + "\n", f"  {text[:40]}\n{text[40:]}\r\n", text + "=="):
            card.verify(form.encode())
        card.verify(text[:-1].encode(), code=REFUSED)
        card.verify(text[:-2].encode(), code=REFUSED)
        # The bits that the last digit leaves over are zero: a token has one text, not sixteen.
        odd = card.token(audience="a" * (len(AUDIENCE) + (1 if len(token) % 3 != 2 else 2)))
        digits = base64.urlsafe_b64encode(odd).rstrip(b"=")
        holds(len(odd) % 3, "bits are left over")
        card.verify(digits, audience=audience_of(odd))
        card.verify(digits[:-1] + bytes([digits[-1] + 1]), audience=audience_of(odd), code=REFUSED)
        card.attest("-o", card.folder / "no" / "token", code=IO)
        with open("/dev/full", "wb") as full:
            ended = card.attest(code=IO, stdout=full)
            holds("No space left" in ended.err, ended.err)


def audience_of(token):
    return simtie("inspect", "--json", "-", stdin=token).json["claims"]["audience"]


def inspect_goes_as_far_as_it_can():
    with issued() as card:
        token = card.token()
        text = simtie("inspect", "-", stdin=token).text
        holds("not verified" in text.splitlines()[0], text)
        for claim in ('/ audience / 3: "chat.example.com"', f"/ nonce / 10: h'{NONCE}'",
                      "/ purpose / 275: 2 / registration /", "/ consent / -70002: 1 / PIN /",
                      '/ profile / 265: "urn:x-simtie:1"', "<< {/ alg / 1: -7, / typ / 16: 263} >>"):
            holds(claim in text, f"{claim} in {text}")
        whole = simtie("inspect", "--json", "-", stdin=token).json
        same(sorted(whole), ["claims", "diagnostic", "reason", "refusal", "size", "verified"])
        same((whole["verified"], whole["refusal"], whole["size"]), (False, None, len(token)))
        same(whole["claims"]["nonce"], NONCE)
        for length in range(len(token)):
            cut = simtie("inspect", "--json", "-", stdin=token[:length], code=REFUSED).json
            same(cut["refusal"], "NOT_CBOR" if length else "TOO_LARGE", f"cut after {length}")
            holds(cut["diagnostic"].endswith(("cut short /", "' /", ">>")), cut["diagnostic"])
            holds(length < 40 or '"chat.example.com"' in cut["diagnostic"], cut["diagnostic"])


def diagnostic_notation_of_anything():
    for encoded, notation in (
            ("00", "0"), ("1818", "24"), ("1800", "0_0"), ("190001", "1_1"),
            ("3bffffffffffffffff", "-18446744073709551616"), ("20", "-1"), ("f90001", "5.9604644775390625e-08_1"),
            ("f93c00", "1.0_1"), ("f97e00", "NaN_1"), ("f9fc00", "-Infinity_1"),
            ("fa47c35000", "100000.0_2"), ("f4", "false"), ("f7", "undefined"), ("f820", "simple(32)"),
            ("5f4101420203ff", "(_ h'01', h'0203')"), ("7f6161ff", '(_ "a")'), ("9f01ff", "[_ 1]"),
            ("bf0102ff", "{_ 1: 2}"), ("c11a514b67b0", "1(1363896240)"), ("82f5f6", "[true, null]"),
            ("621b5d", r'"\u001B]"'), ("61ff", "h'ff' / text that is not UTF-8 /"),
            ("f4f5", "false / bytes follow: h'f5' /"), ("ff", "/ not CBOR: h'ff' /"),
            ("1c", "/ not CBOR: h'1c' /"), ("f818", "/ not CBOR /"), ("5f6101ff", "(_ / not CBOR: h'6101ff' /"),
            ("a201", "{1: / cut short /"), ("5f420102", "(_ h'0102', / cut short /"), ("9b7fffffffffffffff01", "[1, / cut short /"),
            ("5bffffffffffffffff", "/ cut short /"), ("81" * 40, "[" * 16 + f"/ nested too deeply: h'{'81' * 24}' /")):
        ended = simtie("inspect", "-", stdin=bytes.fromhex(encoded), code=REFUSED)
        same(ended.text.splitlines()[1], notation, encoded)


def log_shows_the_newest_32_with_their_audiences():
    with issued() as card:
        long = "a-long-messenger-name.example.com"
        exact = "x" * 24
        for audience in (*[f"m{i}.example.com" for i in range(32)], long, exact):
            card.attest(audience=audience, nonce=NONCE[:32])
        entries = card("log", "--pin-file", card.pin, "--json").json["entries"]
        same([e["counter"] for e in entries], list(range(34, 2, -1)))
        same((entries[0]["audience"], entries[0]["audienceWhole"]), (exact, True))
        same((entries[1]["audience"], entries[1]["audienceWhole"]), (long[:24], False))
        same((entries[2]["audience"], entries[2]["audienceWhole"]), ("m31.example.com", True))
        same(entries[1]["audienceHash"], hashlib.sha256(long.encode()).hexdigest()[:32])
        same((entries[0]["purpose"], entries[0]["consent"], entries[0]["seeded"]), (2, 1, False))
        table = card("log", "--pin-file", card.pin).text.splitlines()
        same(len(table), 33)
        holds(table[2].endswith(long[:24] + "...") and "registration" in table[2], table[2])
        wrong = card.file("wrong", WRONG_PIN)
        same(card("log", "--pin-file", wrong, "--json", code=REFUSED).json["triesLeft"], 2)


def log_of_a_new_card_is_empty():
    with issued() as card:
        same(card("log", "--pin-file", card.pin, "--json").json, {"entries": []})
        holds("nothing" in card("log", "--pin-file", card.pin).text, "says so")


def audience_cut_within_a_character():
    with issued() as card:
        audience = "a" * 23 + "\u00e9\u4e2d"
        token = card.token(audience=audience)
        same(card.verify(token, "--json", audience=audience).json["claims"]["audience"], audience)
        entry = card("log", "--pin-file", card.pin, "--json").json["entries"][0]
        same((entry["audience"], entry["audienceWhole"]), ("a" * 23, False))


def attestation_before_personalisation_is_refused():
    with folder() as card:
        refused = card.attest("--json", code=REFUSED)
        same(refused.json["statusWord"], "6985")
        card("pin", "verify", "--pin-file", card.pin, code=REFUSED)
        same(card("log", "--pin-file", card.pin, "--json", code=REFUSED).json["error"], "CARD")


def second_attestation_on_one_pin_entry_is_refused():
    with issued() as card:
        attest = f"80880000{2 + 12 + 2 + 16:02X}800C{b'chat.example'.hex()}8110{NONCE[:32]}00"
        script = card.file("script", f"00A4040008F053494D5449450100 > **9000\n"
                                     f"0020000108{{pin}} > 9000\n{attest} > **9000\n{attest} > 6982\n")
        card("apdu", "--script", script, "--pin-file", card.pin)
        same(card.info()["counter"], 1)


def nothing_printed_holds_a_secret():
    same(tool.forget_nothing(), [])


if __name__ == "__main__":
    sys.exit(run([
        whole_life, record_is_its_owners_alone_and_has_its_keys, compact_and_full_have_one_shape,
        each_policy, demo_refusals_each_for_its_own_reason, every_changed_byte_is_refused,
        wrong_pin_says_tries_left_and_signs_nothing, pin_changes_and_is_unblocked,
        tenth_wrong_puk_is_the_last, token_as_bytes_text_file_and_on_a_terminal,
        inspect_goes_as_far_as_it_can, diagnostic_notation_of_anything,
        log_shows_the_newest_32_with_their_audiences, log_of_a_new_card_is_empty,
        audience_cut_within_a_character, attestation_before_personalisation_is_refused,
        second_attestation_on_one_pin_entry_is_refused, nothing_printed_holds_a_secret]))
