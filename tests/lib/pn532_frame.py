"""Frames between a host and a PN532 (NXP UM0701-02 §6.2.1), as both build and read them."""

ACK, NACK = bytes.fromhex("0000FF00FF00"), bytes.fromhex("0000FFFF0000")
SYNTAX_ERROR = bytes.fromhex("0000FF01FF7F8100")
HOST, CHIP = 0xD4, 0xD5
FRAME_MAX = 265  # bytes after LEN: TFI, code, and 263 more
DATA_MAX = 262   # data of one InDataExchange, TgGetData or TgSetData


def frame(body):
    """A frame as chip and host build it."""
    checksum = bytes([-sum(body) & 0xFF, 0])
    size = len(body)
    if size < 256:
        return bytes([0, 0, 0xFF, size, -size & 0xFF]) + body + checksum
    high, low = size >> 8, size & 0xFF
    return bytes([0, 0, 0xFF, 0xFF, 0xFF, high, low, -(high + low) & 0xFF]) + body + checksum


class Parser:
    """Bytes in, frames out: ACK, NACK, (True, body) or (False, b"") for one whose TFI or checksum is wrong."""

    def __init__(self):
        self.held = b""

    def feed(self, data):
        self.held += data
        found = []
        while (one := self._next()) is not None:
            found.append(one)
        return found

    def _next(self):
        at = self.held.find(b"\x00\xFF")
        if at < 0:
            self.held = self.held[-1:]
            return None
        rest = self.held[at + 2:]
        if len(rest) < 2:
            return None
        if rest[:2] in (b"\x00\xFF", b"\xFF\x00"):
            self.held = rest[2:]
            return ACK if rest[:2] == b"\x00\xFF" else NACK
        extended = rest[:2] == b"\xFF\xFF"
        head = 5 if extended else 2
        if len(rest) < head:
            return None
        size = rest[2] << 8 | rest[3] if extended else rest[0]
        good = sum(rest[2:5] if extended else rest[:2]) & 0xFF == 0
        if not good or not 1 <= size <= FRAME_MAX:
            self.held = rest  # no frame: looked for anew behind its start code
            return False, b""
        if len(rest) < head + size + 1:
            return None
        body, checksum = rest[head:head + size], rest[head + size]
        self.held = rest[head + size + 1:]
        return (sum(body) + checksum) & 0xFF == 0 and body[0] == HOST, body[1:]


if __name__ == "__main__":
    import sys
    sys.exit(__doc__)
