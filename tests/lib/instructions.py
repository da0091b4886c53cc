"""Counts the instructions that the firmware runs for one command, exactly, by function.

QEMU logs each block of code that it runs (`-d exec,nochain`) and what is in it (`in_asm`). A block that
was logged and then not run is logged as stopped. The counts are the same each time: `-icount` takes the
host's clock out of the game, and nothing interrupts the firmware.
"""

import bisect
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "applet" / "port" / "cortex-m"))

import emulator

TRACE = re.compile(r"Trace \d+: (0x[0-9a-f]+) \[[0-9a-f]+/([0-9a-f]+)/")
CODE = re.compile(r"0x([0-9a-f]{8}):  ((?:[0-9a-f]{4} ?)+) +(\S+)")
ATR = b"\4"     # vpcd's frame
BOUND = 60.0    # seconds that any answer may take before it counts as hanging
CALLS = ("bl", "blx")
# What may stand at a function's entry and makes all that it calls arithmetic, or no longer.
ARITHMETIC = re.compile(r"mbedtls_(mpi|ecp)_")
NOT_ARITHMETIC = ("mbedtls_psa_external_get_random", "mbedtls_psa_get_random", "mbedtls_hmac_drbg_random")


def functions(program):
    """Address of each function, and its name."""
    return {address: name for address, _, kind, name in emulator.symbols(program) if kind in "tT" and name[0] != "$"}


class Counted:
    """Instructions by function, those within arithmetic of P-256 apart."""

    def __init__(self):
        self.arithmetic, self.rest = collections.Counter(), collections.Counter()

    @property
    def total(self):
        return self.arithmetic.total() + self.rest.total()

    def of(self, *names):
        return sum(self.arithmetic[name] + self.rest[name] for name in names)


class Walk:
    """One call of a function in the log: from its entry to its return."""

    def __init__(self, entries, root):
        self.entries, self.root = entries, root
        self.starts = sorted(entries)
        self.counted = Counted()
        self.stack = []  # [return address, whether arithmetic] of each call under way
        self.done = False

    def name(self, pc):
        return self.entries[self.starts[bisect.bisect_right(self.starts, pc) - 1]]

    def enter(self, block, before):
        """Follows calls, tail calls and returns; a return may skip frames (a helper that does not return
        to where it was called from)."""
        pc = block.start
        if not self.stack:
            self.stack = [[before.end, False]]
        elif before.calls:
            self.stack.append([before.end, self.stack[-1][1]])
        elif any(frame[0] == pc for frame in self.stack):
            while self.stack.pop()[0] != pc:
                pass
        entered = self.entries.get(pc)
        if self.stack and entered and ARITHMETIC.match(entered):
            self.stack[-1][1] = True
        elif self.stack and entered in NOT_ARITHMETIC:
            self.stack[-1][1] = False

    @property
    def under_way(self):
        return bool(self.stack) and not self.done

    def step(self, block, before):
        if self.done or (not self.stack and self.entries.get(block.start) != self.root):
            return
        self.enter(block, before)
        if not self.stack:
            self.done = True
            return
        place = self.counted.arithmetic if self.stack[-1][1] else self.counted.rest
        place[self.name(block.start)] += block.count


class Block:
    def __init__(self, start):
        self.start = self.end = start
        self.count = 0
        self.calls = False

    def add(self, size, mnemonic):
        self.end += size
        self.count += 1
        self.calls = mnemonic in CALLS


class Log:
    """The emulator's log, read on; the blocks that it described hold for the rest of it.

    Where a stop cut a block short, the rest of it may be made while the log is off, and so never be described. It is
    part of what the board does while it waits; within what is counted there is none.
    """

    def __init__(self, path):
        self.file = open(path, encoding="ascii")
        self.blocks = {}

    def walk(self, walk):
        """Gives each block that was run to the walk."""
        described, before, block = None, None, None
        for line in self.file:
            if line.startswith("Trace"):
                match = TRACE.match(line)
                if described and described.start == int(match[2], 16):
                    self.blocks[match[1]], described = described, None
                if block:
                    walk.step(block, before)
                    before = block
                block = self.blocks.get(match[1])
                if not block and walk.under_way:
                    raise LookupError(f"a block of code that was not described: {line.strip()}")
            elif line.startswith("0x"):
                match = CODE.match(line)
                if described is None:
                    described = Block(int(match[1], 16))
                described.add(len(match[2].replace(" ", "")) // 2, match[3])
            elif line.startswith("IN:"):
                described = None
            elif line.startswith("Stopped"):
                block = None  # logged, and not run
        if block:
            walk.step(block, before)
        return walk.counted


class Board(emulator.Emulator):
    """A board whose commands can be counted. Its flash is blank, or holds the bytes given.

    An instruction takes 64 ns of the board's time, as at 16 MHz: it matters to what waits for a peripheral.
    """

    def __init__(self, board, build, folder, flash=None):
        folder = pathlib.Path(folder)
        program = emulator.elf(board, build)
        self.entries = functions(program)
        image, log = folder / "flash", folder / "log"
        emulator.blank(image)
        if flash:
            image.write_bytes(flash)
        log.touch()
        super().__init__(board, program, image, more=["-icount", "shift=6", "-D", str(log)])
        self.line.settimeout(BOUND)
        self.log = Log(log)
        self.ask(ATR)

    def end(self):
        self.log.file.close()
        return super().end()

    def _log(self, what):
        """Stopped meanwhile: a block translated while the log ends would be run later without having been
        described."""
        self.monitor("stop")
        self.monitor("human-monitor-command", **{"command-line": f"log {what}"})
        self.monitor("cont")

    def count(self, command, root="applet_transmit"):
        """Asks, and counts what `root` takes. Returns the answer and the counts."""
        self._log("exec,nochain,in_asm")
        answer = self.ask(command)
        self._log("none")
        return answer, self.log.walk(Walk(self.entries, root))
