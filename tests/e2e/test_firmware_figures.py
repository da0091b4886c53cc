#!/usr/bin/env python3
"""What the firmware takes: code and RAM by the linker's map, instructions by exact count. (Stack
and pool are measured where most of them is used: in test_firmware.py.)

The bounds are the project's own (design): they are not moved to where the figures are.
"""

import contextlib
import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import board
import emulator
import instructions
from board import SELECT, attest
from tap import holds, note, run, same

CORE_CODE_MAX = 16384       # bytes, of the core beside its crypto, on an M3 with -Os
CORE_RAM_MAX = 1024         # bytes, beside command and response buffer
IMAGE_CODE_MAX = 65536      # bytes of flash, crypto and constants included
MICROBIT_RAM = 16384        # bytes
NOT_P256_MAX = 0.03         # of an attestation's instructions
COMMAND_BUFFER, RESPONSE_BUFFER = 1280, 2048  # LIMIT_COMMAND_DATA, LIMIT_RESPONSE_DATA
HEAP = {"malloc", "calloc", "realloc", "free", "_malloc_r", "_free_r", "_sbrk", "pool_take", "pool_give",
        "mbedtls_calloc", "mbedtls_free"}
BUILDS = tuple((name, build) for name in emulator.BOARDS for build in ("small", "fast"))
WAITING = "random_take"     # on a microbit: it waits 0.7 ms for each byte
PIN = b"73194628"
KNOWN_KEY = bytes(range(0x40, 0x50))

_loader = importlib.machinery.SourceFileLoader("size_by_object", str(
    pathlib.Path(board.ROOT) / "applet" / "port" / "cortex-m" / "size-by-object"))
size_by_object = importlib.util.module_from_spec(importlib.util.spec_from_loader(_loader.name, _loader))
_loader.exec_module(size_by_object)


def folder_of(name, build):
    return emulator.elf(name, build).parent


def by_object(name, build):
    return size_by_object.by_object((folder_of(name, build) / "firmware.map").read_text(encoding="utf-8"))


def by_room(name, build):
    return size_by_object.rooms(by_object(name, build))


def tool_output(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def segments(program):
    """Bytes of flash and of RAM, the emulated flash left out."""
    rows = [line.split() for line in tool_output("arm-none-eabi-size", "-A", program).splitlines()]
    sizes = {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[1].isdigit()}
    return sizes[".text"] + sizes[".data"], sizes[".stack"] + sizes[".data"] + sizes[".bss"]


# ---- By the map ----

def core_keeps_its_budget():
    """`selftest` and `messaging` use primitives and are none: with them the core is noted as well."""
    found = by_object("mps2-an385", "small")
    core = size_by_object.rooms(found)["core"]
    applet = next(size for _, size, _, name in emulator.symbols(emulator.elf("mps2-an385", "small")) if name == "applet")
    ram = core["ram"] + applet - COMMAND_BUFFER - RESPONSE_BUFFER
    beside = sum(found["crypto", name]["code"] for name in ("selftest.o", "messaging.o"))
    note(f"core: {core['code']} bytes of code, {core['code'] + beside} with selftest and messaging; "
         f"{core['constants']} of constants, {ram} of RAM")
    holds(8000 < core["code"] <= CORE_CODE_MAX, core)
    holds(100 < ram <= CORE_RAM_MAX, ram)


def image_keeps_its_budget():
    for name, build in BUILDS:
        flash, ram = segments(emulator.elf(name, build))
        note(f"{name} {build}: {flash} bytes of flash, {ram} of RAM, stack included")
        holds(30000 < flash <= IMAGE_CODE_MAX, f"{name} {build}: {flash} bytes of flash")
        holds(8000 < ram <= MICROBIT_RAM, f"{name} {build}: {ram} bytes of RAM")


def map_is_read_whole():
    """The rooms add up to the image, but for what the linker fills up with."""
    for name, build in BUILDS:
        rooms = by_room(name, build)
        flash, _ = segments(emulator.elf(name, build))
        found = sum(room["code"] + room["constants"] for room in rooms.values())
        holds(0 <= flash - found < 400, f"{name} {build}: {found} of {flash} bytes")


def core_asks_for_no_heap():
    objects = list((folder_of("mps2-an385", "small") / "obj" / "applet" / "core").glob("*.o"))
    holds(len(objects) > 30, objects)
    wanted = {line.split()[-1] for path in objects for line in tool_output("arm-none-eabi-nm", "-u", path).splitlines()}
    holds("memcpy" in wanted, wanted)
    same(wanted & HEAP, set(), "what the core asks for")


# ---- By count ----

@contextlib.contextmanager
def counted(name, build):
    with board.issued() as (_, image), tempfile.TemporaryDirectory() as folder:
        with instructions.Board(name, build, folder, image.read_bytes()) as running:
            running.ask(SELECT)
            yield running


def share_beside_p256(name, build):
    with counted(name, build) as running:
        answer, found = running.count(attest())
        same(answer[-2:].hex(), "9000")
    waiting = found.of(WAITING) if name == "microbit" else 0
    beside = found.rest.total() - waiting
    total = found.total - waiting
    note(f"{name} {build}: {total} instructions, {beside} beside P-256: {100 * beside / total:.2f} %; most of them in "
         + ", ".join(f"{function} {count}" for function, count in found.rest.most_common(4) if function != WAITING))
    holds(5_000_000 < total and beside <= NOT_P256_MAX * total, f"{name} {build}: {beside} of {total}")


def attestation_is_p256_on_the_m3():
    share_beside_p256("mps2-an385", "small")
    share_beside_p256("mps2-an385", "fast")


def attestation_is_p256_on_the_m0():
    share_beside_p256("microbit", "small")
    share_beside_p256("microbit", "fast")


def counts_repeat():
    command = bytes.fromhex("8050000008") + bytes(8) + b"\0"
    found = []
    for _ in range(2):
        with counted("mps2-an385", "small") as running:
            found.append(running.count(command)[1])
    same(found[0].rest, found[1].rest)
    holds(found[0].total > 10000, found[0].total)


def pin_compare_takes_the_same_for_each_byte():
    """A wrong PIN that differs in one byte, each in turn; right ones in between give the tries back."""
    for name in ("mps2-an385", "microbit"):
        taken = []
        with counted(name, "small") as running:
            right = bytes.fromhex("0020000108") + PIN
            for at in range(len(PIN)):
                same(running.ask(right).hex(), "9000")
                guess = bytearray(right)
                guess[5 + at] ^= 1
                answer, found = running.count(bytes(guess), root="pin_try")
                same(answer.hex(), "63c2")
                taken.append(found.total)
        note(f"{name}: pin_try takes {sorted(set(taken))} instructions")
        same(len(set(taken)), 1, f"{name}: {taken}")


def cmac(key, message):
    done = subprocess.run(["openssl", "mac", "-cipher", "AES-128-CBC", "-macopt", f"hexkey:{key.hex()}", "-in", "-",
                           "CMAC"], input=message, check=True, capture_output=True)
    return bytes.fromhex(done.stdout.decode())


def derive(key, constant, bits, context):
    """GlobalPlatform Amendment D v1.2 §4.1.5."""
    return cmac(key, bytes(11) + bytes([constant, 0]) + bits.to_bytes(2, "big") + b"\1" + context)[:bits // 8]


def authentication(running):
    """Begins a session; the command that would open it, right in every byte."""
    host = bytes(range(8))
    started = running.ask(bytes.fromhex("8050000008") + host + b"\0")
    same(started[-2:].hex(), "9000")
    context = host + started[13:21]
    key = derive(KNOWN_KEY, 0x06, 128, context)
    same(started[21:29], derive(key, 0x00, 64, context), "the card's cryptogram")
    command = bytes.fromhex("8482030010") + derive(key, 0x01, 64, context)
    return command + cmac(key, bytes(16) + command)[:8]


def mac_compare_takes_the_same_for_each_byte():
    """A MAC that differs in one byte, each in turn; right ones in between keep the key set from blocking."""
    for name in ("mps2-an385", "microbit"):
        taken = []
        with counted(name, "small") as running:
            running.ask(bytes.fromhex("00A4040000"))
            for at in range(8):
                same(running.ask(authentication(running)).hex(), "9000", "the right one")
                wrong = bytearray(authentication(running))
                wrong[-8 + at] ^= 1
                answer, found = running.count(bytes(wrong), root="cmd_external_authenticate")
                same(len(answer), 2)
                holds(answer != b"\x90\x00", f"byte {at} of the MAC does not matter")
                taken.append(found.total)
        note(f"{name}: cmd_external_authenticate takes {sorted(set(taken))} instructions")
        same(len(set(taken)), 1, f"{name}: {taken}")


if __name__ == "__main__":
    for each in BUILDS:
        board.make(*each)
    sys.exit(run([
        core_keeps_its_budget,
        image_keeps_its_budget,
        map_is_read_whole,
        core_asks_for_no_heap,
        attestation_is_p256_on_the_m3,
        attestation_is_p256_on_the_m0,
        counts_repeat,
        pin_compare_takes_the_same_for_each_byte,
        mac_compare_takes_the_same_for_each_byte,
    ]))
