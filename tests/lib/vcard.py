"""simtie-card as a process, and a stand-in for vpcd to talk to it without pcscd."""

import os
import pathlib
import signal
import socket
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = str(ROOT / os.environ.get("SIMTIE_BUILD", "build") / "simtie-card")
BOUND = 10.0  # seconds that anything may take before it counts as hanging

AID = bytes.fromhex("F053494D54494501")
SELECT = bytes([0x00, 0xA4, 0x04, 0x00, len(AID)]) + AID + b"\0"
GET_INFORMATION = bytes.fromhex("00CABF2000")
OFF, ON, RESET, ATR = b"\0", b"\1", b"\2", b"\4"


# INITIALIZE UPDATE: begins a session, which the card counts for ever. What a card keeps without keys.
BEGIN = bytes.fromhex("8050000008") + bytes(8) + b"\0"


def begun(answer):
    """How many sessions a card has begun, from its answer to BEGIN; None if it refused."""
    return int.from_bytes(answer[-5:-2], "big") if len(answer) == 34 and answer[-2:] == b"\x90\0" else None


class Card:
    """A running simtie-card. `with` ends it."""

    def __init__(self, *options, port=None, **popen):
        where = ["--port", str(port)] if port else []
        self.process = subprocess.Popen([PROGRAM, *where, *map(str, options)], stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, text=True, **popen)
        self.lines = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()

    def expect(self, text, times=1):
        """Waits until so many lines of stderr hold the text."""
        with self._news:
            seen = self._news.wait_for(lambda: sum(text in line for line in self.lines) >= times, BOUND)
        if not seen:
            raise AssertionError(f"{text!r} not said {times} times in {self.lines}")

    def send(self, number):
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        """Ends it by a signal; returns its exit code."""
        self.send(number)
        return self.process.wait(BOUND)


def refusal(*options, **popen):
    """Runs a simtie-card that is to end by itself. Returns exit code and stderr."""
    done = subprocess.run([PROGRAM, *map(str, options)], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=BOUND, **popen)
    return done.returncode, done.stderr


class Reader:
    """Listens as vpcd does, on a port of its own. Frames are sent in whatever pieces are asked for."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(BOUND)
        self.port = self.server.getsockname()[1]
        self.card = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lose()
        self.server.close()

    def accept(self):
        """Takes the card that connects, and powers it."""
        self.card, _ = self.server.accept()
        self.card.settimeout(BOUND)
        self.card.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(ON)
        return self

    def lose(self):
        if self.card:
            self.card.close()
        self.card = None

    def send(self, *bodies):
        self.card.sendall(b"".join(len(b).to_bytes(2, "big") + b for b in bodies))

    def answer(self):
        return self._take(int.from_bytes(self._take(2), "big"))

    def _take(self, size):
        data = b""
        while len(data) < size:
            part = self.card.recv(size - len(data))
            if not part:
                raise ConnectionError("the card has gone")
            data += part
        return data

    def ask(self, body):
        self.send(body)
        return self.answer()
