"""Cards that no simtie-card would be: they sit in a virtual reader and answer as a function says."""

import socket
import threading

from vcard import ATR, OFF, ON, RESET, Reader

BOUND = 10.0
FOREIGN_ATR = bytes.fromhex("3B021450")


class FakeCard:
    """Connects to vpcd on a port of this machine. `answer` gets a command and returns the whole response,
    or None to fall silent; `power` is called at power-on and reset. `with` takes the card out."""

    def __init__(self, port, answer, atr=FOREIGN_ATR, power=lambda: None):
        self.port, self.answer, self.atr, self.power = port, answer, atr, power
        self.commands = []  # all that were sent to it
        self.fault = None   # what went wrong in its thread

    def __enter__(self):
        self._line = socket.create_connection(("127.0.0.1", self.port), BOUND)
        self._line.settimeout(None)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.take_out()
        if self.fault:
            raise self.fault

    def pull(self):
        """Breaks the line; `answer` may call it."""
        try:
            self._line.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the reader was faster

    def take_out(self):
        self.pull()
        self._thread.join(BOUND)
        self._line.close()

    def _take(self, size):
        data = b""
        while len(data) < size:
            part = self._line.recv(size - len(data))
            # vpcd sends length and body apart and waits for an acknowledgement in between.
            self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if not part:
                raise ConnectionError
            data += part
        return data

    def _serve(self):
        try:
            while True:
                self._frame(self._take(int.from_bytes(self._take(2), "big")))
        except OSError:
            pass  # taken out
        except Exception as fault:  # shown by __exit__, where a test sees it
            self.fault = fault

    def _frame(self, body):
        if body in (OFF, ON, RESET):
            self.power()
            return
        if body == ATR:
            answer = self.atr
        else:
            self.commands.append(body)
            answer = self.answer(body)
        if answer is not None:
            self._line.sendall(len(answer).to_bytes(2, "big") + answer)


class Meddler:
    """A simtie-card (`card`, not yet connected; its port is self.reader.port) in a reader, with
    `meddle(command, ask)` between: `ask(command)` puts a command to the card and gives its response."""

    def __init__(self, port, meddle):
        self.reader = Reader()
        self.fake = FakeCard(port, lambda command: meddle(command, self.reader.ask), power=self._reset)

    def _reset(self):
        self.reader.send(RESET)

    def insert(self):
        """Takes the simtie-card that was started, and puts it in. `with` takes it out."""
        self.reader.accept()
        self.fake.atr = self.reader.ask(ATR)
        return self.fake
