#!/usr/bin/env python3
"""simtie provision: trays of virtual SIMs in readers of its own, to their end and stopped anywhere."""

import base64
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))
if __name__ == "__main__" and "PCSCD_START" not in os.environ:
    os.execv(LIB / "private-pcscd", ["private-pcscd", "--", sys.executable, os.path.abspath(__file__)])

import tool
import vcard
from tap import holds, run, same
from tool import DONE, IO, REFUSED, USAGE
from tray import Bench, cards, key_file, until

COMMANDS_MAX = 25
TEST_KEYS = "version 30\nkey 404142434445464748494A4B4C4D4E4F\n"


@contextlib.contextmanager
def bench(*arguments, **more):
    with tempfile.TemporaryDirectory() as folder, Bench(folder, *arguments, **more) as made:
        yield made


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_tray_in_two_readers():
    with bench(12, slots=2) as b:
        b.feed()
        told = cards(b.run(readers="all"))
        same(len(told), 12, "cards told")
        same({c["outcome"] for c in told}, {"done"}, "outcomes")
        same(len({c["reader"] for c in told}), 2, "readers used")
        holds(max(c["commands"] for c in told) <= COMMANDS_MAX,
              f"commands a SIM: {[c['commands'] for c in told]}")
        b.stop_feeder()
        b.check_all()
        holds(all("testKeys" not in r for r in b.records()), "no record is marked")
        holds((b.out / "report.html").stat().st_size > 1000, "report")
        same(names(b.out / "pending"), [], "records under way")
        for name in ("records.jsonl", "provision.journal", "pins.csv"):
            same((b.out / name).stat().st_mode & 0o077, 0, name)
        journal = (b.out / "provision.journal").read_text()
        for secret in [p["puk"] for p in b.pins().values()] + [r["chainCode"] for r in b.records()]:
            holds(secret not in journal, "a secret in the journal")
        same(b.run(readers="all")[-1]["done"], 0, "done again")
        same(len(b.records()), 12, "records after another run")


def test_chain_is_accepted_by_openssl():
    with bench(1) as b:
        b.feed()
        b.run()
        der = b.folder / "card.der"
        der.write_bytes(base64.b64decode(b.records()[0]["certificate"]))
        pem = b.folder / "card.pem"
        subprocess.run(["openssl", "x509", "-inform", "DER", "-in", der, "-out", pem], check=True)
        subprocess.run(["openssl", "verify", "-CAfile", b.ca / "ca.crt", pem], check=True,
                       stdout=subprocess.DEVNULL)


def test_killed_at_random():
    with bench(12, slots=2) as b:
        b.feed()
        killed = b.kill_at_random(6, seed=3)
        b.run(readers="all")
        b.stop_feeder()
        b.check_all()
        holds(killed >= 3, f"only {killed} were killed")


def test_torn_lines_are_cut_off():
    with bench(2) as b:
        b.feed()
        running = b.start()
        until(lambda: (b.out / "records.jsonl").exists() and (b.out / "records.jsonl").stat().st_size,
              "a record")
        running.kill()
        running.wait()
        for name in ("provision.journal", "records.jsonl"):
            with open(b.out / name, "a") as file:
                file.write('{"iccid":"89')
        b.run()
        b.stop_feeder()
        b.check_all()


def test_wrong_vendor_key():
    with bench(1) as b:
        b.issuer = b.secret("others.keys", key_file("someone else", 30, "kdd"))
        b.feed()
        told = cards(b.run(code=REFUSED))
        same([(c["outcome"], c["step"]) for c in told], [("failed", "authenticate")], "card")
        holds("none of its at most 10 tries" in told[0]["reason"], told[0]["reason"])
        holds(told[0]["remedy"], "remedy")
        same(b.records(), [], "records")
        b.vendor = b.issuer
        b.run()
        b.stop_feeder()
        b.check_all()


def test_test_keys_are_refused_or_mark_the_record():
    with bench(1, vendor=TEST_KEYS) as b:
        b.feed()
        b.run(code=REFUSED)
        holds("test keys" in b.said, b.said)
        holds(not b.out.exists(), "no folder is made")
        b.run("--allow-test-keys")
        same([r["testKeys"] for r in b.records()], [True], "mark")


def test_equal_versions_are_refused():
    with bench(1) as b:
        b.operator.write_text(key_file("operator", 30))
        b.run(code=USAGE)
        holds("must differ" in b.said, b.said)


def test_dry_run_touches_nothing():
    with bench(2) as b:
        b.feed()
        before = names(b.folder)
        told = b.run("--dry-run")
        same([e["iccid"] for e in told], b.iccids, "rows")
        holds(not any(" done" in e["would"] for e in told), "a dry run says done")
        same(names(b.folder), before, "files")
        b.operator.unlink()
        b.run("--dry-run", code=IO)
        b.run("--dry-run", pins=("--recipient", b.folder / "nobody.pem"), code=IO)
        same(names(b.folder), [n for n in before if n != "operator.keys"], "files")


def test_card_pulled_in_the_middle():
    with bench(2, sign_ms=1500) as b:
        b.feed()
        running = b.start()
        journal = b.out / "provision.journal"
        until(lambda: journal.exists() and "rotating" in journal.read_text(), "keys being replaced")
        b.feeder.process.kill()
        b.feeder.__exit__()
        until(lambda: b'"failed"' in (b.folder / "killed.out").read_bytes(), "the failure told")
        b.feed()
        same(running.wait(60), DONE, "the worker went on")
        b.stop_feeder()
        b.check_all()


def test_interrupt_finishes_the_card_under_way():
    with bench(3, sign_ms=300) as b:
        b.feed()
        running = b.start()
        journal = b.out / "provision.journal"
        until(lambda: journal.exists() and "rotating" in journal.read_text(), "keys being replaced")
        running.send_signal(signal.SIGINT)
        same(running.wait(30), REFUSED, "exit code")
        same(len(b.records()), 1, "records")
        holds((b.out / "report.html").exists(), "report")
        b.run()
        b.stop_feeder()
        b.check_all()


def test_files_that_cannot_be_written():
    with bench(1) as b:
        b.feed()
        running = b.start()
        running.wait(30)
        with open(b.out / "provision.journal", "a") as file:
            file.write('{"iccid":"8988211000000099999","state":"proved"}\n')
        b.run(code=IO)
        holds("not in the tray" in b.said, b.said)


def test_csv_faults():
    with bench(1) as b:
        good = b.iccids[0]
        for text, line, what in (
                ("", 1, "no column iccid"),
                ("number\n1\n", 1, "no column iccid"),
                ("iccid,ICCID\n", 1, "two columns"),
                ("iccid\n", 1, "no SIM"),
                (f"iccid\n{good}\n12345\n", 3, "18 to 20 digits"),
                (f"iccid\n{good}\n8988211000000000O00\n", 3, "18 to 20 digits"),
                (f"iccid\n{good}\n898821100000000000000\n", 3, "18 to 20 digits"),
                (f"iccid,b\n{good},x\n{good},y\n", 3, "line 2 already"),
                (f"iccid,b\n{good}\n", 2, "1 fields"),
                (f'a,iccid\n"x\ny",{good}\n"z,{good}\n', 4, "no end"),
                (f'iccid,b\n{good},"x"y\n', 2, "follows the end"),
                (f'iccid,b\n{good},x"y\n', 2, "a quote within"),
                (f"iccid\n{good}\rx\n", 2, "carriage return"),
                (f"iccid,b\n{good},\0\n", 2, "NUL")):
            b.tray.write_text(text, newline="")
            b.run(code=IO)
            holds(f"line {line}:" in b.said and what in b.said, f"{text!r}: {b.said}")
        b.tray.write_text(f'\ufeffb,"ICCID"\r\n"x\r\n""y",{good}\r\nz,"8988211000000000001"',
                          newline="")
        told = b.run("--dry-run", readers="all")
        same([e["iccid"] for e in told], [good, "8988211000000000001"], "rows")


def test_encrypted_pins():
    with bench(2) as b:
        mailer = b.folder / "mailer.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", b.folder / "mailer.key", "-out",
                        mailer, "-subj", "/CN=PIN mailer", "-days", "30"], check=True,
                       capture_output=True)
        b.feed()
        b.run(pins=("--recipient", mailer))
        b.stop_feeder()
        opened = subprocess.run(["openssl", "cms", "-decrypt", "-inform", "PEM", "-in",
                                 b.out / "pins.csv.cms", "-inkey", b.folder / "mailer.key", "-recip",
                                 mailer], check=True, capture_output=True, text=True).stdout
        b.check_all(pins=b.pins(opened))
        holds(not (b.out / "pins.csv").exists(), "no plain PINs")
        same([n for n in names(b.out) if "pins" in n], ["pins.csv.cms"], "lists of PINs")


def test_card_of_another_tray():
    with bench(1) as b:
        b.tray.write_text("iccid\n8988211000000000777\n")
        b.feed()
        running = b.start()
        until(lambda: b"not of this tray" in (b.folder / "killed.out").read_bytes(), "skipped")
        running.send_signal(signal.SIGINT)
        same(running.wait(30), REFUSED, "exit code")
        same(b.records(), [], "records")


def test_card_without_iccid_is_given_a_row():
    with bench(2) as b:
        b.states.mkdir()
        b.feeder = vcard.Card("--issuer", b.issuer, "--state", f"{b.states / b.iccids[0]}.state")
        b.feeder.expect("card in reader")
        running = b.start()
        until(lambda: b"--assign" in (b.folder / "killed.out").read_bytes(), "skipped")
        running.send_signal(signal.SIGINT)
        running.wait(30)
        running = b.start("--assign")
        until(lambda: "generated" in (b.out / "provision.journal").read_text(), "keys made")
        running.kill()
        running.wait()
        running = b.start("--assign")
        until(lambda: len(b.records()) == 1, "a record")
        running.send_signal(signal.SIGINT)
        same(running.wait(30), REFUSED, "exit code")
        b.stop_feeder()
        same(b.records()[0]["iccid"], b.iccids[0], "the first row")
        b.check_card(b.records()[0], b.pins()[b.iccids[0]])


def test_proof_that_does_not_hold():
    """The record under way is not that of the keys on the card: the card is not locked, nor recorded."""
    with bench(1, sign_ms=1500) as b:
        b.feed()
        running = b.start()
        journal = b.out / "provision.journal"
        until(lambda: journal.exists() and "personalised" in journal.read_text(), "personalised")
        running.kill()
        running.wait()
        pending = b.out / "pending" / f"{b.iccids[0]}.json"
        good = pending.read_text()
        record = json.loads(good)
        record["chainCode"] = "11" * 32
        pending.write_text(json.dumps(record) + "\n")
        told = cards(b.run(code=REFUSED))
        same([(c["outcome"], c["step"]) for c in told], [("failed", "prove")], "card")
        same(b.records(), [], "records")
        pending.write_text(good)
        b.run()
        b.stop_feeder()
        b.check_all()


def test_verify_finds_what_differs():
    with bench(2) as b:
        b.feed()
        b.run()
        b.stop_feeder()
        first, second = b.records()
        other = b.secret("other.keys", key_file("not the operator", 31))
        holds("keys" in b.verify(b.iccids[0], code=REFUSED, keys=other)["reason"], "keys")
        first["certificate"] = second["certificate"]
        (b.out / "records.jsonl").write_text(json.dumps(first) + "\n")
        holds("certificate" in b.verify(b.iccids[0], code=REFUSED)["reason"], "certificate")
        first["keyVersion"] = 0x30
        (b.out / "records.jsonl").write_text(json.dumps(first) + "\n")
        b.verify(b.iccids[0], code=REFUSED)


if __name__ == "__main__":
    sys.exit(run([value for name, value in list(globals().items()) if name.startswith("test_")]))
