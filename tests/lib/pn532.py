"""A PN532 on a pseudo-terminal, as libnfc's pn532_uart driver meets it, with cards or a reader in its field.

As strict as the chip (NXP UM0701-02): frames with preamble, length and data checksums, normal and
extended; the acknowledgement apart from the answer; asleep until it is woken, deaf to all but
SAMConfiguration after that; status bytes; cards that must be polled for, activated and kept powered. What
the chip refuses, it refuses. It knows what the host's end of this project uses, and answers the rest with
the chip's syntax error. `faults` makes it err.
"""

import errno
import os
import pty
import select
import threading
import time
import tty

from pn532_frame import ACK, CHIP, DATA_MAX, NACK, SYNTAX_ERROR, Parser, frame

# Status bytes (§7.1).
OK, TIMEOUT, PARAMETER, PROTOCOL, CONTEXT, RELEASED = 0x00, 0x01, 0x10, 0x0B, 0x27, 0x29
MORE = 0x40
BOUND = 10.0


class Refused(Exception):
    """The chip's syntax error: no such command, or not of that form."""


class Aborted(Exception):
    """The host's acknowledgement, or its next command, ended the one under way: there is no answer."""


class Faults:
    """What goes wrong, next time and once unless it says otherwise. Times are in seconds."""

    late_ack = 0.0       # the acknowledgement comes so much later
    late_answer = 0.0    # so does the answer
    stale = b""          # bytes that come before the acknowledgement, as of a command before
    corrupt = ""         # "ack", "length", "data" or "start": a byte of it is wrong
    cut = False          # half of the answer is all that ever comes
    drip = 0.0           # every byte of all answers comes so much after the last, for good
    mute = False         # no acknowledgement and no answer, for good
    raw = None           # in place of the answer, these bytes
    endless = False      # a card that sends "more follows" and no data, for good
    only = None          # code of the command that the others wait for; None: any


class Chip:
    """The chip. `with` starts it and, at the end, unplugs it."""

    def __init__(self, *cards, baud=None):
        self.cards = list(cards)
        self._byte_time = 10 / baud if baud else 0  # start bit, eight, stop bit; None: no time at all
        self.faults = Faults()
        self.commands = []   # codes of all commands that it carried out
        self.broken = None   # an exception of its thread's
        self.refusals = 0
        self.reader = None   # the emulated reader, in target mode
        self._power, self._field, self._parameters = "asleep", False, 0
        self._targets, self._rest = {}, b""
        self._target_mode, self._released = None, threading.Event()
        self._last = ACK
        self._parser = Parser()
        self._wake, self._stop = os.pipe()
        self._inbox, self._outbox = [], []
        self._news = threading.Condition()

    # ---- Life ----

    def __enter__(self):
        self._chip, self._host = pty.openpty()
        tty.setraw(self._host)  # held open: libnfc comes and goes
        tty.setraw(self._chip)
        self.path = os.ttyname(self._host)
        self.name = "nfc:pn532_uart:" + self.path
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.unplug()
        if self.broken:
            raise self.broken

    def unplug(self):
        """As if its plug was pulled: the port fails from now on."""
        if self._stop is None:
            return
        stop, self._stop = self._stop, None
        os.close(stop)
        with self._news:
            self._news.notify_all()
        self._thread.join(BOUND)
        os.close(self._wake)
        os.close(self._host)
        if self._chip is not None:
            os.close(self._chip)

    def _serve(self):
        try:
            while self._read(None):
                pass
        except OSError as error:
            if error.errno != errno.EIO:  # the host's end is gone
                self.broken = error
        except Exception as error:  # shown where a test sees it
            self.broken = error

    def _read(self, wait):
        """Takes what came, within that time; False: unplugged."""
        ready, _, _ = select.select([self._chip, self._wake], [], [], wait)
        if self._wake in ready:
            return False
        if self._chip in ready:
            data = os.read(self._chip, 4096)
            self._pass(data)
            if self._power == "asleep":
                if b"\x55" not in data:
                    return True  # nobody is listening
                self._power = "low"
            for found in self._parser.feed(data):
                self._frame(found)
        return True

    def _pass(self, data):
        """Takes as long as the bytes do on the line."""
        if self._byte_time:
            time.sleep(len(data) * self._byte_time)

    def _send(self, data):
        self._pass(data)
        os.write(self._chip, data)

    # ---- Frames ----

    def _frame(self, found):
        if found is ACK:
            return  # what was under way has ended by now: see Aborted
        if found is NACK:
            self._send(self._last)
            return
        good, body = found
        if not good or self._faulty("mute", body, once=False):
            self.refusals += not good
            return  # no acknowledgement, so that the host tries again
        if self._power == "low" and body[:1] != b"\x14":
            return
        self._acknowledge(body)
        self.commands.append(body[0])
        try:
            handler = getattr(self, f"_do_{body[0]:02x}", None)
            if not handler:
                raise Refused
            answer = frame(bytes([CHIP, body[0] + 1]) + handler(body[1:]))
        except (Refused, IndexError):
            self.refusals += 1
            answer = SYNTAX_ERROR
        except Aborted:
            return
        self._answer(answer, body)

    def _faulty(self, name, body, once=True):
        fault = getattr(self.faults, name)
        if not fault or self.faults.only not in (None, body[0]):
            return None
        if once:
            setattr(self.faults, name, getattr(Faults, name))
        return fault

    def _sleep(self, seconds):
        """A chip that is slow: deaf meanwhile, but not to being unplugged."""
        select.select([self._wake], [], [], seconds)

    def _acknowledge(self, body):
        if stale := self._faulty("stale", body):
            self._send(stale)
        if late := self._faulty("late_ack", body):
            self._sleep(late)
        if self.faults.corrupt == "ack" and self._faulty("corrupt", body):
            self._send(ACK[:4] + b"\x01" + ACK[5:])
        else:
            self._send(ACK)

    def _answer(self, answer, body):
        self._last = answer
        if late := self._faulty("late_answer", body):
            self._sleep(late)
        if raw := self._faulty("raw", body):
            answer = raw
        elif corrupt := self._faulty("corrupt", body):
            at = {"start": 2, "length": 4, "data": -2}[corrupt]
            answer = bytearray(answer)
            answer[at] ^= 0x10
        if self._faulty("cut", body):
            answer = answer[:len(answer) // 2]
        if drip := self._faulty("drip", body, once=False):
            for byte in bytes(answer):
                self._send(bytes([byte]))
                self._sleep(drip)
        else:
            self._send(bytes(answer))

    # ---- The chip itself ----

    def _do_00(self, data):  # Diagnose
        if data[:1] != b"\x00":
            raise Refused
        return data

    def _do_02(self, data):  # GetFirmwareVersion: 14443 A and B, ISO 18092
        self._form(not data)
        return bytes.fromhex("32010607")

    def _do_06(self, data):  # ReadRegister
        self._form(data and len(data) % 2 == 0)
        return bytes(len(data) // 2)

    def _do_08(self, data):  # WriteRegister
        self._form(data and len(data) % 3 == 0)
        return b""

    def _do_12(self, data):  # SetParameters
        self._form(len(data) == 1 and data[0] & 0x88 == 0)
        self._parameters = data[0]
        return b""

    def _do_14(self, data):  # SAMConfiguration
        self._form(1 <= len(data) <= 3 and 1 <= data[0] <= 4)
        self._power = "on"
        return b""

    def _do_16(self, data):  # PowerDown
        self._form(1 <= len(data) <= 2 and data[0] & 0x08 == 0)
        self._set_field(False)
        self._power = "asleep"
        return bytes([OK])

    def _do_32(self, data):  # RFConfiguration
        sizes = {1: 1, 2: 3, 4: 1, 5: 3, 0x0A: 11, 0x0B: 8, 0x0C: 3, 0x0D: 12}
        self._form(len(data) > 1 and len(data) == 1 + sizes.get(data[0], -1))
        if data[0] == 1:
            self._set_field(bool(data[1] & 1))
        return b""

    @staticmethod
    def _form(right):
        if not right:
            raise Refused

    def _set_field(self, on):
        self._field = on
        if not on:
            self._targets = {}
        for card in self.cards:
            card.field(on)

    # ---- Cards in the field ----

    def take_away(self):
        """Takes all cards off the antenna."""
        for card in self.cards:
            card.lies_there = False
            card.field(False)

    def put_back(self):
        for card in self.cards:
            card.lies_there = True
            card.field(self._field)

    def _do_4a(self, data):  # InListPassiveTarget
        self._form(len(data) >= 2 and 1 <= data[0] <= 2 and data[1] <= 4)
        self._form(data[1] != 3 or len(data) in (3, 4))  # type B needs an AFI
        self._set_field_on()
        self._targets = {}
        found = b""
        for card in self.cards:
            if card.kind == data[1] and card.state == "idle" and len(self._targets) < data[0]:
                number = len(self._targets) + 1
                self._targets[number] = card
                found += bytes([number]) + card.target(self._parameters & 0x10)
        return bytes([len(self._targets)]) + found

    def _set_field_on(self):
        if not self._field:
            self._set_field(True)

    def _do_40(self, data):  # InDataExchange
        self._form(len(data) >= 1)
        card = self._targets.get(data[0] & 0x3F)
        if not card:
            return bytes([CONTEXT])
        if len(data) - 1 > DATA_MAX:
            return bytes([PARAMETER])
        if card.state != "iso-dep":
            return bytes([TIMEOUT])
        if data[0] & MORE:
            self._inbox.append(data[1:])
            return bytes([OK])
        command, self._inbox = b"".join(self._inbox) + data[1:], []
        if self._faulty("endless", b"\x40", once=False):
            return bytes([MORE])
        if self._rest and not command:
            answer = self._rest
        else:
            answer = card.answer(command) if command else b""
        if card.state != "iso-dep":  # it left meanwhile
            return bytes([TIMEOUT])
        self._rest = answer[DATA_MAX:]
        return bytes([MORE if self._rest else OK]) + answer[:DATA_MAX]

    def _do_42(self, data):  # InCommunicateThru: here, a block that asks whether the card is there
        cards = [card for card in self.cards if card.state == "iso-dep"]
        if not cards or data not in (b"\xB2", b"\xBA\x01"):
            return bytes([TIMEOUT])
        return bytes([OK, data[0] & 0xEF | 0x01]) + data[1:]  # R(ACK)

    def _do_44(self, data):  # InDeselect: S(DESELECT) sends it to sleep
        self._form(len(data) == 1)
        chosen = list(self._targets) if data[0] == 0 else [data[0]]
        if any(number not in self._targets for number in chosen):
            return bytes([CONTEXT])
        for number in chosen:
            if self._targets[number].state != "off":
                self._targets[number].state = "halt"
        return bytes([OK])

    def _do_52(self, data):  # InRelease
        status = self._do_44(data)
        self._targets = {}
        self._set_target(None)
        return status

    def _do_54(self, data):  # InSelect
        self._form(len(data) == 1)
        return bytes([OK if data[0] in self._targets else CONTEXT])

    def _do_50(self, data):  # InATR: for NFCIP-1 targets, of which there are none
        self._form(len(data) >= 2)
        return bytes([CONTEXT])

    # ---- Target mode: a reader outside, and this chip as the card ----

    def _set_target(self, parameters):
        with self._news:
            self._target_mode = parameters
            self._inbox, self._outbox, self._replies = [], [], []
            self._news.notify_all()

    def _do_8c(self, data):  # TgInitAsTarget
        self._form(len(data) >= 37)
        mode, mifare = data[0], data[1:7]
        general = data[35]
        history = data[37 + general:37 + general + data[36 + general]]
        self._form(general <= 47 and len(history) <= 48 and len(data) == 37 + general + len(history))
        # A PICC alone wants both the mode and SetParameters' bit for it, and a SAK that says so.
        self._form(not mode & 0x04 or self._parameters & 0x20)
        self._set_target({"uid": b"\x08" + mifare[2:5], "sak": mifare[5], "atqa": mifare[:2], "history": history,
                          "picc": bool(mode & 0x04), "selected": False, "left": False})
        if not self._await(lambda: self._target_mode is None or self._target_mode["selected"]):
            raise Aborted
        return b"\x08\xE0\x50"  # 106 kbit/s, as a PICC; the reader's RATS

    def _await(self, come):
        """Waits for the reader outside. A frame from the host ends that, as an acknowledgement would."""
        while not come():
            with self._news:
                if self._news.wait_for(come, 0.01):
                    break
            ready, _, _ = select.select([self._chip, self._wake], [], [], 0)
            if ready:
                return False
        return True

    def _do_86(self, data):  # TgGetData
        self._form(not data)
        if self._target_mode is None or not self._target_mode["selected"]:
            return bytes([CONTEXT])
        if not self._await(lambda: self._inbox or not self._target_mode["selected"]):
            raise Aborted
        if not self._inbox:
            return bytes([RELEASED])
        with self._news:
            command = self._inbox.pop(0)
            if len(command) > DATA_MAX:
                self._inbox.insert(0, command[DATA_MAX:])
                return bytes([MORE]) + command[:DATA_MAX]
        return bytes([OK]) + command

    def _do_8e(self, data):  # TgSetData
        if self._target_mode is None or not self._target_mode["selected"]:
            return bytes([RELEASED])
        if len(data) > DATA_MAX:
            return bytes([PARAMETER])
        with self._news:
            self._replies.append(data)
            self._news.notify_all()
        return bytes([OK])

    # The reader outside: called by a test's own thread.

    @property
    def near(self):
        """Whether a reader is held to the chip."""
        with self._news:
            return bool(self._target_mode and self._target_mode["selected"])

    def tap(self):
        """Holds a reader to the chip: what it learns at activation."""
        with self._news:
            if not self._news.wait_for(lambda: self._target_mode and not self._target_mode["left"], BOUND):
                raise AssertionError("the chip is no target")
            self._target_mode["selected"] = True
            self._inbox, self._replies = [], []
            self._news.notify_all()
            return dict(self._target_mode)

    def await_target(self):
        """Whether the chip came to offer a card that no reader has selected yet."""
        with self._news:
            return self._news.wait_for(lambda: self._target_mode and not self._target_mode["selected"]
                                       and not self._target_mode["left"], BOUND)

    def put(self, command):
        """One APDU over the air, without waiting."""
        with self._news:
            self._inbox.append(command)
            self._news.notify_all()

    def ask(self, command):
        """One APDU over the air, and its answer."""
        self.put(command)
        with self._news:
            if not self._news.wait_for(lambda: self._replies, BOUND):
                raise AssertionError("the card does not answer")
            return self._replies.pop(0)

    def withdraw(self):
        """Takes the reader away."""
        with self._news:
            self._target_mode.update(selected=False, left=True)
            self._news.notify_all()


if __name__ == "__main__":
    import sys
    sys.exit(__doc__)
