#!/usr/bin/env python3
"""simtie-card's side of vpcd's protocol, and its options: frames cut and joined in every way, ATRs."""

import pathlib
import random
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from tap import holds, run, same
from vcard import ATR, GET_INFORMATION, OFF, PROGRAM, RESET, SELECT, Card, Reader, refusal

DEFAULT_ATR = bytes.fromhex("3b8c8131fe4580738001db5673696d74696577")
WRONG_LENGTH = b"\x67\x00"


def whole_frame_in_two_writes():
    """As vpcd 3.3 does it: the length, and later the body."""
    with Reader() as reader, Card(port=reader.port):
        reader.accept()
        for body, answer in ((ATR, DEFAULT_ATR), (b"\0\0", WRONG_LENGTH), (SELECT, None)):
            reader.card.sendall(len(body).to_bytes(2, "big"))
            reader.card.sendall(body)
            found = reader.answer()
            same(found if answer else found[-2:], answer or b"\x90\x00")


def frame_in_single_bytes():
    with Reader() as reader, Card(port=reader.port):
        reader.accept()
        for byte in len(SELECT).to_bytes(2, "big") + SELECT:
            reader.card.sendall(bytes([byte]))
        same(reader.answer()[-2:], b"\x90\x00")


def many_frames_in_one_write():
    with Reader() as reader, Card(port=reader.port):
        reader.accept()
        reader.send(ATR, RESET, SELECT, GET_INFORMATION, ATR, OFF, ATR)
        answers = [reader.answer() for _ in range(5)]
        same((answers[0], answers[3], answers[4]), (DEFAULT_ATR,) * 3)
        same((answers[1][-2:], answers[2][:2]), (b"\x90\x00", b"\xBF\x20"))


def stream_cut_at_random():
    """The same commands, whatever the pieces: the same answers in the same order."""
    chance = random.Random(3)
    bodies = [SELECT, ATR, GET_INFORMATION, b"", b"\x99" * 300, bytes(20000), GET_INFORMATION] * 20
    stream = b"".join(len(b).to_bytes(2, "big") + b for b in bodies)
    with Reader() as reader, Card(port=reader.port):
        reader.accept()
        expected = [reader.ask(body) for body in bodies]
        at = 0
        found = []
        while at < len(stream):
            size = min(chance.choice((1, 2, 3, 50, 5000, 100000)), len(stream) - at)
            reader.card.sendall(stream[at:at + size])
            at += size
        found = [reader.answer() for _ in bodies]
    same(found == expected, True, "answers to the cut stream")


def empty_short_and_huge_commands_get_wrong_length():
    with Reader() as reader, Card(port=reader.port):
        reader.accept()
        for body in (b"", b"\x05", b"\xFF", b"\0\0", b"\0" * 3, bytes(65535),
                     bytes.fromhex("00CA0000000000") + bytes(65528)):
            same(reader.ask(body), WRONG_LENGTH, f"{len(body)} bytes")
        same(reader.ask(SELECT)[-2:], b"\x90\x00", "the next command")


def power_and_reset_forget_the_selection():
    with Reader() as reader, Card(port=reader.port):
        reader.accept()
        for control in (OFF, b"\1", RESET):
            same(reader.ask(SELECT)[-2:], b"\x90\x00")
            same(reader.ask(GET_INFORMATION)[-2:], b"\x90\x00")
            reader.send(control)
            same(reader.ask(GET_INFORMATION), b"\x6A\x88", f"after {control.hex()}")


def lost_connection_is_a_lost_selection():
    with Reader() as reader, Card(port=reader.port) as card:
        reader.accept()
        reader.ask(SELECT)
        reader.lose()
        card.expect("reader lost")
        reader.card, _ = reader.server.accept()  # and no power-on
        reader.card.settimeout(10)
        same(reader.ask(GET_INFORMATION), b"\x6A\x88")
        reader.card.sendall(b"\0\5\0")  # half a frame, then gone
        reader.lose()
        card.expect("reader lost", 2)
        reader.accept()
        same(reader.ask(ATR), DEFAULT_ATR, "nothing is left of the half frame")


def peer_that_takes_no_answers_is_waited_for():
    """It goes on asking; the card keeps its memory bounded, does not spin, and still ends in time."""
    with Reader() as reader, Card(port=reader.port) as card:
        reader.accept().ask(SELECT)
        reader.card.settimeout(0.5)
        requests = (len(GET_INFORMATION).to_bytes(2, "big") + GET_INFORMATION) * 10000
        try:
            while True:  # until nothing goes any more
                sent = reader.card.send(requests)
                requests = requests[sent:] + requests[:sent]
        except TimeoutError:
            pass
        before = processor_time(card)
        time.sleep(0.5)
        holds(processor_time(card) - before < 0.1, "it spins")
        same(card.end(), 0)


def processor_time(card):
    """Seconds that the card has used so far."""
    fields = pathlib.Path(f"/proc/{card.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def absent_reader_is_tried_with_patience():
    """A port that refuses, and one that hangs up at once: pauses grow, up to a second."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Card(port=port) as card:
            arrivals = []
            server.settimeout(10)
            while len(arrivals) < 6:
                connection, _ = server.accept()
                arrivals.append(time.monotonic())
                connection.close()
            pauses = [later - earlier for earlier, later in zip(arrivals, arrivals[1:])]
            holds(pauses[0] >= 0.045 and pauses[4] >= 0.75 and max(pauses) < 2, f"pauses {pauses}")
            same(sum("no reader" in line for line in card.lines), 1, "said once")
            holds(not any("card in reader" in line for line in card.lines), "it was in none")
            same(card.end(), 0)


def good_atrs_are_given_to_the_reader():
    for text in ("3B00", "3f 00", "3B:02:14:50", "3B 80 01 81", DEFAULT_ATR.hex(" "),
                 "3B 9F 96 80 1F C7 80 31 A0 73 BE 21 13 67 43 20 07 18 00 00 01 A5"):
        with Reader() as reader, Card("--atr", text, port=reader.port):
            same(reader.accept().ask(ATR), bytes.fromhex(text.replace(":", "")))


def bad_atrs_are_refused():
    for text, reason in {
            "": "shorter than 2", "3B": "shorter than 2", "3": "hexadecimal", "3B0G": "hexadecimal",
            "3B 0": "hexadecimal", "3B  00": "hexadecimal", "3B" + "00" * 33: "longer than 33",
            "3A00": "3B nor 3F", "3B02": "shorter than its", "3B0000": "longer than its",
            "3B80": "interface bytes", "3BF0112233": "interface bytes", "3B8001": "shorter than its",
            "3B800180": "check byte", "3B800F8F": "neither T=0 nor T=1",
            "3B80800100": "check byte"}.items():
        code, said = refusal("--atr", text)
        same(code, 2, text)
        holds(reason in said and "--help" in said, f"{text}: {said}")


def wrong_usage_is_exit_2_and_help_fits_a_screen():
    for options in (("--port", "0"), ("--port", "65536"), ("--port", "0x10"), ("--port", ""),
                    ("--port", "-1"), ("--port",), ("--nonsense",), ("surplus",), ("--seed", ""),
                    ("--seed", "x" * 65), ("--reset",), ("--iccid", "12"), ("--tray", "0"), ("--tray", "2"),
                    ("--slots", "17"), ("--slots", "2"), ("--sign-ms", "x"), ("--sign-ms", "10001"),
                    ("--tray", "2", "--iccid", "898821100000000001", "--state", "x", "--reset")):
        code, said = refusal(*options)
        same(code, 2, options)
        holds("--help" in said, said)
    code, said = refusal("--host", "no.such.host.invalid")
    same(code, 4, said)
    holds("no.such.host.invalid: no such host" in said, said)
    text = subprocess.run([PROGRAM, "--help"], check=True, capture_output=True, text=True).stdout
    holds(len(text.splitlines()) <= 40 and max(map(len, text.splitlines())) <= 80, "help over a screen")
    subprocess.run([PROGRAM, "--version"], check=True, capture_output=True)


def warnings_are_given():
    with Reader() as reader, Card("--seed", "x", port=reader.port) as card:
        reader.accept()
        card.expect("whoever knows the seed has this card's keys")
        card.expect("gone when this program ends")


if __name__ == "__main__":
    sys.exit(run([
        whole_frame_in_two_writes,
        frame_in_single_bytes,
        many_frames_in_one_write,
        stream_cut_at_random,
        empty_short_and_huge_commands_get_wrong_length,
        power_and_reset_forget_the_selection,
        lost_connection_is_a_lost_selection,
        peer_that_takes_no_answers_is_waited_for,
        absent_reader_is_tried_with_patience,
        good_atrs_are_given_to_the_reader,
        bad_atrs_are_refused,
        wrong_usage_is_exit_2_and_help_fits_a_screen,
        warnings_are_given,
    ]))
