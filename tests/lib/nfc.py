"""Sessions with contactless cards through libsimtie.so, as a program that links it would have them."""

import contextlib
import ctypes
import os
import pathlib
import signal

import vcard
from picc import CardA
from pn532 import Chip
from tap import same

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("SIMTIE_BUILD", "build")
OK = b"\x90\x00"
BYTES = b"\0\1\2\3"  # that echo() gives back

# Of enum simtie_error.
ARGUMENT, ACCESS, NO_READER, AMBIGUOUS, CARD_ABSENT, BUSY, MUTE = -1, -4, -5, -6, -7, -8, -9
GONE, LATE, LINE, PROTOCOL = -10, -11, -12, -13


class Options(ctypes.Structure):
    _fields_ = [("reader", ctypes.c_char_p), ("trace", ctypes.c_char_p), ("trace_secrets", ctypes.c_bool),
                ("protocol", ctypes.c_int), ("timeout_ms", ctypes.c_uint), ("guard", ctypes.c_void_p),
                ("detail", ctypes.c_char_p)]


library = ctypes.CDLL(str(BUILD / "libsimtie.so"))
library.simtie_session_reader.restype = ctypes.c_char_p
library.simtie_session_over_the_air.restype = ctypes.c_bool
library.simtie_status_word.restype = ctypes.c_uint16


class Failed(Exception):
    def __init__(self, error, detail=""):
        super().__init__(error, detail)
        self.error, self.detail = error, detail


class Session:
    """A session; `with` closes it."""

    def __init__(self, reader, bound_ms=3000, protocol=0):
        detail = ctypes.create_string_buffer(512)
        options = Options(reader=reader.encode(), protocol=protocol, timeout_ms=bound_ms,
                          detail=ctypes.cast(detail, ctypes.c_char_p))
        self.handle = ctypes.c_void_p()
        error = library.simtie_open(ctypes.byref(options), ctypes.byref(self.handle))
        if error:
            raise Failed(error, detail.value.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        library.simtie_close(ctypes.byref(self.handle))

    def raw(self, command, room=65536):
        """One exchange: the whole response."""
        out, size = ctypes.create_string_buffer(room), ctypes.c_size_t()
        error = library.simtie_transmit_raw(self.handle, command, ctypes.c_size_t(len(command)), out,
                                            ctypes.c_size_t(room), ctypes.byref(size))
        if error:
            raise Failed(error)
        return out.raw[:size.value] + library.simtie_status_word(self.handle).to_bytes(2, "big")

    def reset(self):
        if error := library.simtie_reset(self.handle):
            raise Failed(error)

    @property
    def reader(self):
        return library.simtie_session_reader(self.handle).decode()

    @property
    def by_radio(self):
        return library.simtie_session_over_the_air(self.handle)

    @property
    def atr(self):
        size = ctypes.c_size_t()
        library.simtie_session_atr.restype = ctypes.POINTER(ctypes.c_uint8)
        return bytes(library.simtie_session_atr(self.handle, ctypes.byref(size))[:size.value])


def fails(error, call, *arguments):
    """That it fails so; the sentence that comes with it."""
    try:
        call(*arguments)
    except Failed as failed:
        same(failed.error, error, failed.detail)
        return failed.detail
    raise AssertionError(f"no error {error}")


def echo(command):
    return command + OK


@contextlib.contextmanager
def virtual_card(kind=CardA, baud=None, **more):
    """A simtie-card on the antenna of a chip; yields chip, card and a way to make it factory-fresh."""
    with vcard.Reader() as reader, vcard.Card(port=reader.port) as process:
        reader.accept()

        def fresh():
            reader.lose()
            process.send(signal.SIGUSR1)
            reader.accept()

        card = kind(reader.ask, lambda: reader.send(vcard.RESET), **more)
        with Chip(card, baud=baud) as chip:
            yield chip, card, fresh


if __name__ == "__main__":
    import sys
    sys.exit(__doc__)
