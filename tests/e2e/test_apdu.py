#!/usr/bin/env python3
"""simtie apdu: what it sends, how it shows it, when it refuses, and what it must not show."""

import pathlib
import sys
import tomllib

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))

import tool
from tap import holds, run, same
from tool import (DONE, IO, NEW_PIN, NO_CARD, PIN, PUK, REFUSED, USAGE, WRONG_PIN, Terminal, folder,
                  issued, simtie)

SPECS = LIB.parent.parent / "apdu-specs"
SELECT = "00 A4 04 00 ( {aid} ) 00"
PADDED = PIN.encode().hex().upper()


def loop(*arguments, **more):
    """On a virtual card that is new with each call."""
    return simtie("apdu", "--reader", "loop:", *arguments, **more)


def scripted(lines, *arguments, **more):
    return loop("--script", "-", *arguments, stdin="\n".join(lines) + "\n", **more)


# ---- What is sent and shown ----

def commands_are_decoded():
    text = loop(SELECT, "00CABF2200").text
    for line in ("> 00A4040008F053494D5449450100", "    SELECT, by application identifier, with the FCI "
                 "template, answer of up to 256 bytes", "      8A FCI_LIFECYCLE: 3 (not yet personalised)",
                 "        80 FCI_VERSION: 1.0.0", "    OK: done", "      81 STATE_PIN_TRIES_MAX: 3"):
        holds(line in text.splitlines(), f"{line!r} in {text}")


def refusals_come_with_advice():
    ended = loop("00 20 00 01", code=REFUSED)
    holds("INS_NOT_SUPPORTED: nothing selected on this channel knows the instruction" in ended.text, ended)
    holds("    Select the applet first.\n" in ended.text, ended)


def what_is_selected_is_said():
    domain, applet = "80 CA 00 42 00 > 6A88", "00 CA 9F 21 00 > 9F21 04 00000000 9000"
    loop("00 CA 9F 21 00 > 6A88", domain)  # the card's own choice
    loop("--application", "domain", domain)
    for more in (["--select"], ["--application", "attestation"]):
        loop(*more, applet)
    same(loop("--application", "domain", "--json", "80 F0 80 0F", code=REFUSED).json["steps"][0]["name"],
         "SET STATUS (domain)")
    same(loop("--select", "--json", "80 F0 40 0F", code=REFUSED).json["steps"][0]["name"], "SET STATUS")


def keys_open_a_secure_channel():
    generate = "00 46 00 00 00"
    refused = "> 6982"
    loop("--select", generate + refused)
    for level in ("01", "03", "11", "13"):
        loop("--select", "--test-keys", "--level", level, "00 CA 9F 21 00 > 9F21 04 00000000 9000",
             generate + refused)
    found = loop("--select", "--test-keys", "--json", generate + " > ** 9000", "00 CA 9F 21 00 > ** 9000").json
    same(found["secureChannel"], {"level": "33", "keyVersion": "30", "options": "70"})
    # Plain lines, wrapped on the line itself; ! goes past the channel, which ends it on the card.
    ended = loop("--application", "domain", "--test-keys", "80 CA 00 E0 00 > ** 9000", "!00CA00E000 > 6982",
                 "80 CA 00 E0 00 > 6982")
    holds(ended.text.startswith("= secure channel, level 33, key version 30, i 70\n"), ended)
    with folder() as card:
        trace = card.folder / "trace"
        card("apdu", "--select", "--test-keys", "--trace", trace, "--pin-file", card.pin,
             "80 E2 90 00 ( 84 [ {pin} ] ) > 9000")
        text = trace.read_text()
        holds("> 84E29000" in text and "STORE DATA" in text, text)
        holds(PADDED not in text, text)


def key_files_are_tried_once():
    key = "404142434445464748494A4B4C4D4E4F"
    count = "80 CA 00 E0 00 > ** 9000"
    with folder() as card:
        keys = card.file("keys", f"# the well-known\nversion 30\nkey {key}\n")
        keys.chmod(0o600)
        card("apdu", "--keys", keys, "--application", "domain", count)
        card("apdu", "--keys", keys, "--key-version", "31", count, code=REFUSED)
        wrong = card.file("wrong", f"version 30\nkey {key[:-2]}50\n")
        wrong.chmod(0o600)
        for _ in range(12):
            ended = card("apdu", "--keys", wrong, "--json", count, code=REFUSED)
            same(ended.json["error"], "SECURE")
            holds("these are not the card's keys; nothing more was sent" in ended.err, ended)
            holds(key[:-2] not in ended.err + ended.text, ended)
        card("apdu", "--keys", keys, count)
        # A set with 10 failures in a row is blocked, and the card says so.
        for _ in range(10):
            card("apdu", "80 50 30 00 08 0102030405060708 00", "84 82 33 00 10 00*16 > 6300")
        ended = card("apdu", "--keys", keys, count, code=REFUSED)
        holds("this key set is blocked, after 10 failures in a row" in ended.err, ended)
        keys.chmod(0o640)
        holds("chmod 600" in card("apdu", "--keys", keys, count, code=IO).err, "exposed")
        keys.chmod(0o600)
        keys.write_text(f"version 30\nkey {key}00\n")
        ended = card("apdu", "--keys", keys, count, code=IO)
        holds(", line 2: " in ended.err and key not in ended.err, ended)
        card("apdu", "--keys", card.folder / "none", count, code=IO)
    for more in (["--level", "01"], ["--key-version", "30"], ["--test-keys", "--raw"], ["--test-keys", "--keys", "x"],
                 ["--test-keys", "--level", "02"], ["--test-keys", "--key-version", "0"], ["--application", "x"]):
        loop(*more, count, code=USAGE)


def json_has_each_part():
    with issued() as card:
        found = card("apdu", "--json", "--select", "--pin-file", card.pin, "00 20 00 01 08 {pin} > 9000",
                     "00 CA BF 22 00").json
    same(sorted(found), ["exchanges", "held", "lineBytes", "protocol", "steps"])
    same((found["held"], found["protocol"], len(found["steps"])), (True, "T=0", 2))
    verify, state = found["steps"]
    same((verify["name"], verify["command"], verify["statusWord"], verify["status"], verify["text"]),
         ("VERIFY PIN", "0020000108" + "*" * 16, "9000", "OK", "done"))
    same((verify["expected"], verify["held"], verify["channel"]), ("9000", True, 0))
    same(verify["parameters"], ["PIN appl. 1 (TS 102 221 §9.5.1)"])
    holds("expected" not in state, "nothing was expected")
    same(state["responseObjects"][0]["name"], "PIN_STATE")
    same([(o["tag"], o["name"], o["value"]) for o in state["responseObjects"][0]["objects"]],
         [("80", "STATE_PIN_TRIES", "3"), ("81", "STATE_PIN_TRIES_MAX", "3"),
          ("82", "STATE_PUK_TRIES", "10"), ("83", "STATE_PUK_TRIES_MAX", "10"),
          ("84", "STATE_VERIFIED", "1")])


def attestations_are_decoded():
    with issued() as card:
        attest = "80 88 0%d 00 ( 80 [ {audience} ] 81 [ {nonce} ] 84 [ {pin} ] ) 00 > ** 9000"
        text = card("apdu", "--select", "--pin-file", card.pin, attest % 0, attest % 1).text
    holds("    80 AUDIENCE: \"chat.example\"\n" in text, text)
    holds("    84 PIN: 8 bytes, blanked\n" in text, text)
    holds("debug status 0, consent 1, signature\n" in text, text)
    holds("audience         chat.example\n" in text, text)


def raw_leaves_everything_to_the_user():
    loop("--raw", "--protocol", "T=1", SELECT + " > ** 9000", "00 CA BF 22 > 6112",
         "00 C0 00 00 05 > BF22 0F 80 01 610D", "00 C0 00 00 0D > ** 9000", "00 A4 04 > 6700")
    same(loop("--protocol", "T=1", "--json", SELECT, "00 CA BF 22").json["steps"][1]["statusWord"], "9000")


# ---- Scripts ----

def scripts_run_to_their_end():
    ended = scripted(["# a comment", "", SELECT + " > 6F ** 9000  # selected", "  ",
                      "00 84 00 00 04 > {challenge:4} 9000", "00 84 00 00 04\t> {again:4} 9000"])
    same(ended.text.splitlines()[-1], "3 commands, 3 with an expected answer, 0 differed")


def a_difference_stops_the_script():
    lines = [SELECT + " > 6F ** 9000", "00 20 00 01 > 9000", "00 CA 9F 21 00 > 9F21 04 00000001 9000"]
    ended = scripted(lines, code=REFUSED)
    holds("not as expected: expected status 9000, got 6985" in ended.text, ended)
    holds("! line 2\n" in ended.text, ended)
    same(ended.text.splitlines()[-1], "2 commands, 2 with an expected answer, 1 differed")
    found = scripted(lines, "--json", "--keep-going", code=REFUSED).json
    same([step["held"] for step in found["steps"]], [True, False, False])
    same(found["steps"][2]["difference"], "byte 7 of the data differs")
    same(found["held"], False)


def captures_carry_over():
    scripted([SELECT + " > 6F [ 84 [ {name:8} ] ** 9000"], code=USAGE)
    scripted([SELECT + " > 6F 1A 84 [ {name:8} ] {rest:16} 9000", "00 A4 04 0C ( {name} ) > 9000",
              SELECT + " > 6F 1A 84 [ {name} ] {rest} 9000"])


def slips_are_found_before_anything_is_sent():
    with issued() as card:
        script = card.file("script", "00 A4 04 00 ( {aid} ) > ** 9000\n00 20 00 01 08 {wrong_pin}\n"
                                     "00 20 00 01 08 {nobody}\n")
        ended = card("apdu", "--script", script, "--pin-file", card.pin, code=USAGE)
        holds("line 3: column 23: no value is called {nobody}" in ended.err, ended)
        same(ended.out, b"")
        same(card.info()["pinTries"], 3)
        script.write_text("00 20 00 01 > 63\n")
        holds("line 1: column 17: the status word is missing" in
              card("apdu", "--script", script, code=USAGE).err, "says where")


def scripts_come_from_one_place():
    with folder() as card:
        loop(code=USAGE)
        loop("00 20 00 01", "--script", card.pin, code=USAGE)
        scripted(["00 20 00 01"], "--pin-file", "-", code=USAGE)
        scripted(["# nothing"], code=USAGE)
        loop("--script", card.folder / "none", code=IO)
        loop("--script", card.file("large", "#" * 1100000), code=USAGE)


def values_can_be_set():
    loop("--set", "n=0066,le=00", "--select", "00 CA {n} {le} > 6A88")
    for wrong in ("n", "n=0", "n=0g", "=00", "N=00", "pin2=00,pin2=01", "aid=00", "n=" + "00" * 1281):
        ended = loop("--set", wrong, "00 CA 00 66 00", code=USAGE)
        holds("--set: entry" in ended.err, ended)
    with issued() as card:
        holds("no value is called {pin}" not in
              card("apdu", "--set", "pin=00", "--pin-file", card.pin, "00200001 08 {pin}", code=USAGE).err,
              "taken")


def every_example_of_the_contract_runs_as_a_script():
    """The unflattened form, as the contract's files have it, means what the generator makes of it."""
    preamble = tomllib.loads((SPECS / "applet.toml").read_text())["preamble"]
    count = 0
    with folder() as card:
        secrets = ["--protocol", "T=1", "--pin-file", card.pin, "--puk-file", card.puk, "--new-pin-file",
                   card.file("new", NEW_PIN), "--json"]
        for path in sorted(SPECS.glob("*.toml")):
            for example in tomllib.loads(path.read_text()).get("example", []):
                if example.get("fault") or not example.get("select", True):
                    continue
                card.state.unlink(missing_ok=True)
                steps = preamble[example.get("state", "personalised")]
                if steps:
                    card("apdu", "--script", "-", "--select", "--test-keys", *secrets, stdin="\n".join(steps))
                level = example.get("secure")
                found = card("apdu", "--script", "-", *secrets,
                             "--application", example.get("application", "attestation"),
                             *(["--test-keys", "--level", f"{level:02X}"] if level else []),
                             *(["--raw"] if example.get("raw") else []), code=None,
                             stdin="\n".join(example["exchange"]))
                same(found.code, DONE, f"{example['name']}: {found!r}")
                holds(found.json["held"], example["name"])
                count += 1
    holds(count > 100, f"{count} examples")


# ---- Exit codes ----

def last_answer_decides_when_nothing_is_expected():
    loop(SELECT)
    loop("00 FE 00 00", SELECT)
    loop(SELECT, "00 FE 00 00", code=REFUSED)
    loop("--raw", SELECT, "00 CA BF 22")  # 61xx
    loop("--select", "--test-keys", "80 F0 40 0F", SELECT)  # 6285
    with issued() as card:
        card("apdu", "--select", "00 20 00 01", code=REFUSED)  # 63C3


def expectations_decide_when_there_are_some():
    loop("00 FE 00 00 > 6D00")
    loop("00 FE 00 00 > 6D00", "00 FE 00 00")
    loop("00 FE 00 00 > 6E00", SELECT, code=REFUSED)


def no_reader_is_no_card():
    simtie("apdu", "00 20 00 01", code=NO_CARD)
    found = simtie("apdu", "--json", "00 20 00 01", code=NO_CARD)
    same(found.json["error"], "SERVICE")


def nonsense_is_wrong_usage():
    for words in (["00 2"], ["zz"], ["00 A4"], ["00", "A4", "04", "00"], ["( 00"], ["--raw", ""],
                  ["00 20 00 01 > 9"], ["00 20 00 01 {x:4}"], ["00 84 00 00 08 01 02"]):
        same(loop(*words, code=USAGE).out, b"")
    loop("--raw", "00 A4", code=REFUSED)


# ---- Secrets ----

def pins_in_arguments_are_refused():
    for words in ([f"00 20 00 01 08 {PADDED}"], [f"0020000108{PADDED}"], [f"A0 20 00 01 08 {PADDED}"],
                  [f"01 24 00 01 10 {{pin}} {PADDED}"], [f"002C000110{PADDED}{PADDED}"],
                  [f"80 88 00 00 ( 80 [ {{audience}} ] 81 [ {{nonce}} ] 84 [ {PADDED} ] ) 00"],
                  [f"80 E2 90 00 ( 84 [ {PADDED} ] )"], ["90 E2 90 00 02 84 08", f"80 E2 90 00 ( {PADDED} )"],
                  [f"80 E2 90 00 ( {PADDED} )"], [f"00 20 00 01 09 {PADDED}"], [SELECT, f"0020000108{PADDED}"]):
        for more in ([], ["--json"], ["--raw"], ["--show-secrets"]):
            ended = loop(*more, *words, code=USAGE)
            same(ended.out, b"")
            holds("can be read by other users" in ended.err and "{pin}" in ended.err, ended)


def pins_come_from_files():
    with issued() as card:
        wrong = card.file("wrong", WRONG_PIN)
        new = card.file("new", NEW_PIN)
        lines = ["00 20 00 01 08 {pin} > 9000", "00 20 00 01 08 {wrong_pin} > 63C2",
                 "00 24 00 01 10 {pin} {new_pin} > 9000", "00 20 00 01 08 {new_pin} > 9000",
                 "00 2C 00 01 10 {wrong_puk} {pin} > 63C9", "00 2C 00 01 10 {puk} {pin} > 9000",
                 "A0 20 00 01 08 {pin} > 6E00"]
        for more in ([], ["--json"], ["--raw"]):
            ended = card("apdu", "--select", "--pin-file", card.pin, "--new-pin-file", new, "--puk-file",
                         card.puk, *more, *lines)
            holds("*" * 16 in ended.text, "blanked")
        card("apdu", "--select", "--pin-file", wrong, "00 20 00 01 08 {pin} > 63C2")
        card("apdu", "--select", "00 20 00 01 08 {pin} > 9000", env={"SIMTIE_PIN": PIN})
        ended = card("apdu", "--select", "00 20 00 01 08 {pin}", code=None)
        same(ended.code, USAGE, "nowhere to ask")


def pins_are_asked_for_when_named():
    with issued() as card:
        terminal = Terminal("apdu", "--reader", f"loop:{card.state}", "--select",
                            "00 20 00 01 08 {pin} > 9000")
        terminal.expect("PIN")
        terminal.type(PIN + "\n")
        same(terminal.end(), DONE)
        terminal = Terminal("apdu", "--reader", f"loop:{card.state}", "--select", "00 20 00 01")
        same(terminal.end(), REFUSED)
        holds(b"PIN:" not in terminal.seen, "asked for nothing")


def literal_pins_in_scripts_are_blanked():
    with issued() as card:
        script = card.file("script", f"00 A4 04 00 ( {{aid}} )\n00 20 00 01 08 {PADDED} > 9000\n"
                                     f"00 20 00 01 08 {PADDED} > 63C2\n"
                                     f"90 E2 90 00 ( {PADDED} )\n80 E2 90 00 ( {PADDED} )\n"
                                     # What looks like an open object may be a part of a secret.
                                     f"80 E2 90 00 ( 5A [ {PADDED} ] 84 )\n"
                                     f"90 E2 90 00 ( 5A [ {PADDED} ] )\n80 E2 90 00 ( 5A [ {PADDED} ] )\n")
        card("apdu", "--raw", "--script", card.file("cut", f"00 20 00 01 09 {PADDED}\n"), code=REFUSED)
        for more in ([], ["--json"], ["--raw"]):
            card("apdu", "--script", script, "--keep-going", *more, code=REFUSED)


def the_chain_code_is_blanked():
    generate = "00 46 00 00 00 > 7F49 [ 86 [ {q:65} ] C0 [ {code:32} ] ] 9000"
    secure = ["--select", "--test-keys"]
    found = loop("--json", *secure, generate).json["steps"][0]
    holds(found["response"].endswith("C020" + "*" * 64), found)
    objects = found["responseObjects"][0]["objects"]
    same([o["value"] for o in objects][1], "32 bytes, blanked")
    holds("****" not in objects[0]["value"], "the public key is open")
    holds("*" not in loop("--show-secrets", *secure, generate).text, "shown when told")


def secrets_are_shown_when_told():
    with folder() as card:
        pin, puk = card.file("pin", "445566"), card.file("puk", "99887766")
        card.personalise()
        ended = card("apdu", "--show-secrets", "--select", "--pin-file", pin, "00 20 00 01 08 {pin} > 9000")
        holds("0020000108343435353636FFFF" in ended.text, ended)


def no_secret_was_ever_printed():
    same(tool.forget_nothing(), [])


if __name__ == "__main__":
    sys.exit(run([commands_are_decoded, refusals_come_with_advice, what_is_selected_is_said,
                  json_has_each_part, attestations_are_decoded, raw_leaves_everything_to_the_user,
                  scripts_run_to_their_end, a_difference_stops_the_script, captures_carry_over,
                  slips_are_found_before_anything_is_sent, scripts_come_from_one_place, values_can_be_set,
                  keys_open_a_secure_channel, key_files_are_tried_once,
                  every_example_of_the_contract_runs_as_a_script,
                  last_answer_decides_when_nothing_is_expected, expectations_decide_when_there_are_some,
                  no_reader_is_no_card, nonsense_is_wrong_usage, pins_in_arguments_are_refused,
                  pins_come_from_files, pins_are_asked_for_when_named, literal_pins_in_scripts_are_blanked,
                  the_chain_code_is_blanked, secrets_are_shown_when_told, no_secret_was_ever_printed]))
