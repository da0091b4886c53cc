#!/usr/bin/env python3
"""simtie over NFC, through libnfc and a simulated PN532: every example of the contract, cards that come and
go, devices that err or cannot be had."""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))

import pn532
import tool
import vcard
from pn532 import ACK, DATA_MAX, CardA, CardB, Chip
from tap import holds, note, run, same
from tool import NO_CARD, USAGE, simtie

BUILD = pathlib.Path(tool.PROGRAM).parent
OK = b"\x90\x00"
BYTES = b"\0\1\2\3"  # that a card gives back
RATIO_MAX = 1.2

# Of enum simtie_error.
ARGUMENT, ACCESS, NO_READER, AMBIGUOUS, CARD_ABSENT, BUSY, MUTE = -1, -4, -5, -6, -7, -8, -9
GONE, LATE, LINE, PROTOCOL = -10, -11, -12, -13


# ---- The library, called as a program would ----

class Options(ctypes.Structure):
    _fields_ = [("reader", ctypes.c_char_p), ("trace", ctypes.c_char_p), ("trace_secrets", ctypes.c_bool),
                ("protocol", ctypes.c_int), ("timeout_ms", ctypes.c_uint), ("guard", ctypes.c_void_p),
                ("detail", ctypes.c_char_p)]


library = ctypes.CDLL(str(BUILD / "libsimtie.so"))
library.simtie_session_reader.restype = ctypes.c_char_p
library.simtie_session_over_the_air.restype = ctypes.c_bool
library.simtie_status_word.restype = ctypes.c_uint16


class Failed(Exception):
    def __init__(self, error, detail=""):
        super().__init__(error, detail)
        self.error, self.detail = error, detail


class Session:
    """A session; `with` closes it."""

    def __init__(self, reader, bound_ms=3000, protocol=0):
        detail = ctypes.create_string_buffer(512)
        options = Options(reader=reader.encode(), protocol=protocol, timeout_ms=bound_ms,
                          detail=ctypes.cast(detail, ctypes.c_char_p))
        self.handle = ctypes.c_void_p()
        error = library.simtie_open(ctypes.byref(options), ctypes.byref(self.handle))
        if error:
            raise Failed(error, detail.value.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        library.simtie_close(ctypes.byref(self.handle))

    def raw(self, command, room=65536):
        """One exchange: the whole response."""
        out, size = ctypes.create_string_buffer(room), ctypes.c_size_t()
        error = library.simtie_transmit_raw(self.handle, command, ctypes.c_size_t(len(command)), out,
                                            ctypes.c_size_t(room), ctypes.byref(size))
        if error:
            raise Failed(error)
        return out.raw[:size.value] + library.simtie_status_word(self.handle).to_bytes(2, "big")

    def reset(self):
        if error := library.simtie_reset(self.handle):
            raise Failed(error)

    @property
    def reader(self):
        return library.simtie_session_reader(self.handle).decode()

    @property
    def by_radio(self):
        return library.simtie_session_over_the_air(self.handle)

    @property
    def atr(self):
        size = ctypes.c_size_t()
        library.simtie_session_atr.restype = ctypes.POINTER(ctypes.c_uint8)
        return bytes(library.simtie_session_atr(self.handle, ctypes.byref(size))[:size.value])


def fails(error, call, *arguments):
    """That it fails so; the sentence that comes with it."""
    try:
        call(*arguments)
    except Failed as failed:
        same(failed.error, error, failed.detail)
        return failed.detail
    raise AssertionError(f"no error {error}")


def echo(command):
    return command + OK


@contextlib.contextmanager
def virtual_card(kind=CardA, **more):
    """A simtie-card on the antenna of a chip; yields chip, card and a way to make it factory-fresh."""
    with vcard.Reader() as reader, vcard.Card(port=reader.port) as process:
        reader.accept()

        def fresh():
            reader.lose()
            process.send(signal.SIGUSR1)
            reader.accept()

        card = kind(reader.ask, lambda: reader.send(vcard.RESET), **more)
        with Chip(card) as chip:
            yield chip, card, fresh


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
                holds(outside.await_target(), "offered again")
            outside.tap()

        with Chip(CardA(outside.ask, power)) as inside:
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


# ---- Devices that err ----

def one_that_is_late_is_waited_for():
    """libnfc's own bound is 350 ms."""
    with Chip(CardA(echo)) as chip, Session(chip.name) as session:
        chip.faults.only = 0x40
        for fault in ("late_ack", "late_answer"):
            setattr(chip.faults, fault, 1.0)
            same(session.raw(BYTES), BYTES + OK)


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


def garbled_bytes_are_a_fault_of_the_line():
    for corrupt in ("ack", "start", "length", "data"):
        with Chip(CardA(echo)) as chip, Session(chip.name) as session:
            chip.faults.only, chip.faults.corrupt = 0x40, corrupt
            fails(LINE, session.raw, BYTES)
            same(session.raw(b"\0\4\5\6"), b"\0\4\5\6" + OK)


def no_answer_is_taken_for_anothers():
    """What comes before the acknowledgement belongs to nothing that was asked."""
    other = pn532.frame(bytes.fromhex("D54100") + b"stale" + OK)
    for stale in (other, ACK, other[:7], pn532.frame(b"\xD5\x43\x00" + OK), b"\0\0\xFF"):
        with Chip(CardA(echo)) as chip, Session(chip.name, 1000) as session:
            chip.faults.only, chip.faults.stale = 0x40, stale
            try:
                raise AssertionError(f"{stale.hex()}: {session.raw(BYTES)}")
            except Failed as failed:
                holds(failed.error in (LINE, GONE, PROTOCOL, LATE), failed)
                again = failed.error in (LINE, PROTOCOL)
            if again:  # what follows is in order again
                same(session.raw(b"\0\4\5\6"), b"\0\4\5\6" + OK)
    for raw in (pn532.frame(b"\xD5\x41"), pn532.frame(b"\xD5\x43\x00" + OK), pn532.frame(b"\xD4\x41\x00" + OK),
                pn532.SYNTAX_ERROR, pn532.NACK):
        with Chip(CardA(echo)) as chip, Session(chip.name, 1000) as session:
            chip.faults.only, chip.faults.raw = 0x40, raw
            try:
                session.raw(BYTES)
                raise AssertionError(f"{raw.hex()} was an answer")
            except Failed as failed:
                holds(failed.error in (LINE, GONE, PROTOCOL, LATE), f"{raw.hex()}: {failed}")


def status_bytes_are_faults_of_the_line():
    for status in (0x02, 0x05, 0x0B, 0x13):
        with Chip(CardA(echo)) as chip, Session(chip.name) as session:
            chip.faults.only, chip.faults.raw = 0x40, pn532.frame(bytes([0xD5, 0x41, status]))
            fails(LINE, session.raw, BYTES)
            same(session.raw(b"\0\4\5\6"), b"\0\4\5\6" + OK)
    for status in (0x29, 0x2B):  # the chip says itself that the card has gone
        with Chip(CardA(echo)) as chip, Session(chip.name) as session:
            chip.faults.only, chip.faults.raw = 0x40, pn532.frame(bytes([0xD5, 0x41, status]))
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
        chip.faults.stale = pn532.frame(bytes.fromhex("D54100") + OK)
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
        said = simtie("info", "--reader", chip.name, code=NO_CARD).err
        same(said.count("\n"), 1, said)
        said = simtie("info", "--reader", chip.name, code=NO_CARD, env={"LIBNFC_LOG_LEVEL": "3"}).err
        holds("libnfc" in said, said)


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


def an_exchange_costs_little_more_than_its_frames():
    """On a line of 115,200 baud, a PN532's; and, for the note, on one that takes no time at all."""
    def ratio(baud):
        with vcard.Reader() as reader, vcard.Card(port=reader.port):
            reader.accept()
            with Chip(CardA(reader.ask), baud=baud) as chip:
                done = subprocess.run([BUILD / "bench" / "bench_nfc", chip.path], capture_output=True, timeout=120,
                                      text=True, check=True)
                return float(done.stdout.rsplit(None, 1)[-1])

    note(f"without a line's time: {ratio(None):.3f}")
    found = ratio(115200)
    note(f"at 115200 baud: {found:.3f}")
    holds(found <= RATIO_MAX, f"an exchange takes {found} of the bare one")


if __name__ == "__main__":
    sys.exit(run([doctor_finds_device_and_card, a_sentence_says_what_is_wrong_and_what_to_do,
                  every_example_holds_by_radio, type_b_holds_too, both_ends_by_radio, a_card_says_what_it_is,
                  t0_is_refused, an_empty_field_and_two_cards, a_card_that_leaves_is_gone_and_comes_back,
                  a_card_that_leaves_in_the_midst, reset_is_a_new_field, another_card_is_not_taken_for_the_same,
                  sizes_are_checked_before_libnfc_aborts, answers_as_long_as_fits, one_that_is_late_is_waited_for,
                  one_that_is_too_late_is_given_up, garbled_bytes_are_a_fault_of_the_line,
                  no_answer_is_taken_for_anothers, status_bytes_are_faults_of_the_line,
                  one_that_is_unplugged_is_gone, one_that_says_nothing_is_no_reader,
                  one_in_the_middle_of_something_is_opened, a_device_is_for_one_program, one_waits_for_the_other,
                  a_program_that_is_killed_leaves_the_device_free, 
                  what_is_no_device_is_said, who_may_not_use_it_is_told_how, the_only_device_needs_no_name,
                  libnfc_is_silent_unless_asked, threads_have_a_session_each,
                  an_exchange_costs_little_more_than_its_frames]))
