#!/usr/bin/env python3
"""The card on a Cortex-M, emulated: boards boot, answer as the virtual card does, and pass the contract's
examples in a real reader: one image all of them, the others some; with FIRMWARE_WHOLE=1 each all."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))

import board
import emulator

BUILDS = tuple((name, build) for build in ("small", "fast") for name in emulator.BOARDS)

if __name__ == "__main__" and "PCSCD_START" not in os.environ:
    # Here, for the first fetches mbedTLS's source, and in the private network there is no archive.
    for name, how in BUILDS:
        board.make(name, how)
    os.execv(LIB / "private-pcscd", ["private-pcscd", "--", sys.executable, os.path.abspath(__file__)])

import pcsc
import tool
import vcard
from board import ATR, RESET, SELECT
from tap import holds, note, run, same
from tool import folder, simtie

PORT = 35963
READER = {"PCSCLITE_CSOCK_NAME": "/run/pcscd/pcscd.comm"}
SEED = "firmware"
CONFORMANCE_BOUND = 900.0
RUNNING = ("mps2-an385", "microbit")  # M3 and M0
EVERY = ("*",)
# What needs most: attestations, sessions of SCP11b, personalisation by SCP03, the card's end.
SOME = ("INTERNAL_AUTHENTICATE*", "DOMAIN_STORE_DATA", "SET_STATUS")
MARGIN_MIN = 256                      # bytes that the deepest use leaves, of the stack and of the pool
COUNTER = bytes.fromhex("00CA9F2100")
# Commands that need no keys: files, refusals, lengths that disagree, sessions begun, chains broken off.
SCRIPT = [bytes.fromhex(line) for line in (
    "00A4040008F053494D5449450100", "00CABF2000", "00CA9F2100", "00CA9F2700", "00200001", "0020000108" + "39" * 8,
    "00A404000000", "80CA006600", "80CA00E000", "8050000008000102030405060708" "00", "8482330010" + "00" * 16,
    "80F28002024F0000", "0070000001", "01A4040008F053494D5449450100", "0184000010", "0070800100",
    "00A4040008F053494D5449450100", "0084000000", "0084000020", "80880000", "8088000001" "80", "9088000001" "80",
    "00C0000010", "FFFFFFFF", "0102", "0020000109" + "39" * 9, "00460000000000")]
LONG = [bytes.fromhex("80880000") + (0).to_bytes(1, "big") + (len_).to_bytes(2, "big") + bytes(len_)
        for len_ in (256, 1280, 1281, 3000)]


def what_cannot_be_is_refused():
    for options, said in ((("BOARD=esp32",), "no such BOARD: esp32"), (("BUILD=tiny",), "no such BUILD: tiny"),
                          (("LOCK_DEBUG=1",), "can always be debugged"),
                          (("HARDWARE=1",), "neither flash nor a random source"),
                          (("BOARD=microbit", "HARDWARE=1", "LOCK_DEBUG=1"), "wants ISSUER=FILE.c")):
        made = board.make("mps2-an385", "small", *options, check=False)
        holds(made.returncode != 0 and said in made.stdout, (options, made.stdout))


def missing_source_is_said():
    """Without apt there is a way on, and it is named."""
    script = board.ROOT / "applet" / "port" / "cortex-m" / "fetch-mbedtls"
    with folder() as files:
        tried = subprocess.run(["/bin/sh", script, files.folder / "none"], env={"PATH": str(files.folder)},
                               capture_output=True, text=True, check=False)
    holds(tried.returncode == 1 and "no apt-get here" in tried.stderr and "MBEDTLS=DIR" in tried.stderr, tried)


def hardware_builds():
    """What goes onto a real board: a .hex without semihosting, which would stop one that has no debugger."""
    board.make("microbit", "small", "HARDWARE=1")
    made = board.ROOT / "build" / "firmware" / "microbit-small-hardware"
    holds((made / "firmware.hex").read_text().startswith(":"), "no Intel HEX")
    for name, calls in (("microbit-small-hardware", False), ("microbit-small", True)):
        elf = board.ROOT / "build" / "firmware" / name / "firmware.elf"
        code = subprocess.run(["arm-none-eabi-objdump", "-d", elf], check=True, capture_output=True, text=True).stdout
        same(bool(re.search(r"\bbkpt\b", code)), calls, f"semihosting in {name}")


@contextlib.contextmanager
def factory(name, build="small", **more):
    with folder() as files:
        image = files.folder / "flash"
        emulator.blank(image)
        with board.powered(name, image, build, **more) as running:
            yield running


def boards_answer_as_the_virtual_card():
    """Byte for byte: boards with a seed draw the same random numbers as simtie-card with it."""
    with vcard.Reader() as reader, vcard.Card("--seed", SEED, port=reader.port):
        reader.accept()
        expected = [reader.ask(command) for command in SCRIPT + LONG]
    for name in ("mps2-an385", "mps2-an386"):
        with factory(name, seed=SEED) as running:
            for command, answer in zip(SCRIPT + LONG, expected):
                same(running.ask(command).hex(), answer.hex(), f"{name}: {command.hex()[:40]}")


def attestations_are_the_same_bytes():
    with board.issued() as (card, image):
        commands = [SELECT, board.attest(), board.attest(full=True), COUNTER]
        # The board first: it has a copy of the memory.
        with board.powered("mps2-an385", image, seed=SEED) as running:
            found = [running.ask(command) for command in commands]
        with vcard.Reader() as reader, vcard.Card("--state", card.state, "--seed", SEED, port=reader.port):
            reader.accept()
            same([reader.ask(command) for command in commands], found)
        verdict = card.verify(found[2][:-2], "--json").json
        same((verdict["valid"], verdict["counter"], verdict["claims"]["debugStatus"]), (True, 2, 0))


def emulated_boards_say_that_they_can_be_debugged():
    for name in emulator.BOARDS:
        with factory(name, seed=SEED if name != "microbit" else None) as running:
            running.ask(SELECT)
            holds(b"\x82\x01\x00" in running.ask(vcard.GET_INFORMATION), name)


def microbit_has_a_random_source():
    """Of its own: two boots give different numbers. The seeded boards repeat themselves."""
    for name, repeats in (("microbit", False), ("mps2-an385", True)):
        drawn = []
        for _ in range(2):
            with factory(name) as running:
                running.ask(SELECT)
                drawn.append(running.ask(bytes.fromhex("0084000010")))
        same((drawn[0] == drawn[1], len(drawn[0])), (repeats, 18), name)


def state_survives_a_reset():
    for name in RUNNING:
        with board.issued() as (_, image):
            with board.powered(name, image) as running:
                running.ask(SELECT)
                same(running.ask(board.attest())[-2:], b"\x90\x00")
                running.monitor("system_reset")
                same(running.ask(ATR).hex()[:4], "3b8c", "boots again")
                running.ask(SELECT)
                same(running.ask(COUNTER)[-3:], b"\x01\x90\x00", f"{name}: the counter after the reset")
                running.send(RESET)
                same(running.ask(COUNTER), b"\x6a\x88", "nothing is selected after a card's reset")


def damaged_flash_gives_no_card():
    with board.issued() as (_, image):
        content = bytearray(image.read_bytes())
        content[40] ^= 4
        image.write_bytes(content)
        for name in RUNNING:
            with emulator.Emulator(name, emulator.elf(name, "small"), image) as running:
                same(running.process.wait(board.BOUND), 4, name)
        same(image.read_bytes(), bytes(content), "the damaged image")


def overwrite(path, address, code):
    """Through gdb's remote protocol; the board stands still meanwhile."""
    with socket.socket(socket.AF_UNIX) as stub:
        stub.connect(str(path))
        for body in (f"M{address:x},{len(code):x}:{code.hex()}", "D"):
            stub.sendall(f"+${body}#{sum(body.encode()) % 256:02x}".encode())
            answer = b""
            while b"$OK#9a" not in answer:
                answer += stub.recv(100)


def watchdog_ends_a_command_that_hangs():
    """At 64 ns an instruction, so that its 30 s are soon over."""
    elf = emulator.elf("mps2-an385", "small")
    names = subprocess.run(["arm-none-eabi-nm", elf], check=True, capture_output=True, text=True).stdout
    entry = int(re.search(r"^(\w+) T applet_transmit$", names, re.M)[1], 16)
    with folder() as files:
        image, stub = files.folder / "flash", files.folder / "stub"
        emulator.blank(image)
        more = ["-no-reboot", "-icount", "shift=6", "-chardev", f"socket,path={stub},server=on,wait=off,id=gdb", "-gdb", "chardev:gdb"]
        with board.powered("mps2-an385", image, more=more) as running:
            overwrite(stub, entry, struct.pack("<H", 0xE7FE))  # a branch to itself
            running.send(SELECT)
            same(running.process.wait(2 * board.BOUND), 0, "ended by its own reset")


# ---- In a reader ----

@contextlib.contextmanager
def inserted(name, build, number, image, said):
    """The board in the reader of that number; yields the process that carries its frames."""
    process = subprocess.Popen([board.SIMTIE_BOARD, "--board", name, "--build", build, "--image", image, "--memory",
                                "--port", str(PORT + number)], stderr=said)
    try:
        with pcsc.Context() as context:
            atr, _ = context.wait(context.readers()[number], True, board.BOUND)
        same(atr.hex(), "3b8c8131fe4580738001db5673696d74696567")
        yield process
        process.send_signal(signal.SIGTERM)
        same(process.wait(board.BOUND), 0)
        with pcsc.Context() as context:
            context.wait(context.readers()[number], False, board.BOUND)
    finally:
        process.kill()
        process.wait()


def outcomes(found):
    return {(result["group"], result["name"]): result["outcome"] for result in found}


def conformance(name, build, number, only):
    """What `only` fits, on fresh cards where it wants one; results, and what each card used of its memory."""
    with folder() as files, open(files.folder / "said", "w+", encoding="utf-8") as said:
        with inserted(name, build, number, files.folder / "flash", said) as process:
            words = ["conformance", "--json", "--reader", str(number), "--fresh", f"kill -USR1 {process.pid}",
                     "--only", only]
            done = subprocess.run([tool.PROGRAM, *words], env=tool.environment(**READER), stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=CONFORMANCE_BOUND, check=False)
        holds(done.stdout, done.stderr)
        said.seek(0)
        used = re.findall(r"(stack|pool): (\d+) of (\d+) bytes", said.read())
    return json.loads(done.stdout)["results"], [(what, int(most), int(size)) for what, most, size in used]


def passes(expected, number, images):
    """One image after the other in the reader of that number."""
    for name, build, patterns in images:
        found, memory = [], []
        for only in patterns:
            results, used = conformance(name, build, number, only)
            found += results
            memory += used
        same([result for result in found if result["outcome"] == "failed"], [], f"{name} {build}")
        same(outcomes(found), {key: expected[key] for key in outcomes(found)}, f"{name} {build}")
        if patterns == EVERY:
            same(outcomes(found), expected, f"{name} {build}")
        passed = list(outcomes(found).values()).count("passed")
        (_, pool, pool_size), (_, stack, stack_size) = (max(used for used in memory if used[0] == what)
                                                        for what in ("pool", "stack"))
        cards = len(memory) // 2
        note(f"{name} {build}: {passed} passed, {len(found) - passed} skipped, on {cards} cards; at most "
             f"{stack} of {stack_size} bytes of stack used, {pool} of {pool_size} of the pool")
        holds(passed > 20 and cards > len(patterns), f"{name} {build}: {cards} cards")
        holds(500 < stack <= stack_size - MARGIN_MIN, f"{name} {build}: {stack} of {stack_size} bytes of stack")
        holds(500 < pool <= pool_size - MARGIN_MIN, f"{name} {build}: {pool} of {pool_size} bytes of the pool")


def examples_pass_in_a_reader():
    """Two readers at a time; the outcomes are those of a card in the process."""
    expected = outcomes(simtie("conformance", "--json", "--reader", "loop:", "--protocol", "T=1").json["results"])
    rest = EVERY if os.environ.get("FIRMWARE_WHOLE") else SOME
    images = [(name, build, EVERY if (name, build) == BUILDS[0] else rest) for name, build in BUILDS]
    # As much for one reader as for the other.
    halves = (images[::2], images[1::2]) if rest == EVERY else (images[:1], images[1:])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for done in [pool.submit(passes, expected, number, half) for number, half in enumerate(halves)]:
            done.result()


if __name__ == "__main__":
    sys.exit(run([
        what_cannot_be_is_refused,
        missing_source_is_said,
        hardware_builds,
        boards_answer_as_the_virtual_card,
        attestations_are_the_same_bytes,
        emulated_boards_say_that_they_can_be_debugged,
        microbit_has_a_random_source,
        state_survives_a_reset,
        damaged_flash_gives_no_card,
        watchdog_ends_a_command_that_hangs,
        examples_pass_in_a_reader,
    ]))
