"""A PC/SC client small enough to read: ctypes over libpcsclite, nothing else.

As a program, `pcsc.py wait N` waits until the PC/SC service answers and lists N readers (exit 0), for
at most ten seconds (exit 1).
"""

import ctypes
import sys
import time

SCOPE_SYSTEM = 2
SHARE_SHARED = 2
PROTOCOL_ANY = 3
LEAVE, RESET, UNPOWER = 0, 1, 2
STATE_CHANGED, STATE_EMPTY, STATE_PRESENT = 0x02, 0x10, 0x20

NO_SERVICE = 0x8010001D
NO_READERS = 0x8010002E
REMOVED = 0x80100069

_lib = ctypes.CDLL("libpcsclite.so.1")
_long, _dword = ctypes.c_long, ctypes.c_ulong


class _State(ctypes.Structure):
    _fields_ = [("reader", ctypes.c_char_p), ("user", ctypes.c_void_p), ("current", _dword),
                ("event", _dword), ("atr_len", _dword), ("atr", ctypes.c_ubyte * 33)]


class _Pci(ctypes.Structure):
    _fields_ = [("protocol", _dword), ("length", _dword)]


class Error(Exception):
    """What the service answered; `code` is its SCARD_ number."""

    def __init__(self, call, code):
        super().__init__(f"{call}: {code:08X}")
        self.code = code


def _call(name, *args):
    function = getattr(_lib, name)
    function.restype = _long
    code = function(*args) & 0xFFFFFFFF
    if code:
        raise Error(name, code)


class Context:
    """One connection to the service; `with` gives it back."""

    def __init__(self):
        self._handle = _long()
        _call("SCardEstablishContext", _dword(SCOPE_SYSTEM), None, None, ctypes.byref(self._handle))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _lib.SCardReleaseContext(self._handle)

    def readers(self):
        size = _dword(0)
        try:
            _call("SCardListReaders", self._handle, None, None, ctypes.byref(size))
            names = ctypes.create_string_buffer(size.value)
            _call("SCardListReaders", self._handle, None, names, ctypes.byref(size))
        except Error as error:
            if error.code == NO_READERS:
                return []
            raise
        return [n.decode() for n in names.raw[:size.value].split(b"\0") if n]

    def wait(self, reader, present, seconds=5.0):
        """Waits until a card is, or is not, in the reader. Returns its ATR and the count of events."""
        state = _State(reader=reader.encode())
        end = time.monotonic() + seconds
        while True:
            left = max(0, int((end - time.monotonic()) * 1000))
            _call("SCardGetStatusChange", self._handle, _dword(left), ctypes.byref(state), _dword(1))
            state.current = state.event & ~STATE_CHANGED
            if bool(state.event & STATE_PRESENT) == present:
                return bytes(state.atr[:state.atr_len]), state.event >> 16

    def connect(self, reader):
        return Card(self._handle, reader)


class Card:
    """A session with the card in a reader; `with` leaves the card as it is."""

    def __init__(self, context, reader):
        self._handle, self._protocol = _long(), _dword()
        _call("SCardConnect", context, reader.encode(), _dword(SHARE_SHARED), _dword(PROTOCOL_ANY),
              ctypes.byref(self._handle), ctypes.byref(self._protocol))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _lib.SCardDisconnect(self._handle, _dword(LEAVE))

    @property
    def protocol(self):
        return self._protocol.value  # 1: T=0, 2: T=1

    def transmit(self, command):
        """Sends a command (bytes or hexadecimal text); returns response data and status word."""
        if isinstance(command, str):
            command = bytes.fromhex(command)
        out, size = ctypes.create_string_buffer(65538), _dword(65538)
        pci = _Pci(self._protocol.value, ctypes.sizeof(_Pci))
        _call("SCardTransmit", self._handle, ctypes.byref(pci), command, _dword(len(command)), None,
              out, ctypes.byref(size))
        answer = out.raw[:size.value]
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def reset(self):
        _call("SCardReconnect", self._handle, _dword(SHARE_SHARED), _dword(PROTOCOL_ANY),
              _dword(RESET), ctypes.byref(self._protocol))


def wait_for_service(readers, seconds=10.0):
    """Whether the service came to answer, with so many readers, within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with Context() as context:
                if len(context.readers()) >= readers:
                    return True
        except Error as error:
            if error.code != NO_SERVICE:
                raise
        time.sleep(0.01)  # between two looks; nothing tells of a service that is not there yet
    return False


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "wait":
        sys.exit(__doc__)
    sys.exit(0 if wait_for_service(int(sys.argv[2])) else 1)
