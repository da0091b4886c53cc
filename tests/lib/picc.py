"""Cards and tags that may lie in an NFC device's field."""


class Card:
    """A card that may lie in the field: ISO/IEC 14443-3 states, and ISO/IEC 14443-4 above them when it is smart.
    `answer` takes a command and gives the response; `power` is called whenever the field has come back."""

    def __init__(self, answer, power=lambda: None):
        self.answer, self.power = answer, power
        self.lies_there = True
        self.state = "off"

    def field(self, on):
        if not on or not self.lies_there:
            self.state = "off"
        elif self.state == "off":
            self.state = "idle"
            self.power()


class CardA(Card):
    kind = 0

    def __init__(self, answer, power=lambda: None, uid="04A1B2C3", sak=0x20, history=b"simtie"):
        super().__init__(answer, power)
        self.uid, self.sak = bytes.fromhex(uid), sak
        # TL, T0 (FSCI 8: frames of 256 bytes; TA, TB, TC follow), 106 kbit/s, FWI 10, CID.
        self.ats = bytes([5 + len(history), 0x78, 0x80, 0xA0, 0x02]) + history

    def target(self, auto_rats):
        """What InListPassiveTarget tells of it; it is active then."""
        atqa = b"\x00\x44" if len(self.uid) == 7 else b"\x00\x04"
        smart = self.sak & 0x20 and auto_rats
        self.state = "iso-dep" if smart else "active"
        return atqa + bytes([self.sak, len(self.uid)]) + self.uid + (self.ats if smart else b"")


class CardB(Card):
    kind = 3

    def __init__(self, answer, power=lambda: None, pupi="11223344", protocol="008171"):
        super().__init__(answer, power)
        self.atqb = b"\x50" + bytes.fromhex(pupi) + b"stie" + bytes.fromhex(protocol)

    def target(self, _):
        self.state = "iso-dep"
        return self.atqb + b"\x01\x01"  # answer to ATTRIB: no more than its own identifier


if __name__ == "__main__":
    import sys
    sys.exit(__doc__)
