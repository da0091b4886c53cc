#!/usr/bin/env python3
"""simtie-card and its state file: what lasts, what is refused, what a kill at any moment leaves."""

import os
import pathlib
import random
import resource
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from tap import holds, note, run, same
from vcard import GET_INFORMATION, PROGRAM, SELECT, Card, Reader, iccid_in, refusal, store_iccid

FOLDER = tempfile.TemporaryDirectory()
# A byte of each field of the header, label and value, and what its alteration is called.
HEADER = {0: "not a simtie state", 24: "not a simtie state", 25: "header was altered",
          32: "another format", 35: "another format", 36: "header was altered",
          37: "header was altered", 47: "header was altered", 65: "header was altered",
          73: "header was altered", 80: "header was altered", 143: "header was altered",
          145: "header was altered", 152: "header was altered", 216: "header was altered"}
IMAGE = 217
SIZE = IMAGE + 8 * 4096


def new_path():
    """A name that no test has used."""
    new_path.count += 1
    return pathlib.Path(FOLDER.name) / f"card-{new_path.count}"


new_path.count = 0


def written(number=5):
    """The path and bytes of the state of a card that holds that ICCID."""
    path = new_path()
    with Reader() as reader, Card("--state", path, port=reader.port) as card:
        reader.accept()
        reader.ask(SELECT)
        same(reader.ask(store_iccid(number)), b"\x90\x00")
        same(card.end(), 0)
    return path, path.read_bytes()


def iccid_of(path, *options):
    """Opens the state in a card and reads the ICCID that it holds."""
    with Reader() as reader, Card("--state", path, *options, port=reader.port) as card:
        reader.accept()
        reader.ask(SELECT)
        number = iccid_in(reader.ask(GET_INFORMATION))
        same(card.end(), 0)
    return number


def expect_refused(path, reason, *options):
    """Exit 4 with a sentence that names the file, and not one byte, time or inode changed."""
    before, status = path.read_bytes(), path.stat()
    code, said = refusal("--state", path, *options)
    same(code, 4, said)
    holds(str(path) in said and reason in said and "; " in said, said)
    after = path.stat()
    same((path.read_bytes() == before, after.st_ino, after.st_mtime_ns, after.st_mode),
         (True, status.st_ino, status.st_mtime_ns, status.st_mode), "the refused file")


def rewrite(path, content):
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(content)


def state_outlives_the_card():
    path, content = written(1234)
    same((len(content), path.stat().st_mode & 0o777), (SIZE, 0o600))
    same(content.split(b"\n")[:3],
         [b"simtie virtual SIM state", b"format 0001", b"memory 0008 pages of 00004096 bytes"])
    same(iccid_of(path), 1234)


def sigterm_and_sigint_end_with_0_in_time():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with Reader() as reader, Card("--state", new_path(), port=reader.port) as card:
            reader.accept().ask(SELECT)
            start = time.monotonic()
            same(card.end(number), 0)
            holds(time.monotonic() - start < 2, "took over two seconds")
    with Reader() as reader:
        port = reader.port
    with Card(port=port) as card:  # while nobody listens
        card.expect("no reader")
        same(card.end(), 0)


def second_card_on_a_state_is_refused():
    path = new_path()
    with Reader() as reader, Card("--state", path, port=reader.port) as card:
        reader.accept().ask(SELECT)
        same(reader.ask(store_iccid(1)), b"\x90\x00")
        expect_refused(path, "in use by another card")
        expect_refused(path, "in use by another card", "--reset")
        same(reader.ask(store_iccid(2)), b"\x90\x00")
        expect_refused(path, "in use by another card")
        same(card.end(), 0)
    same(iccid_of(path), 2)


def damage_in_every_header_field_is_refused():
    path, content = written()
    for at, reason in HEADER.items():
        damaged = bytearray(content)
        damaged[at] ^= 0x04
        rewrite(path, damaged)
        expect_refused(path, reason)
    rewrite(path, content.replace(b"format 0001", b"format 0002"))
    expect_refused(path, "another format")


def damage_in_the_image_is_refused():
    path, content = written()
    chance = random.Random(1)
    for _ in range(40):
        damaged = bytearray(content)
        damaged[chance.randrange(IMAGE, SIZE)] ^= 1 << chance.randrange(8)
        rewrite(path, damaged)
        expect_refused(path, "memory in it was altered")
    rewrite(path, content)
    same(iccid_of(path), 5, "the undamaged one still opens")


def cut_and_lengthened_files_are_refused():
    path, content = written()
    for size, reason in ((0, "not a simtie state"), (24, "not a simtie state"), (25, "cut short"),
                         (100, "cut short"), (IMAGE - 1, "cut short"), (IMAGE, "cut short"),
                         (4096, "cut short"), (SIZE - 1, "cut short")):
        rewrite(path, content[:size])
        expect_refused(path, reason)
    rewrite(path, content + b"\0")
    expect_refused(path, "added at its end")


def file_that_others_may_read_is_refused():
    path, _ = written()
    path.chmod(0o640)
    expect_refused(path, "chmod 600")


def reset_makes_a_new_card_of_a_state_and_of_nothing_else():
    path, content = written()
    same(iccid_of(path, "--reset"), None)
    rewrite(path, content[:9000])
    expect_refused(path, "cut short")
    same(iccid_of(path, "--reset"), None)
    rewrite(path, b"a letter to my mother\n")
    expect_refused(path, "not a simtie state", "--reset")
    same(refusal("--reset")[0], 2, "without a file there is nothing to reset")


def disk_that_fails_is_told_to_reader_and_user():
    path = new_path()
    with Reader() as reader, Card("--state", path, port=reader.port) as card:
        reader.accept().ask(SELECT)
        same(reader.ask(store_iccid(1)), b"\x90\x00")
        path.with_name(path.name + ".new").mkdir()  # in the way of the next state
        same(reader.ask(store_iccid(2)), b"\x65\x81")
        card.expect(f"{path}: cannot be written")
        path.with_name(path.name + ".new").rmdir()
        same(reader.ask(store_iccid(3)), b"\x90\x00")
        same(card.end(), 0)
    same(iccid_of(path), 3)


def kill_at_any_moment_loses_nothing_acknowledged():
    """Kills the card while it stores number after number: the last one answered for is there, or the
    one after it, which was on its way."""
    path, chance, low, half_written = new_path(), random.Random(2), 0, 0
    for _ in range(50):
        with Reader() as reader, Card("--state", path, port=reader.port) as card:
            reader.accept().ask(SELECT)
            number = iccid_in(reader.ask(GET_INFORMATION)) or 0
            holds(low <= number <= low + 1, f"acknowledged {low}, found {number}")
            low, killer, start = number, None, time.monotonic()
            try:
                while True:
                    same(reader.ask(store_iccid(low + 1)), b"\x90\x00")
                    low += 1
                    if not killer:  # somewhere in the next two writes
                        write_takes = time.monotonic() - start
                        killer = threading.Timer(chance.uniform(0, 2 * write_takes), card.process.kill)
                        killer.start()
            except ConnectionError:
                killer.join()
        half_written += path.with_name(path.name + ".new").exists()
    note(f"{low} numbers stored, 50 kills, {half_written} of them with the next state half written")
    number = iccid_of(path)
    holds(low <= number <= low + 1, f"acknowledged {low}, found {number}")


def signal_makes_the_state_file_a_fresh_card():
    path, content = written()
    with Reader() as reader, Card("--state", path, port=reader.port) as card:
        reader.accept().ask(SELECT)
        same(iccid_in(reader.ask(GET_INFORMATION)), 5)
        card.send(signal.SIGUSR1)
        card.expect("factory-fresh one goes in")
        reader.accept()
        same(reader.ask(GET_INFORMATION), b"\x6D\x00", "nothing is selected on it")
        reader.ask(SELECT)
        same(iccid_in(reader.ask(GET_INFORMATION)), None)
        same(card.end(), 0)
    holds(path.read_bytes() != content, "the file is as it was")
    same(iccid_of(path), None)


def crashed(start):
    """Forks, lets the child write core files as large as it likes, and has it start something."""
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.chdir(FOLDER.name)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        start()
    return pid


def crash_leaves_no_core_file():
    """Keys are in memory. A process that does nothing about it shows whether cores are written here."""
    _, status = os.waitpid(crashed(lambda: os.kill(os.getpid(), signal.SIGQUIT)), 0)
    if not os.WCOREDUMP(status):
        note("this system writes no core files at all; the next check proves nothing")
    with Reader() as reader:
        options = ["simtie-card", "--port", str(reader.port)]
        pid = crashed(lambda: os.execv(PROGRAM, options))
        reader.accept().ask(SELECT)
        os.kill(pid, signal.SIGQUIT)
        _, status = os.waitpid(pid, 0)
    same((os.WTERMSIG(status), os.WCOREDUMP(status)), (signal.SIGQUIT, False))


def pin_is_in_no_line_that_it_writes():
    pin = b"86420975"
    with Reader() as reader, Card("--verbose", "--state", new_path(), port=reader.port) as card:
        reader.accept().ask(SELECT)
        reader.ask(bytes.fromhex("80E290000A8408") + pin)
        reader.ask(bytes.fromhex("0020000108") + pin)
        card.expect("80 E2 90 00, 15 bytes > 9000")
        card.expect("00 20 00 01, 13 bytes > ")
        same(card.end(), 0)
    said = "\n".join(card.lines).replace(" ", "").lower()
    holds(pin.decode() not in said and pin.hex() not in said, said)


if __name__ == "__main__":
    code = run([
        state_outlives_the_card,
        sigterm_and_sigint_end_with_0_in_time,
        second_card_on_a_state_is_refused,
        damage_in_every_header_field_is_refused,
        damage_in_the_image_is_refused,
        cut_and_lengthened_files_are_refused,
        file_that_others_may_read_is_refused,
        reset_makes_a_new_card_of_a_state_and_of_nothing_else,
        disk_that_fails_is_told_to_reader_and_user,
        kill_at_any_moment_loses_nothing_acknowledged,
        signal_makes_the_state_file_a_fresh_card,
        crash_leaves_no_core_file,
        pin_is_in_no_line_that_it_writes,
    ])
    FOLDER.cleanup()
    sys.exit(code)
