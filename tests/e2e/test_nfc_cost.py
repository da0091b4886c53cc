#!/usr/bin/env python3
"""What an exchange by NFC costs, against the bare frames to the same simulated PN532."""

import pathlib
import subprocess
import sys

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))

from nfc import BUILD, virtual_card
from tap import holds, note, run

RATIO_MAX = 1.2


def an_exchange_costs_little_more_than_its_frames():
    """On a line of 115,200 baud, a PN532's; and, for the note, on one that takes no time at all."""
    def ratio(baud):
        with virtual_card(baud=baud) as (chip, _, _):
            done = subprocess.run([BUILD / "bench" / "bench_nfc", chip.path], capture_output=True, timeout=120,
                                  text=True, check=True)
            return float(done.stdout.rsplit(None, 1)[-1])

    note(f"without a line's time: {ratio(None):.3f}")
    found = ratio(115200)
    note(f"at 115200 baud: {found:.3f}")
    holds(found <= RATIO_MAX, f"an exchange takes {found} of the bare one")


if __name__ == "__main__":
    sys.exit(run([an_exchange_costs_little_more_than_its_frames]))
