#!/usr/bin/env python3
"""simtie doctor: what it finds on machines that were made up, and of cards in a reader of its own."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))
if __name__ == "__main__" and "PCSCD_START" not in os.environ:
    os.execv(LIB / "private-pcscd", ["private-pcscd", "--", sys.executable, os.path.abspath(__file__)])

import pcsc
import tool
import vcard
from fake_card import FakeCard
from tap import holds, run, same
from tool import DONE, NO_CARD, REFUSED, folder, issued, simtie

PORT = 35963
READER = {"PCSCLITE_CSOCK_NAME": "/run/pcscd/pcscd.comm"}
EXCLUSIVE = 1


class Found:
    """What one run found, by check."""

    def __init__(self, ended):
        self.ended, self.all = ended, ended.json["findings"]
        self.ready, self.ill = ended.json["ready"], ended.json["ill"]

    def of(self, check):
        return [(f["verdict"], f["text"], f.get("advice", "")) for f in self.all if f["check"] == check]

    def has(self, check, verdict, text, advice=""):
        for found in self.of(check):
            if found[0] == verdict and text in found[1] and advice in found[2]:
                return
        raise AssertionError(f"no {verdict} {text!r} ({advice!r}) in {self.of(check)}")

    def problems(self):
        return [f["text"] for f in self.all if f["verdict"] == "problem"]


def doctor(*arguments, code, env=READER):
    return Found(simtie("doctor", "--json", *arguments, code=code, env=env))


def wait(present, number=0):
    with pcsc.Context() as context:
        return context.wait(context.readers()[number], present)


@contextlib.contextmanager
def inserted(*options):
    wait(False)
    with vcard.Card(*options, port=PORT) as card:
        wait(True)
        yield card
    wait(False)


def restart_pcscd():
    os.kill(int(pathlib.Path("/run/pcscd/pcscd.pid").read_text().strip("\n\0")), signal.SIGKILL)
    subprocess.run([os.environ["PCSCD_START"]], check=True, stdout=subprocess.DEVNULL)


class Machine:
    """A root folder for --root: a machine as it could be. `with` makes it, and a socket path beside it."""

    def __enter__(self):
        self.folder = folder()
        self.files = self.folder.__enter__()
        self.root = self.files.folder / "root"
        self.root.mkdir()
        self.socket = self.files.folder / "socket"
        return self

    def __exit__(self, *about):
        return self.folder.__exit__(*about)

    def file(self, path, content=""):
        whole = self.root / path.lstrip("/")
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(content)

    def usb(self, name, interface_class="0b", driver=None, **device):
        """A device "1-2" with one interface."""
        for entry, value in device.items():
            self.file(f"/sys/bus/usb/devices/{name}/{entry}", value + "\n")
        interface = f"/sys/bus/usb/devices/{name}:1.0"
        self.file(f"{interface}/bInterfaceClass", interface_class + "\n")
        if driver:
            (self.root / interface.lstrip("/") / "driver").symlink_to(f"../../drivers/{driver}")

    def installed(self):
        self.file("/usr/sbin/pcscd")
        self.file("/usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist")
        return self

    def doctor(self, code=NO_CARD, service=False):
        """With the service that is really there, or with none at the machine's socket."""
        env = READER if service else {"PCSCLITE_CSOCK_NAME": str(self.socket)}
        return doctor("--root", self.root, code=code, env=env)


# ---- The service ----

def nothing_is_installed():
    with Machine() as machine:
        found = machine.doctor()
        found.has("service", "problem", "not installed", "sudo apt install pcscd libccid")
        found.has("drivers", "warning", "no driver for USB readers", "sudo apt install libccid")
        found.has("usb", "note", "shows no USB", "hand the reader in")
        found.has("vpcd", "note", "no virtual reader is installed", "vsmartcard-vpcd")
        same(found.of("exposure"), [])


def service_does_not_run():
    with Machine() as machine:
        machine.installed()
        found = machine.doctor()
        found.has("service", "problem", f"no socket {machine.socket}", "sudo pcscd")
        found.has("service", "problem", "", "PCSCLITE_CSOCK_NAME is set")
        found.has("drivers", "ok", "ifd-ccid")
        machine.file("/run/systemd/system/x")
        machine.doctor().has("service", "problem", "no socket", "systemctl enable --now pcscd.socket")


def service_left_its_socket_behind():
    with Machine() as machine:
        machine.installed()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(machine.socket))
        machine.doctor().has("service", "problem", "has ended and left its socket", "start it again")
        machine.file("/run/systemd/system/x")
        machine.doctor().has("service", "problem", "left its socket", "systemctl restart")


def service_turns_this_user_away():
    with Machine() as machine:
        machine.installed()
        with socket.socket(socket.AF_UNIX) as rude:
            rude.bind(str(machine.socket))
            rude.listen()

            def turn_away():  # as pcscd 1.9 does with a client that polkit refuses
                with contextlib.suppress(OSError):
                    while True:
                        rude.accept()[0].close()

            thread = threading.Thread(target=turn_away)
            thread.start()
            try:
                machine.doctor().has("service", "problem", "refuses this user", "/etc/polkit-1/rules.d")
            finally:
                rude.shutdown(socket.SHUT_RDWR)
                thread.join()


# ---- USB ----

def usb_reader_that_pcsc_does_not_show():
    with Machine() as machine:
        machine.installed()
        machine.usb("1-2", manufacturer="Gemalto", product="USB Reader", idVendor="08e6", idProduct="3437")
        machine.usb("1-3", interface_class="08", product="A disk")
        found = machine.doctor(service=True)
        found.has("usb", "problem", "Gemalto USB Reader (08e6:3437); but PC/SC shows 0 of these 1 readers",
                  "plug it in again")
        machine.doctor().has("usb", "note", "on the USB: Gemalto USB Reader")


def kernel_driver_that_keeps_a_reader():
    with Machine() as machine:
        machine.installed()
        machine.usb("1-2", driver="pn533_usb", manufacturer="ACS", product="ACR122U", idVendor="072f",
                    idProduct="2200")
        machine.usb("1-4", interface_class="ff", driver="port100", product="RC-S380", idVendor="054c",
                    idProduct="06c3")
        machine.usb("1-5", driver="usbfs", product="Fine", idVendor="0001", idProduct="0002")
        found = machine.doctor(service=True)
        found.has("usb", "problem", "ACS ACR122U (072f:2200) is held by the kernel driver pn533_usb",
                  "sudo modprobe -r pn533_usb")
        found.has("usb", "problem", "RC-S380 (054c:06c3) is held by the kernel driver port100", "blacklist")
        holds(not any("Fine" in text and "held" in text for text in found.problems()), "usbfs is libccid's")


def no_usb_reader():
    with Machine() as machine:
        machine.usb("1-3", interface_class="08", product="A disk")
        machine.doctor().has("usb", "note", "no smart-card reader on the USB", "lsusb")


def names_from_the_usb_are_harmless():
    with Machine() as machine:
        machine.usb("1-2", manufacturer="\x1b[2J", product="x" * 300, idVendor="1", idProduct="2")
        for line in simtie("doctor", "--root", machine.root, code=NO_CARD).out.splitlines():
            holds(b"\x1b" not in line and len(line) < 600, line)


# ---- vpcd ----

LISTENS = "  sl  local_address rem_address   st\n   0: {}:8C7B 00000000:0000 {} 00000000:00000000\n"
NETWORK = "Inter-|   Receive\n face |bytes\n    lo: 1 2 3\n{}"
LINK = "  eth0: 1 2 3\n"


def vpcd_is_configured_and_not_shown():
    with Machine() as machine:
        machine.installed()
        machine.file("/etc/reader.conf.d/vpcd", "FRIENDLYNAME \"Virtual PCD\"\nLIBPATH /lib/libifdvpcd.so\n")
        machine.doctor().has("vpcd", "problem", "names a driver that is not there", "reinstall")
        machine.file("/lib/libifdvpcd.so")
        machine.doctor().has("vpcd", "ok", "a virtual reader is configured")
        machine.doctor(service=True).has("vpcd", "ok", "2 virtual readers")


def vpcd_that_everyone_reaches():
    for address, table, state, network, verdict in (
            ("00000000", "tcp", "0A", LINK, "warning"), ("0100007F", "tcp", "0A", LINK, "ok"),
            ("00000000", "tcp", "0A", "", "ok"), ("00000000", "tcp", "01", LINK, None),
            ("0" * 32, "tcp6", "0A", LINK, "warning"), ("0" * 24 + "01000000", "tcp6", "0A", LINK, "ok"),
            ("0A0B0C0D", "tcp", "0A", LINK, "warning")):
        with Machine() as machine:
            machine.file(f"/proc/net/{table}", LISTENS.format(address, state))
            machine.file("/proc/net/dev", NETWORK.format(network))
            same([v for v, *_ in machine.doctor().of("exposure")], [verdict] if verdict else [],
                 (address, table, state, network))
    with Machine() as machine:
        machine.file("/proc/net/tcp", LISTENS.format("00000000", "0A"))
        machine.doctor().has("exposure", "warning", "listens on every address", "nft")


def our_own_vpcd_is_private():
    doctor(code=NO_CARD).has("exposure", "ok", "reached from here alone")


# ---- Readers and cards ----

def readers_are_empty():
    wait(False)
    found = doctor(code=NO_CARD)
    found.has("service", "ok", "answers")
    found.has("readers", "note", "reader 0, Virtual PCD 00 00: empty", "start simtie-card")
    found.has("readers", "note", "reader 1, Virtual PCD 00 01: empty")
    same((found.ready, found.ill), (0, 0))
    doctor("--reader", "nobody's", code=NO_CARD).has("readers", "problem", "", "simtie readers")


def factory_card_is_ready():
    with inserted():
        found = doctor(code=DONE)
        found.has("readers", "ok", "reader 0, Virtual PCD 00 00: a card")
        found.has("readers", "ok", "T=1, ATR 3B8C8131FE4580738001DB5673696D74696577")
        found.has("readers", "ok", "simtie applet 1.0.0, factory, PIN tries 0, PUK tries 0, debug status 0")
        found.has("readers", "note", "the card is virtual", "--allow-virtual")
        found.has("readers", "ok", "ready to be personalised", "simtie personalise")
        same((found.ready, found.ill), (1, 0))
        doctor("--reader", "pcd 00 00", code=DONE)


def personalised_card_is_ready():
    with issued() as files, inserted("--state", files.state):
        found = doctor(code=DONE)
        found.has("readers", "ok", "simtie applet 1.0.0, personalised, PIN tries 3, PUK tries 10")
        found.has("readers", "ok", "ready to attest", "simtie attest --audience")
        same(found.problems(), [])


def seeded_card_is_for_tests():
    with inserted("--seed", "x"):
        doctor(code=DONE).has("readers", "warning", "test seed", "tests alone")


def pin_that_lacks_tries():
    with issued() as files:
        wrong = files.file("wrong", tool.WRONG_PIN)
        files("pin", "verify", "--pin-file", wrong, code=REFUSED)
        found = Found(files("doctor", "--json", code=DONE))
        found.has("card", "warning", "2 PIN tries are left", "simtie pin verify")
        for _ in range(2):
            files("pin", "verify", "--pin-file", wrong, code=REFUSED)
        found = Found(files("doctor", "--json", code=REFUSED))
        found.has("card", "problem", "the PIN is blocked", "simtie pin unblock")
        same((found.ready, found.ill), (0, 1))
        for _ in range(10):
            files("pin", "unblock", "--puk-file", files.file("puk2", tool.WRONG_PUK), "--new-pin-file",
                  files.pin, code=REFUSED)
        Found(files("doctor", "--json", code=REFUSED)).has("card", "problem", "PIN and PUK are blocked",
                                                           "new SIM")


def test_keys_are_hinted_at():
    with folder() as files:
        Found(files("doctor", "--json", code=DONE)).has("card", "note", "well-known test keys", "tests alone")
        files("apdu", "--application", "domain", "--test-keys", "80 D8 00 81 ( {put_key_31} ) 00 > ** 9000")
        found = Found(files("doctor", "--json", code=DONE))
        holds(not any("test keys" in text for _, text, _ in found.of("card")), found.all)


def terminated_card():
    with folder() as files:
        files("apdu", "--select", "--test-keys", "80 F0 40 0F > 9000")
        Found(files("doctor", "--json", code=REFUSED)).has("card", "problem", "terminated", "new SIM")


def mute_card():
    wait(False)
    for atr, text in ((b"\xff" * 40, "the card does not answer to power-on"),
                      (b"\x00", "the card is not reached")):
        with FakeCard(PORT, lambda command: None, atr=atr):
            wait(True)
            found = doctor(code=REFUSED)
            found.has("readers", "problem", text, "clean its contacts")
            same((found.ready, found.ill), (0, 1))
        wait(False)


def stopped_card():
    """A card that was powered and then stopped answering altogether."""
    with inserted() as card:
        card.send(signal.SIGSTOP)
        try:
            found = doctor(code=REFUSED)
        finally:
            card.send(signal.SIGCONT)
            restart_pcscd()  # 1.9.9 can lose count of a card that was silent for so long
        same((found.ready, found.ill), (0, 1))
        holds(found.problems(), found.all)
        wait(True)


def foreign_card():
    wait(False)
    with FakeCard(PORT, lambda command: b"\x6A\x82"):
        wait(True)
        found = doctor(code=NO_CARD)
        found.has("readers", "ok", "T=0, ATR 3B021450")
        found.has("readers", "warning", "does not carry simtie: SELECT gave 6A82", "--reader")
    wait(False)


def shut_card():
    wait(False)
    with FakeCard(PORT, lambda command: b"\x6F\x00"):
        wait(True)
        found = doctor(code=REFUSED)
        found.has("readers", "problem", "SELECT gave 6F00: the card has shut itself", "must not be used")
    wait(False)


def card_that_talks_nonsense():
    wait(False)
    for nonsense in (b"\x6F\x02\x84\x05\x90\x00", b"\x90\x00", b"\xff" * 300 + b"\x90\x00"):
        with FakeCard(PORT, lambda command: nonsense):
            wait(True)
            found = doctor(code=REFUSED)
            holds(found.problems(), found.all)
        wait(False)


def busy_reader():
    with inserted():
        with pcsc.Context() as context:
            handle, protocol = ctypes.c_long(), ctypes.c_ulong()
            pcsc._call("SCardConnect", context._handle, context.readers()[0].encode(),
                       ctypes.c_ulong(EXCLUSIVE), ctypes.c_ulong(pcsc.PROTOCOL_ANY), ctypes.byref(handle),
                       ctypes.byref(protocol))
            found = doctor(code=NO_CARD)
            found.has("readers", "problem", "another program holds the card for itself", "scdaemon")
            pcsc._lib.SCardDisconnect(handle, ctypes.c_ulong(pcsc.LEAVE))
        doctor(code=DONE)


def best_card_decides():
    with inserted(), FakeCard(PORT + 1, lambda command: b"\x6F\x00"):
        wait(True, 1)
        found = doctor(code=DONE)
        same((found.ready, found.ill), (1, 1))
        doctor("--reader", "1", code=REFUSED)
    wait(False, 1)


# ---- What it prints ----

def lines_are_for_people():
    lines = simtie("doctor", "--reader", "loop:").text.splitlines()
    holds(all(line.split()[0] in ("ok", "note", "warning", "problem", ">") for line in lines), lines)
    same(lines[0][:9], "ok       ")
    holds(any(line.startswith("         > ") for line in lines), lines)
    holds(all(len(line) <= 100 for line in lines), lines)


def nothing_is_changed():
    with issued() as files:
        before = files.state.read_bytes()
        files("doctor")
        same(files.state.read_bytes(), before)


if __name__ == "__main__":
    sys.exit(run([nothing_is_installed, service_does_not_run, service_left_its_socket_behind,
                  service_turns_this_user_away, usb_reader_that_pcsc_does_not_show,
                  kernel_driver_that_keeps_a_reader, no_usb_reader, names_from_the_usb_are_harmless,
                  vpcd_is_configured_and_not_shown, vpcd_that_everyone_reaches, our_own_vpcd_is_private,
                  readers_are_empty, factory_card_is_ready, personalised_card_is_ready,
                  seeded_card_is_for_tests, pin_that_lacks_tries, terminated_card, test_keys_are_hinted_at, mute_card,
                  stopped_card,
                  foreign_card,
                  shut_card, card_that_talks_nonsense, busy_reader, best_card_decides, lines_are_for_people,
                  nothing_is_changed]))
