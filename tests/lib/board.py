"""The firmware, built for the tests, and boards with a card in their flash."""

import contextlib
import fcntl
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "applet" / "port" / "cortex-m"))

import emulator
import tool

BOUND = 60.0      # seconds that any answer may take before it counts as hanging
IMAGE_AT = 217    # where the flash's content begins in a state file of simtie-card (state-file.md)
MAKE_BOUND = 600.0

ATR, RESET = b"\4", b"\2"
SELECT = bytes.fromhex("00A4040008F053494D5449450100")
SIMTIE_BOARD = str(ROOT / "applet" / "port" / "cortex-m" / "simtie-board")


def make(board, build="small", *more, check=True):
    """Builds the firmware; one suite at a time, for they share build/."""
    lock = ROOT / "build" / "firmware.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        made = subprocess.run(["make", "-s", "-j2", "firmware", f"BOARD={board}", f"BUILD={build}", *more], cwd=ROOT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=MAKE_BOUND, check=False)
    if check and made.returncode:
        raise AssertionError(f"make firmware BOARD={board} BUILD={build}:\n{made.stdout}")
    return made


@contextlib.contextmanager
def powered(board, image, build="small", **more):
    """The board with an image in its flash, once it answers."""
    with emulator.Emulator(board, emulator.elf(board, build), image, **more) as running:
        running.line.settimeout(BOUND)
        running.ask(ATR)
        yield running


@contextlib.contextmanager
def issued():
    """A personalised card: its files, and its memory as a flash image beside them."""
    with tool.issued() as card:
        image = card.folder / "flash"
        image.write_bytes(card.state.read_bytes()[IMAGE_AT:])
        yield card, image


def tlv(tag, value):
    return bytes([tag, len(value)]) + value


def attest(audience=tool.AUDIENCE.encode(), nonce=bytes.fromhex(tool.NONCE), pin=tool.PIN.encode(), full=False):
    """The command of an attestation, the PIN along with it; the answer is compact, or the whole token."""
    data = tlv(0x80, audience) + tlv(0x81, nonce) + (tlv(0x84, pin) if pin else b"")
    return bytes([0x80, 0x88, int(full), 0, len(data)]) + data + b"\0"
