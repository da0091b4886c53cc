#!/usr/bin/env python3
"""simtie-card in a real reader: pcscd and vpcd, in a namespace of their own (tests/lib/private-pcscd)."""

import contextlib
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))
if __name__ == "__main__" and "PCSCD_START" not in os.environ:
    os.execv(LIB / "private-pcscd", ["private-pcscd", "--", sys.executable, os.path.abspath(__file__)])

import pcsc
from tap import holds, note, run, same
from vcard import BEGIN, GET_INFORMATION, SELECT, Card, begun

PORT = 35963
ATR = "3b8c8131fe4580738001db5673696d74696577"


def slot(context, number):
    return context.readers()[number]


@contextlib.contextmanager
def inserted(*options, number=0):
    """A card in a reader that was empty before: pcscd takes up to 400 ms to miss the one of the last
    test. Yields the process and the context."""
    with pcsc.Context() as context:
        context.wait(slot(context, number), False)
        with Card(*options, port=PORT + number) as virtual:
            context.wait(slot(context, number), True)
            yield virtual, context


def kill_pcscd():
    os.kill(int(pathlib.Path("/run/pcscd/pcscd.pid").read_text().strip("\n\0")), signal.SIGKILL)


def start_pcscd():
    subprocess.run([os.environ["PCSCD_START"]], check=True, stdout=subprocess.DEVNULL)


def begin(card):
    """Begins a session; how many the card has begun, this one included."""
    data, sw = card.transmit(BEGIN)
    return begun(data + sw.to_bytes(2, "big"))


def card_appears_and_answers_select():
    with inserted() as (virtual, context):
        atr, _ = context.wait(slot(context, 0), True)
        same(atr.hex(), ATR)
        virtual.expect("card in reader at 127.0.0.1:35963")
        with context.connect(slot(context, 0)) as card:
            same(card.protocol, 2, "T=1")
            data, sw = card.transmit(SELECT)
            same((data[:2], sw), (b"\x6F\x1A", 0x9000))
            card.reset()
            same(card.transmit(GET_INFORMATION)[1], 0x6A88, "the domain is selected after a reset")
        same(virtual.end(), 0)
        context.wait(slot(context, 0), False)


def atr_of_t0_makes_a_card_of_t0():
    with inserted("--atr", "3B 00") as (_, context):
        same(context.wait(slot(context, 0), True)[0].hex(), "3b00")
        with context.connect(slot(context, 0)) as card:
            same(card.protocol, 1, "T=0")
            data, sw = card.transmit(SELECT)
            same((data, sw), (b"", 0x611C))
            same(card.transmit("00C000001C")[1], 0x9000)


def malformed_commands_get_an_answer():
    """Whatever the reader sends, an answer comes: vpcd would wait for ever."""
    with inserted() as (_, context):
        with context.connect(slot(context, 0)) as card:
            for command in ("05", "FF", "00CA", "00A404", "00A4040009F0", "00CA0000000000" + "00" * 65000):
                same(card.transmit(command), (b"", 0x6700), command[:16])
            same(card.transmit(SELECT)[1], 0x9000)


def reconnects_when_pcscd_was_killed():
    with tempfile.TemporaryDirectory() as folder, inserted("--state", f"{folder}/card") as (virtual, context):
        with context.connect(slot(context, 0)) as card:
            same([begin(card), begin(card)], [1, 2])
        for times in (1, 2):
            kill_pcscd()
            virtual.expect("reader lost", times)
            start_pcscd()
            with pcsc.Context() as again:
                again.wait(slot(again, 0), True)
                with again.connect(slot(again, 0)) as card:
                    same(begin(card), 2 + times)
            virtual.expect("card in reader", times + 1)
        same(virtual.end(), 0)


def waits_for_a_pcscd_that_comes_later():
    kill_pcscd()
    with Card() as virtual:
        virtual.expect("no reader at 127.0.0.1:35963 yet")
        start_pcscd()
        with pcsc.Context() as context:
            context.wait(slot(context, 0), True)
        same(sum("no reader" in line for line in virtual.lines), 1, "said once")


def signal_puts_a_fresh_card_in():
    keys = []
    with tempfile.TemporaryDirectory() as folder:
        with inserted("--state", f"{folder}/card", "--seed", "fresh") as (virtual, context):
            for times in (1, 2, 3):
                with context.connect(slot(context, 0)) as card:
                    same([begin(card), begin(card)], [1, 2], "a fresh card has begun none")
                    card.transmit(SELECT)
                    keys.append(card.transmit("0084000020")[0])
                    _, events = context.wait(slot(context, 0), True)
                    virtual.send(signal.SIGUSR1)
                    virtual.expect("factory-fresh one goes in", times)
                    virtual.expect("card in reader", times + 1)
                    same(context.wait(slot(context, 0), True)[1], events + 2, "out and in")
                    try:
                        card.transmit(SELECT)
                    except pcsc.Error as gone:
                        same(gone.code, pcsc.REMOVED)
                    else:
                        holds(False, "the session with the old card lives on")
            same(virtual.end(), 0)
    holds(len(keys[0]) == 32 and keys.count(keys[0]) == 3, "the seed gives the same bytes again")


def two_slots_are_two_cards():
    with inserted(number=0) as (first, context), inserted(number=1) as (second, _):
        with context.connect(slot(context, 0)) as one, context.connect(slot(context, 1)) as two:
            same([begin(card) for card in (one, two, two)], [1, 1, 2])
            same(first.end(), 0)
            context.wait(slot(context, 0), False)
            same(begin(two), 3, "the other goes on")
        same(second.end(), 0)


def second_card_in_a_slot_waits_its_turn():
    with inserted() as (first, context):
        with Card() as second:
            second.expect("is another one in it?")
            same(first.end(), 0)
            second.expect("card in reader")
            context.wait(slot(context, 0), True)


def bare_card(stop):
    """Answers every command with 9000: what the line and pcscd cost, without a card behind."""
    with socket.create_connection(("127.0.0.1", PORT)) as line:
        line.settimeout(0.1)
        data = b""
        while not stop.is_set():
            try:
                part = line.recv(4096)
            except TimeoutError:
                continue
            if not part:
                return
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data += part
            while len(data) >= 2 and len(data) >= 2 + int.from_bytes(data[:2], "big"):
                size = int.from_bytes(data[:2], "big")
                body, data = data[2:2 + size], data[2 + size:]
                answer = bytes.fromhex(ATR) if body == b"\4" else b"\x90\x00" if size > 1 else b""
                if answer:
                    line.sendall(len(answer).to_bytes(2, "big") + answer)


def median_exchange(context):
    """Microseconds of a GET DATA through pcscd."""
    with context.connect(slot(context, 0)) as card:
        card.transmit(SELECT)
        times = []
        for _ in range(500):
            start = time.perf_counter()
            card.transmit("00CA9F2100")
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def exchange_waits_for_no_delayed_acknowledgement():
    with inserted() as (virtual, context):
        ours = median_exchange(context)
        same(virtual.end(), 0)
        context.wait(slot(context, 0), False)
        stop = threading.Event()
        bare = threading.Thread(target=bare_card, args=(stop,))
        bare.start()
        context.wait(slot(context, 0), True)
        theirs = median_exchange(context)
        stop.set()
        bare.join()
    note(f"GET DATA through pcscd: {ours:.0f} us; a bare card in Python: {theirs:.0f} us; "
         f"ratio {ours / theirs:.2f}")
    holds(ours < 20000, "an exchange waits for the kernel's delayed acknowledgement, 40 ms")


if __name__ == "__main__":
    sys.exit(run([
        card_appears_and_answers_select,
        atr_of_t0_makes_a_card_of_t0,
        malformed_commands_get_an_answer,
        reconnects_when_pcscd_was_killed,
        waits_for_a_pcscd_that_comes_later,
        signal_puts_a_fresh_card_in,
        two_slots_are_two_cards,
        second_card_in_a_slot_waits_its_turn,
        exchange_waits_for_no_delayed_acknowledgement,
    ]))
