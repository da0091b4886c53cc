#!/usr/bin/env python3
"""simtie with a SIM in a simulated modem: every subcommand's way there, signals, refusals, the price."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import tool
from modem import BUILD, Modem
from tap import holds, note, run, same
from tool import IO, NO_CARD, PIN, REFUSED, USAGE, folder, simtie

CLEAN = "trespasses 0, malformed 0, left open 0"
RATIO_MAX = 1.2
RATIO_RUNS = 3  # a machine that others use may need more than one

# What a modem forbids: examples that choose channels, and the two that count on what no AID selects.
CHANNELS = {"class_ff", "closed_channel", "channel_opened_and_closed", "three_more_channels", "channel_by_number",
            "channel_that_cannot_be", "pin_of_one_channel_is_not_anothers"}
DEFAULTS = {"domain_is_selected_by_default", "nothing_selected"}


def conformance(modem, *arguments, **more):
    fresh = f"kill -USR1 {modem.process.pid}"
    return simtie("conformance", "--reader", modem.reader, "--fresh", fresh, "--json", *arguments, **more).json


def outcomes(found, outcome):
    return {result["name"] for result in found["results"] if result["outcome"] == outcome}


def every_example_that_it_can_carry_holds(*words):
    """The examples are those of the card in the process; each that is left out says why."""
    loop = simtie("conformance", "--reader", "loop:", "--protocol", "T=0", "--json").json
    with Modem(*words) as modem:
        found = conformance(modem)
        said = modem.end()
    left_out = outcomes(loop, "passed") - outcomes(found, "passed")
    forbidden = {r["name"] for r in found["results"] if "the modem forbids it" in r["text"]}
    line = {r["name"] for r in found["results"] if r["text"].startswith("a T=0 line adds a length")}
    same((outcomes(found, "failed"), found["protocol"], found["atr"]), (set(), "T=0", ""))
    same(left_out, (forbidden | line) & outcomes(loop, "passed"))
    holds(len(line) <= 6, line)
    same(said.split(", ")[0], "trespasses 0")
    same(said.split(", ")[2], "left open 0")
    note(f"{'/'.join(words)}: {found['passed']} passed, {len(forbidden)} forbidden, {len(line)} not for T=0")
    return forbidden


def every_example_holds_by_csim():
    forbidden = every_example_that_it_can_carry_holds("csim")
    holds(CHANNELS <= forbidden, CHANNELS - forbidden)
    holds(not forbidden & DEFAULTS, forbidden)


def every_example_holds_by_sessions():
    forbidden = every_example_that_it_can_carry_holds("cgla", "chatty", "echo")
    holds(CHANNELS | DEFAULTS <= forbidden, (CHANNELS | DEFAULTS) - forbidden)


def a_modem_that_fetches_answers_is_fine():
    every_example_that_it_can_carry_holds("csim", "fetches")


def a_sim_in_a_modem_attests():
    for words in (("csim",), ("cgla", "csim"), ("cgla", "fetches", "chatty", "echo")):
        with folder() as card, Modem(*words) as modem:
            at = ("--reader", modem.reader)
            trace = card.folder / "trace"
            simtie("personalise", *at, "--pin-file", card.pin, "--puk-file", card.puk, "--record", card.record)
            info = simtie("info", *at, "--json").json
            same((info["lifecycle"], info["atr"], info["reader"]), ("personalised", "", modem.reader))
            holds(re.search(r"^ATR +not told by the modem$", simtie("info", *at).text, re.M), "ATR")
            token = simtie("attest", *at, "--audience", tool.AUDIENCE, "--nonce", tool.NONCE, "--pin-file", card.pin,
                           "--trace", trace).out
            same(card.counter(token), 1)
            holds("T=0, ATR unknown" in trace.read_text(), trace.read_text())
            holds(not tool.leaks(trace.read_bytes(), PIN), "the PIN is in the trace")
            wrong = simtie("pin", "verify", *at, "--pin-file", card.file("wrong", tool.WRONG_PIN), code=REFUSED)
            holds("2 tries left" in wrong.err, wrong)
            same(modem.end(), CLEAN)


def signals_close_the_channel():
    """In the midst of a command that takes its time."""
    for words in (("csim",), ("cgla",)):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with folder() as files, Modem(*words, "slow=100") as modem:
                trace = files.folder / "trace"
                process = subprocess.Popen([tool.PROGRAM, "info", "--reader", modem.reader, "--trace", trace],
                                           stdout=subprocess.DEVNULL, env=tool.environment())
                until(lambda: b"\n@" in trace.read_bytes())
                process.send_signal(number)
                same(process.wait(tool.BOUND), -number)
                same(modem.end(), CLEAN)


def until(condition):
    end = time.monotonic() + tool.BOUND
    while time.monotonic() < end:
        try:
            if condition():
                return
        except FileNotFoundError:
            pass
        time.sleep(0.005)  # between two looks at a file that another process writes
    raise AssertionError("did not come")


def an_ignored_hangup_stays_ignored():
    with Modem("csim", "slow=50") as modem:
        ended = subprocess.run(["sh", "-c", 'trap "" HUP; "$0" info --reader "$1" & sleep 0.3; kill -HUP $!; wait $!',
                                tool.PROGRAM, modem.reader], env=tool.environment(), stdout=subprocess.PIPE,
                               timeout=tool.BOUND, check=False)
        same(ended.returncode, 0)
        same(modem.end(), CLEAN)


def refusals_are_said_and_coded():
    for cme, error, code, text in ((10, "NO_CARD", NO_CARD, "there is no SIM in the modem"),
                                   (11, "ACCESS", NO_CARD, "the SIM's own PIN, which is not simtie's"),
                                   (14, "BUSY", NO_CARD, "try again in some seconds"),
                                   (3, "TRANSPORT", IO, "does not allow it")):
        with Modem("csim", f"cme={cme}") as modem:
            ended = simtie("info", "--reader", modem.reader, "--json", code=code)
            same(ended.json["error"], error)
            holds(text in ended.err and "PC/SC" not in ended.err and "polkit" not in ended.err, ended)


def a_modem_that_goes_or_falls_silent_ends_the_run():
    for words, error in ((("csim", "gone", "after=3"), "GONE"), (("cgla", "mute", "after=3"), "TIMEOUT"),
                         (("cgla", "half", "after=3"), "TIMEOUT")):
        with Modem(*words) as modem:
            ended = simtie("info", "--reader", modem.reader, "--json", code=None)
            holds(ended.code in (NO_CARD, IO), ended)
            same(ended.json["error"], error)


def names_and_ports_that_are_none():
    same(simtie("info", "--reader", "at:", "--json", code=NO_CARD).json["error"], "NO_READER")
    ended = simtie("info", "--reader", "at:/dev/null", code=NO_CARD)
    holds("is no serial port; `simtie doctor` shows" in ended.err, ended)
    holds("115200" in simtie("info", "--reader", "at:/dev/null,12", code=USAGE).err, "speeds")
    with Modem("csim") as modem:
        ended = simtie("info", "--reader", modem.reader + ",quickly", code=NO_CARD)
        holds("a modem is named at:PORT[,SPEED]" in ended.err, ended)
        same(simtie("info", "--reader", modem.reader + ",921600,csim", "--json").json["lifecycle"], "factory")
        ended = simtie("apdu", "--reader", modem.reader, "--protocol", "T=1", "00CA9F2100", code=None)
        holds("in the form of T=0 alone" in ended.err, ended)


def two_programs_take_turns():
    """The second waits for the first, as at a PC/SC reader."""
    with Modem("cgla", "slow=30") as modem:
        both = [subprocess.Popen([tool.PROGRAM, "info", "--reader", modem.reader], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, env=tool.environment()) for _ in range(2)]
        for process in both:
            said = process.communicate(timeout=tool.BOUND)[1]
            same((process.returncode, said), (0, b""))
        same(modem.end(), CLEAN)


def doctor_looks_for_modems():
    with folder() as files, Modem("csim") as modem:
        (files.folder / "dev").mkdir()
        (files.folder / "dev" / "ttyUSB2").write_text("")
        (files.folder / "proc" / "77").mkdir(parents=True)
        (files.folder / "proc" / "77" / "comm").write_text("ModemManager\n")
        found = simtie("doctor", "--root", files.folder, "--json", code=NO_CARD).json["findings"]
        said = [(f["verdict"], f["text"], f["advice"]) for f in found if f["check"] == "modems"]
        same([text for _, text, _ in said], ["ports that may lead to a modem: /dev/ttyUSB2",
                                             "ModemManager runs and holds modems' ports"])
        found = simtie("doctor", "--reader", modem.reader, "--json").json
        same((found["ready"], found["ill"]), (1, 0))
        texts_of_card = [f["text"] for f in found["findings"] if f["check"] == "card"]
        same(texts_of_card[0], "a card answers at T=0")
        same(modem.end(), CLEAN)
    with Modem("csim", "cme=10") as modem:
        found = simtie("doctor", "--reader", modem.reader, "--json", code=None).json["findings"]
        holds(any("no SIM in the modem" in f["text"] and "advice" not in f for f in found), found)


def the_way_costs_little():
    """A command against its bare AT command, an attestation against the same without a modem."""
    best = {}
    for _ in range(RATIO_RUNS):
        with Modem("cgla") as modem:
            done = subprocess.run([str(BUILD / "bench" / "bench_modem"), modem.port], capture_output=True, text=True,
                                  timeout=120, check=True)
        for name, ratio in re.findall(r"^(\w+) +([0-9.]+) ", done.stdout, re.M):
            best[name] = min(best.get(name, 99), float(ratio))
        if max(best.values()) <= RATIO_MAX:
            break
    note(f"ratios {best}")
    same(sorted(best), ["attestation", "exchange"])
    holds(max(best.values()) <= RATIO_MAX, best)


def no_secret_was_ever_printed():
    same(tool.forget_nothing(), [])


if __name__ == "__main__":
    sys.exit(run([every_example_holds_by_csim, every_example_holds_by_sessions, a_modem_that_fetches_answers_is_fine,
                  a_sim_in_a_modem_attests, signals_close_the_channel, an_ignored_hangup_stays_ignored,
                  refusals_are_said_and_coded, a_modem_that_goes_or_falls_silent_ends_the_run,
                  names_and_ports_that_are_none, two_programs_take_turns, doctor_looks_for_modems,
                  the_way_costs_little, no_secret_was_ever_printed]))
