#!/usr/bin/env python3
"""simtie conformance: on virtual cards in the process, and on cards in a reader, good and bad ones."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import xml.etree.ElementTree

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))
if __name__ == "__main__" and "PCSCD_START" not in os.environ:
    os.execv(LIB / "private-pcscd", ["private-pcscd", "--", sys.executable, os.path.abspath(__file__)])

import pcsc
import tool
import vcard
from fake_card import FakeCard, Meddler
from tap import holds, run, same
from tool import NO_CARD, PIN, REFUSED, USAGE, WRONG_PIN, folder, simtie

PORT = 35963
READER = {"PCSCLITE_CSOCK_NAME": "/run/pcscd/pcscd.comm"}
FAULTS = 16        # examples that need memory or random source to fail
TRIES_FULL = bytes.fromhex("00200001")
KEY = "404142434445464748494A4B4C4D4E4F"  # that everybody knows
# T=0, no other protocol, "simtie" as historical bytes.
ATR_T0 = "3B0673696D746965"


def by_name(found):
    return {result["name"]: result for result in found["results"]}


def outcomes(found, *names):
    results = by_name(found)
    return [results[name]["outcome"] for name in names]


def counts(found):
    return found["passed"], found["failed"], found["skipped"]


def loop(*arguments, **more):
    return simtie("conformance", "--reader", "loop:", *arguments, **more)


def in_reader(*arguments, **more):
    """On the card in the first reader. No run prints a PIN: the last test sees to that."""
    return simtie("conformance", "--reader", "0", *arguments, env=READER, **more)


def wait(present, number=0):
    with pcsc.Context() as context:
        return context.wait(context.readers()[number], present)


@contextlib.contextmanager
def inserted(*options):
    """A factory-fresh simtie-card in the first reader, which was empty before."""
    wait(False)
    with vcard.Card(*options, port=PORT) as card:
        wait(True)
        yield card
    wait(False)


@contextlib.contextmanager
def meddled(meddle, *options):
    """The same with a function between card and reader."""
    wait(False)
    between = Meddler(PORT, meddle)
    with between.reader, vcard.Card(*options, port=between.reader.port):
        with between.insert() as fake:
            wait(True)
            yield fake
    wait(False)


@contextlib.contextmanager
def personalised(*options):
    """A personalised simtie-card in the first reader; yields it and the files that belong to it."""
    with folder() as files, inserted(*options) as card:
        personalise(files)
        yield card, files


def personalise(files):
    simtie("personalise", "--reader", "0", "--pin-file", files.pin, "--puk-file", files.puk, "--record",
           files.record, env=READER)


def info():
    return simtie("info", "--reader", "0", "--json", env=READER).json


# ---- In the process ----

def every_example_holds_in_process():
    for protocol, only_there in (("T=1", 0), ("T=0", 1)):
        found = loop("--protocol", protocol, "--json").json
        same((found["failed"], found["skipped"], found["protocol"]), (0, FAULTS + only_there, protocol))
        holds(found["passed"] > 115, found)
        same(outcomes(found, "attestation_verifies", "terminate", "tenth_wrong_puk_blocks_for_good"),
             ["passed"] * 3)
        same(outcomes(found, "put_key_until_full", "clear_command_ends_the_session", "store_by_a_chain",
                      "tenth_failure_blocks_the_key_set"), ["passed"] * 4)
        for result in found["results"]:
            holds(bool(result["text"]) == (result["outcome"] != "passed"), result)


def last_line_counts():
    same(loop("--only", "SELECT").text.splitlines()[-1], "9 passed, 0 failed, 0 skipped")
    text = loop("--only", "terminate*").text
    holds("passed   SET_STATUS/terminate\n" in text, text)
    holds("skipped  SET_STATUS/terminate_on_memory_that_fails\n         needs memory or random" in text, text)


def only_picks_by_name_and_command():
    same(counts(loop("--only", "third_wrong_pin_blocks", "--json").json), (1, 0, 0))
    same(counts(loop("--only", "VERIFY_PIN/*", "--json").json), (6, 0, 1))
    same(counts(loop("--only", "attestation_verifies", "--json").json), (1, 0, 0))
    holds("--only" in loop("--only", "nothing_like_it", code=USAGE).err, "says which option")
    # Nothing that passed is no success.
    same(counts(loop("--only", "pin_on_memory_that_fails", "--json", code=REFUSED).json), (0, 0, 1))


def list_needs_no_card():
    lines = simtie("conformance", "--list").text.splitlines()
    holds("VERIFY_PIN/third_wrong_pin_blocks  personalised, effect lasting" in lines, lines)
    holds("COMMON/lc_disagrees_with_data  personalised, effect none, raw, T=1" in lines, lines)
    found = simtie("conformance", "--list", "--json", "--only", "terminate").json["examples"]
    same(found, [{"group": "SET_STATUS", "name": "terminate", "state": "factory", "effect": "lasting",
                  "raw": False, "protocol": "", "fault": "", "application": "attestation",
                  "securityLevel": "33"}])
    holds("PUT_KEY/put_key_outside_a_session  personalised, effect none, domain" in lines, lines)


def junit_counts_as_the_last_line_does():
    with folder() as files:
        path = files.folder / "junit.xml"
        loop("--junit", path, "--only", "VERIFY_PIN")
        suite = xml.etree.ElementTree.parse(path).getroot().find("testsuite")
        same([suite.get(name) for name in ("name", "tests", "failures", "skipped")],
             ["simtie conformance", "7", "0", "1"])
        cases = suite.findall("testcase")
        same({case.get("classname") for case in cases}, {"VERIFY_PIN"})
        same(len(cases), 7)
        same([case.get("name") for case in cases if case.find("skipped") is not None],
             ["pin_on_memory_that_fails"])
        holds(all(float(case.get("time")) >= 0 for case in cases), "times")
        same({p.get("name") for p in suite.find("properties")}, {"reader", "atr", "protocol", "version"})
        ended = loop("--junit", files.folder / "none" / "junit.xml", "--only", "SELECT", code=tool.IO)
        holds("cannot be written" in ended.err, ended)


def wrong_usage_is_said():
    loop("--fresh", "true", code=USAGE)
    loop("word", code=USAGE)
    with folder() as files:
        in_reader("--fresh", "true", "--record", files.pin, code=USAGE)
        in_reader("--record", files.pin, code=tool.IO)


# ---- Cards in a reader ----

def no_card_is_exit_3():
    wait(False)
    ended = in_reader(code=NO_CARD)
    same(ended.text, "0 passed, 0 failed, 0 skipped\n")
    holds("the run was broken off: the reader is empty" in ended.err, ended)
    same(in_reader("--json", code=NO_CARD).json["error"], "NO_CARD")
    same(simtie("conformance", "--json", code=NO_CARD).json["error"], "SERVICE")


def factory_card_stays_as_it_was():
    with inserted():
        before = info()
        found = in_reader("--json").json
        same(found["failed"], 0)
        same(outcomes(found, "select_factory", "store_unknown_object", "chain_interrupted"), ["passed"] * 3)
        same(outcomes(found, "generate", "right_pin", "attestation_verifies"), ["skipped"] * 3)
        same(info(), before)


def all_personalises_a_factory_card():
    with inserted():
        found = in_reader("--all", "--json").json
        same(found["failed"], 0)
        same(outcomes(found, "personalise_through_the_domain", "right_pin", "change_when_blocked", "attest_full",
                      "attestation_verifies"), ["passed"] * 5)
        same(outcomes(found, "terminate", "third_wrong_pin_blocks"), ["skipped"] * 2)
        after = info()
        same((after["lifecycle"], after["pinTries"]), ("personalised", 3))


def without_a_pin_none_is_needed():
    with personalised():
        found = in_reader("--json").json
        same(found["failed"], 0)
        same(outcomes(found, "applet_information", "three_more_channels", "le_too_small"), ["passed"] * 3)
        results = by_name(found)
        same(results["wrong_pin_costs_a_try"]["text"], "needs the card's PIN: give --pin-file")
        same(results["unblock_to_a_malformed_pin"]["text"], "needs the card's PUK: give --puk-file")
        same(results["attestation_verifies"]["outcome"], "skipped")
        same((info()["pinTries"], info()["counter"]), (3, 0))


def with_pin_and_record_tries_are_given_back():
    with personalised() as (_, files):
        found = in_reader("--json", "--pin-file", files.pin, "--puk-file", files.puk, "--record",
                          files.record).json
        same(found["failed"], 0)
        same(outcomes(found, "wrong_pin_costs_a_try", "change_and_change_back", "attest_with_wrong_pin",
                      "unblock_to_a_malformed_pin", "attestation_verifies"), ["passed"] * 5)
        same(outcomes(found, "third_wrong_pin_blocks", "unblock", "terminate"), ["skipped"] * 3)
        same((info()["pinTries"], info()["pukTries"]), (3, 10))
        simtie("pin", "verify", "--reader", "0", "--pin-file", files.pin, env=READER)


def a_wrong_pin_costs_one_try_and_ends_the_run():
    with personalised() as (_, files):
        ended = in_reader("--pin-file", files.file("wrong", WRONG_PIN), code=REFUSED)
        holds("the card refused the PIN, 2 tries are left" in ended.err, ended)
        same(info()["pinTries"], 2)
        # Tries that are missing are given back first; without the PIN nothing relies on them.
        found = in_reader("--json", code=REFUSED).json
        same((found["passed"], found["failed"]), (0, 0))
        holds("2 of 3 PIN tries" in by_name(found)["applet_information"]["text"], found)
        same(in_reader("--json", "--pin-file", files.pin).json["failed"], 0)
        same(info()["pinTries"], 3)


def key_file(files, name, key):
    path = files.file(name, f"version 30\nkey {key}\n")
    path.chmod(0o600)
    return path


def keys_that_are_given_open_the_channel():
    with folder() as files, inserted():
        before = info()
        keys = key_file(files, "keys", KEY)
        found = in_reader("--json", "--keys", keys).json
        same(found["failed"], 0)
        same(outcomes(found, "session_opened", "put_key_malformed", "authenticate_wrongly"), ["skipped"] * 3)
        same(outcomes(found, "store_in_clear", "generate_where_the_answer_would_be_in_clear"), ["passed"] * 2)
        same(info(), before)
    with folder() as files, personalised():
        found = in_reader("--json", "--keys", key_file(files, "keys", KEY)).json
        same(found["failed"], 0)
        same(outcomes(found, "session_opened", "put_key_malformed", "authenticate_wrongly"), ["passed"] * 3)
        same(outcomes(found, "put_key_adds_a_set", "tenth_failure_blocks_the_key_set"), ["skipped"] * 2)


def keys_that_are_not_the_cards_are_tried_once():
    begun = []

    def meddle(command, ask):
        begun.append(command[:2] == b"\x80\x50" and len(command) == 14)
        return ask(command)

    with folder() as files, meddled(meddle):
        found = in_reader("--json", "--keys", key_file(files, "wrong", KEY[2:] + "50"), code=REFUSED).json
        same((found["failed"], sum(begun)), (1, 1))
        said = [r["text"] for r in found["results"] if "these are not the card's keys" in r["text"]]
        holds(len(said) > 4, "the rest is left out for it")


def without_keys_a_card_of_a_maker_is_spared():
    """One that does not say that it is virtual: nothing is authenticated, not even wrongly."""
    def meddle(command, ask):
        answer = ask(command)
        at = answer.find(b"\x82\x01\x00\x83\x01") if command[:4] == b"\x00\xCA\xBF\x20" else -1
        return answer[:at + 2] + b"\x03" + answer[at + 3:] if at >= 0 else answer

    with folder() as files, meddled(meddle) as fake:
        refused = simtie("personalise", "--reader", "0", "--pin-file", files.pin, "--puk-file", files.puk,
                         "--record", files.record, env=READER, code=USAGE)
        holds("give its keys with --keys" in refused.err, refused)
        results = by_name(in_reader("--json", "--all").json)
        holds("give its keys with --keys" in results["session_opened"]["text"], results["session_opened"])
        holds("give them with --keys" in results["authenticate_wrongly"]["text"], results["authenticate_wrongly"])
        holds(all(command[:2] != b"\x84\x82" for command in fake.commands), "authenticated")


def no_try_is_taken_with_fewer_than_two_left():
    with personalised() as (_, files):
        wrong = files.file("wrong", WRONG_PIN)
        for _ in range(2):
            simtie("pin", "verify", "--reader", "0", "--pin-file", wrong, env=READER, code=REFUSED)
        found = in_reader("--json", "--pin-file", files.pin, code=REFUSED).json
        same((found["passed"], found["failed"]), (0, 0))
        same(info()["pinTries"], 1)


def the_wrong_record_is_found_out():
    with personalised() as (_, files), folder() as others:
        others.personalise()
        found = in_reader("--json", "--pin-file", files.pin, "--record", others.record, "--only", "CHECK",
                          code=REFUSED).json
        same(counts(found), (0, 1, 0))
        holds("is the record this card's?" in found["results"][0]["text"], found)


def fresh_cards_run_every_example():
    with inserted() as card:
        found = in_reader("--json", "--fresh", f"kill -USR1 {card.process.pid}").json
        same((found["failed"], found["skipped"], found["protocol"]), (0, FAULTS, "T=1"))
        holds(found["passed"] > 115, found)
        same(outcomes(found, "attestation_verifies", "terminate", "generate_again"), ["passed"] * 3)


def fresh_starts_from_whatever_is_there():
    with personalised() as (card, _):
        found = in_reader("--json", "--fresh", f"echo on stderr; kill -USR1 {card.process.pid}", "--only",
                          "SET_STATUS").json
        same((found["failed"], found["skipped"]), (0, 1))
        ended = in_reader("--fresh", "exit 7", "--only", "terminate", code=USAGE)
        holds("the command of --fresh failed" in ended.err, ended)


def a_card_that_is_not_fresh_is_waited_out():
    with personalised():
        ended = in_reader("--fresh", "true", "--wait", "5", code=NO_CARD)
        holds("no factory-fresh card came within 5 s" in ended.err, ended)
        same((ended.text, info()["lifecycle"]), ("0 passed, 0 failed, 0 skipped\n", "personalised"))


def t0_cards_hold_as_well():
    with inserted("--atr", ATR_T0) as card:
        found = in_reader("--json", "--fresh", f"kill -USR1 {card.process.pid}", "--only", "COMMON").json
        same((found["failed"], found["protocol"]), (0, "T=0"))
        same(outcomes(found, "lc_disagrees_with_data", "header_cut_short", "le_absent"),
             ["skipped", "passed", "passed"])


# ---- Bad cards, bad lines ----

def a_line_that_adds_lengths_is_no_fault_of_the_card():
    def t0_line(command, ask):
        return ask(command + b"\0" if len(command) == 4 else command)

    with meddled(t0_line, "--atr", ATR_T0):
        found = in_reader("--json", "--all").json
        same(found["failed"], 0)
        results = by_name(found)
        same(results["le_absent"]["outcome"], "skipped")
        holds(results["le_absent"]["text"].startswith("a T=0 line adds a length"), results["le_absent"])


def a_card_that_errs_fails_by_name():
    def meddle(command, ask):
        answer = ask(command)
        if command[:2] == b"\x00\x70" and command[2:4] == b"\x00\x04":
            return b"\x6A\x80"  # in place of 6A86
        if command[:4] == b"\x00\xCA\xBF\x20":
            return answer[:7] + b"\x01" + answer[8:]  # another version
        return answer

    with meddled(meddle), folder() as files:
        path = files.folder / "junit.xml"
        found = in_reader("--json", "--all", "--junit", path, code=REFUSED).json
        failed = {r["name"]: r["text"] for r in found["results"] if r["outcome"] == "failed"}
        same(sorted(failed), ["applet_information", "applet_information_of_a_factory_card",
                              "channel_that_cannot_be"])
        same(failed["channel_that_cannot_be"], "step 1: expected status 6A86, got 6A80; sent 00700004, "
                                               "expected 6A86, got 6A80")
        holds("byte 8 of the data differs" in failed["applet_information"], failed)
        failures = xml.etree.ElementTree.parse(path).findall(".//failure")
        same(sorted(f.get("message") for f in failures), sorted(failed.values()))


def a_pin_left_changed_is_changed_back():
    """The example that changes the PIN and changes it back, cut off in between."""
    state = {"broken": False}

    def meddle(command, ask):
        if command[:2] == b"\x00\x24" and not state["broken"]:
            state["broken"] = True
            ask(command)
            return b"\x64\x00"
        return ask(command)

    with folder() as files, meddled(meddle):
        personalise(files)
        found = in_reader("--json", "--pin-file", files.pin, code=REFUSED).json
        same([r["name"] for r in found["results"] if r["outcome"] == "failed"], ["change_and_change_back"])
        same(info()["pinTries"], 3)
        simtie("pin", "verify", "--reader", "0", "--pin-file", files.pin, env=READER)


def an_interrupt_waits_until_tries_are_back():
    running = []

    def meddle(command, ask):
        answer = ask(command)
        if running and answer == b"\x63\xC2" and command[4:5] == b"\x08":
            running.pop().send_signal(signal.SIGINT)
        return answer

    with folder() as files, meddled(meddle):
        personalise(files)
        process = subprocess.Popen([tool.PROGRAM, "conformance", "--reader", "0", "--pin-file", files.pin],
                                   stdout=subprocess.PIPE, env=tool.environment(**READER))
        running.append(process)
        tool.remember(["conformance"], process.communicate(timeout=tool.BOUND)[0])
        same((process.returncode, running), (-signal.SIGINT, []))
        same(info()["pinTries"], 3)


def a_card_that_forges_attestations_fails():
    def meddle(command, ask):
        answer = ask(command)
        if command[:2] == b"\x80\x88" and answer[-2:] == b"\x90\x00":
            return answer[:-3] + bytes([answer[-3] ^ 1]) + answer[-2:]
        return answer

    with meddled(meddle):
        found = in_reader("--json", "--all", "--only", "CHECK", code=REFUSED).json
        same(counts(found), (0, 1, 0))
        holds("mbedTLS: the signature does not fit" in found["results"][0]["text"], found)


def a_card_taken_out_breaks_the_run_off():
    seen = []

    def meddle(command, ask):
        seen.append(command)
        if command[:2] != b"\x00\x84":  # GET CHALLENGE, in the midst of an example
            return ask(command)
        fake.pull()
        return None

    with meddled(meddle) as fake:
        found = in_reader("--json", "--all", code=None)
    holds(found.code in (NO_CARD, tool.IO), found)
    holds(found.json["error"] in ("GONE", "TRANSPORT", "NO_CARD"), found)
    holds(found.json["passed"] > 0 and found.json["failed"] == 1, found)


def a_foreign_card_is_no_card():
    wait(False)
    with FakeCard(PORT, lambda command: b"\x6A\x82"):
        wait(True)
        same(in_reader("--json", code=NO_CARD).json["error"], "NO_APPLET")
    wait(False)


def a_card_that_does_not_say_its_lifecycle_is_left_alone():
    def meddle(command, ask):
        answer = ask(command)
        return b"\x90\x00" if command[:2] == b"\x00\xA4" and answer[-2:] == b"\x90\x00" else answer

    with meddled(meddle) as fake:
        ended = in_reader("--all", code=tool.IO)
        holds("SELECT does not say the card's lifecycle" in ended.err, ended)
        holds(all(command[1] in (0xA4, 0xCA) for command in fake.commands), fake.commands)


def no_secret_was_ever_printed():
    same(tool.forget_nothing(), [])


if __name__ == "__main__":
    sys.exit(run([every_example_holds_in_process, last_line_counts, only_picks_by_name_and_command,
                  list_needs_no_card, junit_counts_as_the_last_line_does, wrong_usage_is_said,
                  no_card_is_exit_3, factory_card_stays_as_it_was, all_personalises_a_factory_card,
                  without_a_pin_none_is_needed, with_pin_and_record_tries_are_given_back,
                  a_wrong_pin_costs_one_try_and_ends_the_run,
                  keys_that_are_given_open_the_channel, keys_that_are_not_the_cards_are_tried_once,
                  without_keys_a_card_of_a_maker_is_spared, no_try_is_taken_with_fewer_than_two_left,
                  the_wrong_record_is_found_out, fresh_cards_run_every_example,
                  fresh_starts_from_whatever_is_there,
                  a_card_that_is_not_fresh_is_waited_out, t0_cards_hold_as_well,
                  a_line_that_adds_lengths_is_no_fault_of_the_card, a_card_that_errs_fails_by_name,
                  a_pin_left_changed_is_changed_back, an_interrupt_waits_until_tries_are_back,
                  a_card_that_forges_attestations_fails,
                  a_card_taken_out_breaks_the_run_off, a_foreign_card_is_no_card,
                  a_card_that_does_not_say_its_lifecycle_is_left_alone, no_secret_was_ever_printed]))
