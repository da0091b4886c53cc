#!/usr/bin/env python3
"""What an exchange by NFC costs, against libnfc alone and against the bare frames to the same simulated PN532."""

import pathlib
import subprocess
import sys
import tempfile

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))

from nfc import BUILD, virtual_card
from tap import holds, note, run

BENCH = BUILD / "bench" / "bench_nfc"
BOUND = 120
RATIO_MAX = 1.2
OWN_CALLS_MAX = 5  # two threads wake each other and wait, once each; and one that is woken for nothing
FEW, MANY = 100, 300


def an_exchange_costs_little_more_than_its_frames():
    """On a line of 115,200 baud, a PN532's; and, for the note, on one that takes no time at all."""
    def ratio(baud):
        with virtual_card(baud=baud) as (chip, _, _):
            done = subprocess.run([BENCH, chip.path], capture_output=True, timeout=BOUND, text=True, check=True)
        for line in done.stdout.splitlines():
            note(f"at {baud} baud, {line}" if baud else f"without a line's time, {line}")
        return float(done.stdout.rsplit(None, 1)[-1])

    ratio(None)
    found = ratio(115200)
    holds(found <= RATIO_MAX, f"an exchange takes {found} of the bare one")


def most_system_calls_are_libnfcs():
    def counted(kind, count):
        """System calls by name, of a whole run."""
        with tempfile.NamedTemporaryFile("r") as log:
            subprocess.run(["strace", "-f", "-c", "-U", "calls,name", "-o", log.name,
                            BENCH, chip.path, kind, str(count)], timeout=BOUND, check=True)
            rows = [line.split() for line in log]
        return {row[1]: int(row[0]) for row in rows if row[0].isdigit() and row[1] != "total"}

    def calls(kind):
        """Of one exchange: what more of them need more."""
        few, many = counted(kind, FEW), counted(kind, MANY)
        each = {name: (count - few.get(name, 0)) / (MANY - FEW) for name, count in many.items()}
        note(f"{kind}: " + ", ".join(f"{name} {count:.1f}" for name, count in sorted(each.items()) if count > 0.05))
        return sum(each.values())

    with virtual_card() as (chip, _, _):
        bare, libnfc, library = map(calls, ("bare", "libnfc", "library"))
    note(f"system calls of an exchange: {bare:.1f} bare, {libnfc:.1f} by libnfc alone, {library:.1f} by the library")
    holds(bare > 1 and library <= libnfc + OWN_CALLS_MAX, "the library adds system calls of its own")


if __name__ == "__main__":
    sys.exit(run([an_exchange_costs_little_more_than_its_frames, most_system_calls_are_libnfcs]))
