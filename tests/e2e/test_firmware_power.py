#!/usr/bin/env python3
"""Cuts the power of the emulated card while it attests: QEMU is killed, the flash image kept.

POWER_CUTS=N cuts so often (12; `make check-firmware-power` says 200). By turns at a random instant, and
at a random byte of those that the card writes to its flash, for the instants seldom meet one.
"""

import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import board
import emulator
from board import SELECT
from tap import holds, note, run, same

CUTS = int(os.environ.get("POWER_CUTS", "12"))
BOARDS = ("mps2-an385", "microbit")
BYTES_OF_AN_ATTESTATION = 160  # and some: charge of the try, counter and log entry
COUNTER = bytes.fromhex("00CA9F2100")
SHIM = pathlib.Path(__file__).resolve().parent.parent / "lib" / "cut_at.c"
LIBRARY = tempfile.TemporaryDirectory()


class Card:
    """What must hold of one card through all its cuts."""

    def __init__(self, name, files, image):
        self.name, self.files, self.image = name, files, image
        self.newest = 0   # counter of the newest attestation that was answered
        self.spent = 0    # the card has counted no further than this
        self.spared = 0   # values that a cut took
        self.in_time = 1.0

    def counter(self, running):
        return int.from_bytes(running.ask(COUNTER)[-6:-2], "big")

    def attest(self, running):
        """An attestation that must be new; the record opens its counter."""
        self.spent += 1
        answer = running.ask(board.attest(full=True))
        same(answer[-2:].hex(), "9000", f"{self.name} attests")
        found = self.files.counter(answer[:-2])
        holds(self.newest < found <= self.spent, f"{self.name}: counter {found} after {self.newest}")
        self.newest = found

    def begin(self, running):
        """After a cut: nothing that was answered is lost, and nothing is counted that was not asked for."""
        same(running.ask(SELECT)[-2:].hex(), "9000", f"{self.name} is selected")
        found = self.counter(running)
        holds(self.newest <= found <= self.spent, f"{self.name}: {found}, not {self.newest} to {self.spent}")
        self.spared += found - self.newest
        self.spent = found
        self.attest(running)

    def cut(self, chance, at_byte):
        """Powers it, attests, and cuts during the attestations that follow."""
        environment = dict(os.environ)
        if at_byte:
            environment.update(LD_PRELOAD=f"{LIBRARY.name}/cut_at.so", CUT_SIZE=str(emulator.FLASH_SIZE),
                               CUT_AT=str(BYTES_OF_AN_ATTESTATION + chance.randrange(2 * BYTES_OF_AN_ATTESTATION)))
        with board.powered(self.name, self.image, env=environment) as running:
            start = time.monotonic()
            killer = None
            try:
                self.begin(running)
                if not at_byte:
                    self.in_time = time.monotonic() - start
                    killer = threading.Timer(chance.uniform(0, 2 * self.in_time), running.process.kill)
                    killer.start()
                while True:
                    self.attest(running)
            except ConnectionError:
                pass
            if killer:
                killer.join()
            same(running.process.wait(board.BOUND), -9, "killed, and not by itself")


def cut(name, cuts):
    chance = random.Random(f"{name} {cuts}")
    with board.issued() as (files, image):
        card = Card(name, files, image)
        for number in range(cuts):
            card.cut(chance, at_byte=number % 2 == 1)
        with board.powered(name, image) as running:
            card.begin(running)
        note(f"{name}: {cuts} cuts survived, {card.newest} values of the counter used, "
             f"{card.spared} of them never seen")


def counters_never_repeat_on_the_m3():
    cut("mps2-an385", CUTS - CUTS // 2)


def counters_never_repeat_on_the_m0():
    cut("microbit", CUTS // 2)


if __name__ == "__main__":
    for each in BOARDS:
        board.make(each)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", f"{LIBRARY.name}/cut_at.so", SHIM],
                   check=True)
    code = run([counters_never_repeat_on_the_m3, counters_never_repeat_on_the_m0])
    LIBRARY.cleanup()
    sys.exit(code)
