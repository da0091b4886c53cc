"""A bench of its own: a tray of virtual SIMs with a feeder, key files, an authority, an output folder."""

import csv
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import time

import tool
import vcard
from tap import holds, same

FIRST = 8988211000000000000
PASSPHRASE = "a bench of its own"
READER = {"PCSCLITE_CSOCK_NAME": "/run/pcscd/pcscd.comm"}
AUDIENCE, NONCE = "chat.example.com", bytes(range(32)).hex()
BOUND = 120.0


def key(text):
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def key_file(name, version, derive="iccid"):
    return (f"version {version}\nenc {key(name + ' enc')}\nmac {key(name + ' mac')}\n"
            f"dek {key(name + ' dek')}\nderive {derive}\n")


class Bench:
    """`count` SIMs, of which the first is FIRST, in `slots` readers from 0 on."""

    def __init__(self, folder, count, slots=1, vendor=None, sign_ms=0, kept=True):
        self.folder = pathlib.Path(folder)
        self.out = self.folder / "out"
        self.states = self.folder / "cards"
        self.iccids = [str(FIRST + i).zfill(19) for i in range(count)]
        self.slots, self.sign_ms = slots, sign_ms
        self.kept = kept  # the cards' memories, in files
        self.vendor = self.secret("vendor.keys", vendor or key_file("vendor", 30, "kdd"))
        self.issuer = self.vendor
        self.operator = self.secret("operator.keys", key_file("operator", 31))
        self.passphrase = self.secret("passphrase", PASSPHRASE + "\n")
        self.tray = self.file("tray.csv", "msisdn,iccid,name\n" +
                              "".join(f'+4670{i:07},{iccid},"a ""b"", c"\n'
                                      for i, iccid in enumerate(self.iccids)))
        self.ca = self.folder / "ca"
        tool.simtie("ca", "init", "--dir", self.ca, "--passphrase-file", self.passphrase)
        self.feeder = None

    def file(self, name, content):
        path = self.folder / name
        path.write_text(content)
        return path

    def secret(self, name, content):
        path = self.file(name, content)
        path.chmod(0o600)
        return path

    def feed(self, *more):
        self.feeder = vcard.Card("--tray", len(self.iccids), "--slots", self.slots, "--iccid",
                                 self.iccids[0], "--issuer", self.issuer,
                                 *(["--state", self.states] if self.kept else []),
                                 *(["--sign-ms", self.sign_ms] if self.sign_ms else []), *more)
        self.feeder.expect("card in reader", min(self.slots, len(self.iccids)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.feeder:
            if self.feeder.process.poll() is None:
                self.feeder.end()
            self.feeder.__exit__()

    # ---- Runs ----

    def words(self, *more, pins=("--plain-pins",), readers="0"):
        return ["provision", self.tray, "--keys", self.vendor, "--new-keys", self.operator, "--ca",
                self.ca, "--out", self.out, "--passphrase-file", self.passphrase, *pins, "--json",
                *(["--readers", readers] if readers else []), *more]

    def run(self, *more, code=tool.DONE, **words):
        """To its end. Returns the events."""
        words = [str(w) for w in self.words(*more, **words)]
        done = subprocess.run([tool.PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              env=tool.environment(**READER), timeout=BOUND * 10, text=True)
        self.said = done.stderr
        same(done.returncode, code, f"exit code; {done.stderr} {done.stdout[-600:]}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def start(self, *more, **words):
        """One that is going to be killed. Its output goes to a file: nobody would empty a pipe."""
        with open(self.folder / "killed.out", "ab") as sink:
            return subprocess.Popen([tool.PROGRAM, *map(str, self.words(*more, **words))],
                                    stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                                    env=tool.environment(**READER))

    def kill_at_random(self, times, seed, least=0.3, most=2.0):
        """Starts runs and kills each at a moment of its own. Returns how many were killed."""
        draw = random.Random(seed)
        killed = 0
        for _ in range(times):
            running = self.start(**{"readers": "all" if self.slots > 1 else "0"})
            try:
                running.wait(draw.uniform(least, most))
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGKILL)
                killed += 1
            running.wait(BOUND)
        return killed

    # ---- What came of it ----

    def records(self):
        return [json.loads(line) for line in (self.out / "records.jsonl").read_text().splitlines()]

    def pins(self, text=None):
        rows = list(csv.DictReader((text or (self.out / "pins.csv").read_text()).splitlines()))
        return {row["iccid"]: row for row in rows}

    def card(self, iccid):
        return f"loop:{self.states / iccid}.state"

    def verify(self, iccid, code=tool.DONE, **more):
        return tool.simtie("provision", "verify", "--records", self.out / "records.jsonl",
                           "--new-keys", more.pop("keys", self.operator), "--reader",
                           self.card(iccid), "--json", code=code, **more).json

    def check_card(self, record, pin):
        """The card is locked under the operator's keys, takes the PIN and attests as recorded."""
        iccid = record["iccid"]
        verdict = self.verify(iccid)
        same((verdict["asRecorded"], verdict["reason"]), (True, None), iccid)
        info = tool.simtie("info", "--reader", self.card(iccid), "--json").json
        same([k["version"] for k in info["keySets"]], ["31"], "key sets: the vendor's is gone")
        one = self.secret("record.json", json.dumps(record))
        pin_file = self.secret("pin", pin["pin"] + "\n")
        token = tool.simtie("attest", "--reader", self.card(iccid), "--audience", AUDIENCE, "--nonce",
                            NONCE, "--pin-file", pin_file).out
        tool.simtie("verify", "--record", one, "--audience", AUDIENCE, "--nonce", NONCE,
                    "--allow-virtual", "-", stdin=token)

    def check_all(self, pins=None, iccids=None):
        """Every SIM is done, each once, and works. The feeder must have ended."""
        wanted = sorted(iccids or self.iccids)
        records = self.records()
        same(sorted(r["iccid"] for r in records), wanted, "records")
        points = {r["devicePublicKey"] for r in records}
        same(len(points), len(records), "keys")
        pins = pins or self.pins()
        same(sorted(pins), wanted, "PINs")
        for record in records:
            self.check_card(record, pins[record["iccid"]])

    def stop_feeder(self):
        if self.feeder.process.poll() is None:
            self.feeder.end()
        self.feeder.__exit__()
        self.feeder = None


def cards(events):
    return [e for e in events if e["event"] == "card"]


def until(condition, what):
    """Waits for something that another process does."""
    end = time.monotonic() + BOUND
    while not condition():
        holds(time.monotonic() < end, what)
        time.sleep(0.01)
