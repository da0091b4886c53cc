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
from vcard import BEGIN, GET_INFORMATION, PROGRAM, SELECT, Card, Reader, begun, refusal

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
    """The path and bytes of the state of a card that has begun so many sessions."""
    path = new_path()
    with Reader() as reader, Card("--state", path, port=reader.port) as card:
        reader.accept()
        same([begun(reader.ask(BEGIN)) for _ in range(number)], list(range(1, number + 1)))
        same(card.end(), 0)
    return path, path.read_bytes()


def begun_by(path, *options):
    """Opens the state in a card and sees how many sessions it had begun."""
    with Reader() as reader, Card("--state", path, *options, port=reader.port) as card:
        reader.accept()
        number = begun(reader.ask(BEGIN)) - 1
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
    path, content = written(12)
    same((len(content), path.stat().st_mode & 0o777), (SIZE, 0o600))
    same(content.split(b"\n")[:3],
         [b"simtie virtual SIM state", b"format 0001", b"memory 0008 pages of 00004096 bytes"])
    same(begun_by(path), 12)


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
        same(begun(reader.ask(BEGIN)), 1)
        expect_refused(path, "in use by another card")
        expect_refused(path, "in use by another card", "--reset")
        same(begun(reader.ask(BEGIN)), 2)
        expect_refused(path, "in use by another card")
        same(card.end(), 0)
    same(begun_by(path), 2)


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
    same(begun_by(path), 5, "the undamaged one still opens")


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
    same(begun_by(path, "--reset"), 0)
    rewrite(path, content[:9000])
    expect_refused(path, "cut short")
    same(begun_by(path, "--reset"), 0)
    rewrite(path, b"a letter to my mother\n")
    expect_refused(path, "not a simtie state", "--reset")
    same(refusal("--reset")[0], 2, "without a file there is nothing to reset")


def disk_that_fails_is_told_to_reader_and_user():
    path = new_path()
    with Reader() as reader, Card("--state", path, port=reader.port) as card:
        reader.accept().ask(SELECT)
        same(begun(reader.ask(BEGIN)), 1)
        path.with_name(path.name + ".new").mkdir()  # in the way of the next state
        same(reader.ask(BEGIN), b"\x65\x81")
        card.expect(f"{path}: cannot be written")
        path.with_name(path.name + ".new").rmdir()
        same(begun(reader.ask(BEGIN)), 2)
        same(card.end(), 0)
    same(begun_by(path), 2)


def kill_at_any_moment_loses_nothing_acknowledged():
    """Kills the card while it counts: the last count that it answered is there, or the one after it,
    which was on its way."""
    path, chance, low, half_written = new_path(), random.Random(2), 0, 0
    for _ in range(50):
        with Reader() as reader, Card("--state", path, port=reader.port) as card:
            number = begun(reader.accept().ask(BEGIN))
            holds(low < number <= low + 2, f"acknowledged {low}, then {number}")
            low, killer = number, None
            start = time.monotonic()
            try:
                while True:
                    same(begun(reader.ask(BEGIN)), low + 1)
                    low += 1
                    if not killer:  # somewhere in the next two writes
                        write_takes = time.monotonic() - start
                        killer = threading.Timer(chance.uniform(0, 2 * write_takes), card.process.kill)
                        killer.start()
            except ConnectionError:
                killer.join()
        half_written += path.with_name(path.name + ".new").exists()
    note(f"{low} sessions counted, 50 kills, {half_written} of them with the next state half written")
    number = begun_by(path)
    holds(low <= number <= low + 1, f"acknowledged {low}, found {number}")


def signal_makes_the_state_file_a_fresh_card():
    path, content = written()
    with Reader() as reader, Card("--state", path, port=reader.port) as card:
        reader.accept().ask(SELECT)
        same(begun(reader.ask(BEGIN)), 6)
        card.send(signal.SIGUSR1)
        card.expect("factory-fresh one goes in")
        reader.accept()
        same(reader.ask(GET_INFORMATION), b"\x6A\x88", "its domain is selected on it")
        same(begun(reader.ask(BEGIN)), 1)
        same(card.end(), 0)
    holds(path.read_bytes() != content, "the file is as it was")
    same(begun_by(path), 1)


def crashed(start):
    """Forks, lets the child write core files as large as it likes, and has it start something."""
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell's background job ignores it
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            os.chdir(FOLDER.name)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            start()
        finally:
            os._exit(1)
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
        card.expect("80 E2 90 00, 15 bytes > 6982")
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
