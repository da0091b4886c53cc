#!/usr/bin/env python3
"""NFC devices that err, or cannot be had: on a simulated PN532, what a session makes of each."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))

import tool
from nfc import ACCESS, BUSY, BYTES, GONE, LATE, LINE, NO_READER, OK, PROTOCOL, Session, echo, fails
from picc import CardA
from pn532 import Chip
from pn532_frame import ACK, NACK, SYNTAX_ERROR, frame
from tap import holds, note, run, same
from tool import NO_CARD, simtie

# ---- Devices that err ----

def one_that_is_late_is_waited_for():
    """libnfc's own bound is 350 ms."""
    with Chip(CardA(echo)) as chip, Session(chip.name) as session:
        chip.faults.only = 0x40
        for fault in ("late_ack", "late_answer"):
            setattr(chip.faults, fault, 1.0)
            same(session.raw(BYTES), BYTES + OK)
    with Chip(CardA(echo)) as chip, Session(chip.name) as session:
        chip.faults.only, chip.faults.late_answer = 0x32, 0.5
        session.reset()
        same(chip.faults.late_answer, 0.0)


def one_that_is_too_late_is_given_up():
    for fault, value in (("late_ack", 4.0), ("late_answer", 4.0), ("mute", True), ("cut", True), ("drip", 0.2),
                         ("endless", True)):
        with Chip(CardA(echo)) as chip, Session(chip.name, 700) as session:
            chip.faults.only = 0x40
            setattr(chip.faults, fault, value)
            start = time.monotonic()
            fails(LATE, session.raw, BYTES)
            holds(0.6 < time.monotonic() - start < 1.2, f"{fault}: {time.monotonic() - start}")
            fails(LATE, session.raw, BYTES)


def in_step(session):
    """That the next exchange has its own answer."""
    same(session.raw(b"\0\4\5\6"), b"\0\4\5\6" + OK)


def garbled_bytes_are_a_fault_of_the_line():
    """Of one exchange alone."""
    for corrupt in ("ack", "start", "length", "data"):
        with Chip(CardA(echo)) as chip, Session(chip.name) as session:
            chip.faults.only, chip.faults.corrupt = 0x40, corrupt
            fails(LINE, session.raw, BYTES)
            in_step(session)


def what_is_asked_then_may_be_garbled_too():
    """Behind a garbled acknowledgement, whose exchange goes on: whether the line is in step, and whether the card is
    there. libnfc asks that twice, and the last answer is under way while it has the first."""
    for code, more in ((0x42, {"corrupt": "ack", "drip": 0.02}), (0x42, {"corrupt": "data"}), (0x42, {"stale": ACK}),
                       (0x42, {"late_ack": 0.4, "drip": 0.02}), (0x00, {"corrupt": "data"})):
        def answer(command):
            if chip.faults.only == 0x40:
                chip.faults.only = code
                for name, value in more.items():
                    setattr(chip.faults, name, value)
            return command + OK

        with Chip(CardA(answer)) as chip, Session(chip.name, 10000) as session:
            chip.faults.only, chip.faults.corrupt = 0x40, "ack"
            fails(LINE, session.raw, BYTES)
            in_step(session)


class Hesitant(Chip):
    """It is slow to say that the line is in step, once a card is there; not so slow when asked again."""

    def _do_00(self, data):
        self._sleep({(0x42, 0x00): 0.6, (0x00, 0x00): 0.3}.get(tuple(self.commands[-2:]), 0))
        return super()._do_00(data)


def a_late_word_that_the_line_is_in_step_is_not_taken_for_the_next():
    """simtie asks again after 500 ms."""
    with Hesitant(CardA(echo)) as chip, Session(chip.name, 10000) as session:
        chip.faults.corrupt = "ack"
        fails(LINE, session.raw, BYTES)
        in_step(session)


def no_answer_is_taken_for_anothers():
    """What comes before the acknowledgement belongs to nothing that was asked."""
    other = frame(bytes.fromhex("D54100") + b"stale" + OK)
    faults = [("stale", stale, LINE) for stale in (other, ACK, other[:7], frame(b"\xD5\x43\x00" + OK), b"\0\0\xFF")]
    faults += [("raw", raw, LINE) for raw in (frame(b"\xD5\x43\x00" + OK), frame(b"\xD4\x41\x00" + OK),
                                              SYNTAX_ERROR, NACK)]
    faults += [("raw", frame(b"\xD5\x41"), PROTOCOL)]  # not even a status
    for name, value, error in faults:
        with Chip(CardA(echo)) as chip, Session(chip.name) as session:
            chip.faults.only = 0x40
            setattr(chip.faults, name, value)
            fails(error, session.raw, BYTES)
            in_step(session)


def status_bytes_are_faults_of_the_line():
    for status in (0x02, 0x05, 0x0B, 0x13):
        with Chip(CardA(echo)) as chip, Session(chip.name) as session:
            chip.faults.only, chip.faults.raw = 0x40, frame(bytes([0xD5, 0x41, status]))
            fails(LINE, session.raw, BYTES)
            in_step(session)
    for status in (0x29, 0x2B):  # the chip says itself that the card has gone
        with Chip(CardA(echo)) as chip, Session(chip.name) as session:
            chip.faults.only, chip.faults.raw = 0x40, frame(bytes([0xD5, 0x41, status]))
            fails(GONE, session.raw, BYTES)


def one_that_is_unplugged_is_gone():
    with Chip(CardA(echo)) as chip, Session(chip.name) as session:
        chip.unplug()
        fails(GONE, session.raw, BYTES)
    fails(NO_READER, Session, chip.name)


def one_that_says_nothing_is_no_reader():
    with Chip(CardA(echo)) as chip:
        chip.faults.mute = True
        holds("no NFC device answers at" in fails(NO_READER, Session, chip.name), "says where")


def one_in_the_middle_of_something_is_opened():
    with Chip(CardA(echo)) as chip:
        chip.faults.stale = frame(bytes.fromhex("D54100") + OK)
        with Session(chip.name) as session:
            same(session.raw(BYTES), BYTES + OK)


# ---- Devices that cannot be had ----

def a_device_is_for_one_program():
    with Chip(CardA(echo)) as chip, tempfile.TemporaryDirectory() as folder:
        other = pathlib.Path(folder) / "reader"
        other.symlink_to(chip.path)
        with Session(chip.name):
            for name in (chip.name, f"nfc:pn532_uart:{other}", chip.name + ":115200"):
                holds("another program is using" in fails(BUSY, Session, name, 300), name)
            ended = simtie("info", "--json", "--reader", chip.name, code=NO_CARD)
            same(ended.json["error"], "BUSY")
        with Session(f"nfc:pn532_uart:{other}") as session:
            same(session.raw(BYTES), BYTES + OK)


def one_waits_for_the_other():
    with Chip(CardA(echo)) as chip:
        first = Session(chip.name)
        timer = threading.Timer(0.5, first.__exit__)
        timer.start()
        with Session(chip.name) as second:
            same(second.raw(BYTES), BYTES + OK)
        timer.join()


def a_program_that_is_killed_leaves_the_device_free():
    """In the middle of an exchange, whose answer then comes to whoever is next."""
    started = threading.Event()

    def answer(command):
        started.set()
        time.sleep(0.3)
        return command + OK

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with Chip(CardA(answer)) as chip:
            started.clear()
            process = subprocess.Popen([tool.PROGRAM, "apdu", "--reader", chip.name, "00A40400"],
                                       env=tool.environment(), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            holds(started.wait(tool.BOUND), "it runs")
            process.send_signal(number)
            process.wait(tool.BOUND)
            with Session(chip.name) as session:
                same(session.raw(BYTES), BYTES + OK)


def what_is_no_device_is_said():
    with tempfile.TemporaryDirectory() as folder:
        plain = pathlib.Path(folder) / "plain"
        plain.write_bytes(b"content")
        holds("is no device" in fails(NO_READER, Session, f"nfc:pn532_uart:{plain}"), "a file")
        same(plain.read_bytes(), b"content")
    holds("there is no /dev/none" in fails(NO_READER, Session, "nfc:pn532_uart:/dev/none"), "not there")
    holds("up to" in fails(NO_READER, Session, "nfc:" + "x" * 200), "too long")
    holds("cannot open" in fails(NO_READER, Session, "nfc:no_such_driver"), "no such driver")
    ended = simtie("info", "--json", "--reader", "nfc:", code=None)
    if ended.code == NO_CARD and ended.json["error"] == "NO_READER":
        holds("nfc:pn532_uart:/dev/ttyUSB0" in ended.json["message"], ended.json)
    else:
        note("this machine has an NFC device of its own")


def who_may_not_use_it_is_told_how():
    with Chip(CardA(echo)) as chip, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(tool.PROGRAM, folder)
        os.chmod(chip.path, 0o600 if os.geteuid() == 0 else 0)
        user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run([program, "info", "--json", "--reader", chip.name], capture_output=True,
                              env=tool.environment(), timeout=tool.BOUND, check=False, cwd="/", **user)
        os.chmod(chip.path, 0o600)
        found = json.loads(done.stdout)
        same((done.returncode, found["error"]), (NO_CARD, "ACCESS"))
        holds(f"may not use {chip.path}" in found["message"], found)


def the_only_device_needs_no_name():
    asked = []
    with Chip(CardA(lambda command: asked.append(command) or OK)) as chip:
        simtie("apdu", "--reader", "nfc:", "00A40400",
               env={"LIBNFC_DEVICE": chip.name.partition("nfc:")[2], "LIBNFC_AUTO_SCAN": "false"})
    same(len(asked), 1)


def threads_have_a_session_each():
    """libnfc keeps its drivers in one list for the whole program."""
    faults = []

    def work(chip):
        try:
            for _ in range(4):
                with Session(chip.name, 20000) as session:
                    for number in range(8):
                        command = b"\0\1\2" + bytes([number])
                        same(session.raw(command), command + OK)
        except Exception as fault:
            faults.append(fault)

    with contextlib.ExitStack() as stack:
        chips = [stack.enter_context(Chip(CardA(echo))) for _ in range(4)]
        threads = [threading.Thread(target=work, args=[chip]) for chip in chips]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    same(faults, [])


if __name__ == "__main__":
    sys.exit(run([one_that_is_late_is_waited_for, one_that_is_too_late_is_given_up,
                  garbled_bytes_are_a_fault_of_the_line, what_is_asked_then_may_be_garbled_too,
                  a_late_word_that_the_line_is_in_step_is_not_taken_for_the_next,
                  no_answer_is_taken_for_anothers, status_bytes_are_faults_of_the_line, one_that_is_unplugged_is_gone,
                  one_that_says_nothing_is_no_reader, one_in_the_middle_of_something_is_opened,
                  a_device_is_for_one_program, one_waits_for_the_other,
                  a_program_that_is_killed_leaves_the_device_free, what_is_no_device_is_said,
                  who_may_not_use_it_is_told_how, the_only_device_needs_no_name, threads_have_a_session_each]))
