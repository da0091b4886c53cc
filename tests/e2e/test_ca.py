#!/usr/bin/env python3
"""The operator's certificate authority, checked from outside by the openssl command."""

import contextlib
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import tool
from tap import holds, note, run, same
from tool import BOUND, DONE, IO, REFUSED, USAGE, Terminal, folder, simtie

PASSPHRASE, WRONG = "Xylophon-47-Quarz", "Xylophon-47-Quartz"
ICCID, OTHER = "8949000000000000017", "89490000000000000259"
# Generator of P-256: a point on the curve that nobody made a secret of.
KEY = ("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
       "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
SHIM = pathlib.Path(__file__).resolve().parent.parent / "lib" / "fail_at.c"
FILES = ["ca.crt", "ca.key", "crl.pem", "index"]

_models = {}  # what other authorities are copies of, since each passphrase costs a quarter of a second


def openssl(*arguments, code=0):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=BOUND, text=True, errors="replace")
    holds((done.returncode == 0) == (code == 0), f"openssl {arguments}: {done.returncode}, {done.stderr}")
    return done.stdout + done.stderr


class Authority:
    """One in a folder of its own, with its passphrase in a file beside it."""

    def __init__(self, directory):
        self.folder = pathlib.Path(directory)
        self.dir = self.folder / "ca"
        self.passphrase = self.folder / "passphrase"
        self.passphrase.write_text(PASSPHRASE + "\n")

    def __call__(self, action, *arguments, passphrase=True, **run):
        given = ["--passphrase-file", self.passphrase] if passphrase else []
        return simtie("ca", action, "--dir", self.dir, *given, *arguments, **run)

    def init(self, *more, **run):
        return self("init", "--name", "Test CA", "--organisation", "Example Mobil", *more, **run)

    def issue(self, *more, name="card.crt", iccid=ICCID, key=KEY, **run):
        return self("issue", "--public-key", key, "--iccid", iccid, "-o", self.folder / name, *more, **run)

    def show(self, *more, **run):
        return self("show", "--json", *more, passphrase=False, **run).json

    def verify(self, name="card.crt", revoked=False, code=0):
        crl = ["-crl_check", "-CRLfile", self.dir / "crl.pem"] if revoked else []
        return openssl("verify", "-x509_strict", *crl, "-CAfile", self.dir / "ca.crt", self.folder / name, code=code)


@contextlib.contextmanager
def empty():
    with tempfile.TemporaryDirectory() as directory:
        yield Authority(directory)


@contextlib.contextmanager
def copy(name, make):
    if name not in _models:
        _models[name] = tempfile.TemporaryDirectory()
        make(Authority(_models[name].name))
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(_models[name].name, directory, dirs_exist_ok=True)
        yield Authority(directory)


def made():
    return copy("made", lambda ca: ca.init())


def used():
    """One that has issued before.crt for OTHER."""
    return copy("used", lambda ca: (ca.init(), ca.issue(name="before.crt", iccid=OTHER)))


def openssl_accepts_the_chain():
    with made() as ca, made() as other:
        ca.issue()
        ca.issue("--pem", name="card.pem")
        for name in ("card.crt", "card.pem"):
            holds(f"{name}: OK" in ca.verify(name), name)
            ca.verify(name, revoked=True)
        shutil.rmtree(other.dir)
        other.init()
        openssl("verify", "-CAfile", other.dir / "ca.crt", ca.folder / "card.crt", code=2)
        der = (ca.folder / "card.crt").read_bytes()
        (ca.folder / "changed.crt").write_bytes(der.replace(ICCID.encode(), OTHER[:19].encode()))
        holds("signature failure" in ca.verify("changed.crt", code=2), "changed")


def the_certificate_says_what_it_should():
    with made() as ca:
        ca.issue("--crl-url", "http://crl.example/simtie.crl")
        text = openssl("x509", "-in", ca.folder / "card.crt", "-noout", "-text", "-nameopt",
                       "space_eq,sep_comma_plus_space,utf8")
        for part in ("Version: 3 (0x2)", "Signature Algorithm: ecdsa-with-SHA256",
                     "Issuer: O = Example Mobil, CN = Test CA\n", f"Subject: serialNumber = {ICCID}\n",
                     "X509v3 Basic Constraints: critical\n                CA:FALSE",
                     "X509v3 Key Usage: critical\n                Digital Signature\n",
                     "X509v3 Authority Key Identifier", "X509v3 Subject Key Identifier",
                     "URI:http://crl.example/simtie.crl"):
            holds(part in text, f"{part!r} in {text}")
        same(re.sub(r"[\s:]", "", re.search(r"pub:([\s0-9a-f:]+)ASN1", text)[1]), KEY)
        holds((ca.folder / "card.crt").stat().st_size <= 1024, "fits the card")
        root = openssl("x509", "-in", ca.dir / "ca.crt", "-noout", "-text")
        holds("CA:TRUE, pathlen:0" in root and "Certificate Sign, CRL Sign" in root, root)


def openssl_refuses_what_is_revoked():
    with made() as ca:
        one = ca.issue("--json", name="one.crt").json
        ca.issue(name="two.crt")
        ca.issue(name="three.crt", iccid=OTHER)
        same(ca("revoke", "--serial", one["serial"], "--reason", "keyCompromise", "--json").json["revoked"], 1)
        holds("certificate revoked" in ca.verify("one.crt", revoked=True, code=2), "one")
        ca.verify("one.crt")
        ca.verify("two.crt", revoked=True)
        same(ca("revoke", "--iccid", ICCID, "--json").json["revoked"], 1)
        for name in ("one.crt", "two.crt"):
            holds("certificate revoked" in ca.verify(name, revoked=True, code=2), name)
        ca.verify("three.crt", revoked=True)
        text = openssl("crl", "-in", ca.dir / "crl.pem", "-noout", "-text", "-CAfile", ca.dir / "ca.crt")
        holds("verify OK" in text and "Key Compromise" in text, text)
        same(re.search(r"X509v3 CRL Number: *\n\s*(\d+)", text)[1], "3")
        again = ca("revoke", "--iccid", ICCID, "--json").json
        same((again["revoked"], again["crlNumber"]), (0, 3))
        same(ca("crl", "--days", 3, "--json").json["crlNumber"], 4)
        holds("certificate revoked" in ca.verify("one.crt", revoked=True, code=2), "signed anew")
        same([c["status"] for c in ca.show()["certificates"]], ["revoked", "revoked", "valid"])


def the_key_is_encrypted():
    with made() as ca:
        key = ca.dir / "ca.key"
        same(stat.S_IMODE(key.stat().st_mode), 0o600)
        text = key.read_text()
        holds(text.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----"), text)
        form = openssl("asn1parse", "-in", key)
        holds(":scrypt" in form and ":aes-256-cbc" in form, form)
        openssl("pkey", "-in", key, "-passin", f"pass:{PASSPHRASE}", "-noout")
        openssl("pkey", "-in", key, "-passin", f"pass:{WRONG}", "-noout", code=1)


def a_new_directory_for_its_owner_alone():
    with empty() as ca:
        umask = os.umask(0)
        made_now = ca.init("--json", "--days", 30)
        os.umask(umask)
        same(stat.S_IMODE(ca.dir.stat().st_mode), 0o700)
        same(sorted(p.name for p in ca.dir.iterdir()), FILES)
        same(made_now.json["authority"]["subject"], "CN=Test CA,O=Example Mobil")
        same(made_now.json["crl"]["number"], 1)
        before = {name: (ca.dir / name).read_bytes() for name in FILES}
        refused = ca.init("--json", code=IO)
        same(refused.json["error"], "EXISTS")
        same({name: (ca.dir / name).read_bytes() for name in FILES}, before)
        same(sorted(p.name for p in ca.folder.iterdir()), ["ca", "passphrase"])
        same(ca.issue("--days", 31, "--json", code=REFUSED).json["error"], "OUTLIVES")
        ca.issue("--days", 29)


def passphrases_come_from_anywhere_but_the_command_line():
    with made() as ca:
        line = ("crl", "--json")
        for content in (PASSPHRASE, PASSPHRASE + "\n", PASSPHRASE + "\r\n"):
            ca.passphrase.write_bytes(content.encode())
            ca(*line)
            ca(*line, "--passphrase-file", "-", passphrase=False, stdin=content)
        ca(*line, "--passphrase-fd", 0, passphrase=False, stdin=PASSPHRASE)
        ca(*line, passphrase=False, env={"SIMTIE_CA_PASSPHRASE": PASSPHRASE})
        terminal = Terminal("ca", "crl", "--dir", ca.dir)
        terminal.expect("passphrase: ")
        terminal.type(PASSPHRASE + "\n")
        same(terminal.end(), DONE)
        holds(PASSPHRASE.encode() not in terminal.seen, "no echo")
        none = ca(*line, passphrase=False, code=USAGE, start_new_session=True)
        holds("no terminal" in none.err, none.err)
        for option in (f"--passphrase={PASSPHRASE}", "--passphrase"):
            refused = ca(*line, option, code=USAGE)
            holds("unknown option --passphrase\n" in refused.err and PASSPHRASE not in refused.err, refused.err)
        both = ca(*line, "--passphrase-fd", 0, code=USAGE)
        holds("exclude each other" in both.err, both.err)
        missing = ca(*line, "--passphrase-file", "/nonexistent/" + PASSPHRASE, passphrase=False, code=IO)
        holds("No such file" in missing.err and PASSPHRASE not in missing.err, missing.err)


def a_wrong_passphrase_has_its_own_sentence():
    with made() as ca:
        before = (ca.dir / "index").read_bytes()
        issue = ("issue", "--public-key", KEY, "--iccid", ICCID, "-o", ca.folder / "c")
        for content, action in ((WRONG, issue), (WRONG + "\n", ("revoke", "--iccid", ICCID)), (PASSPHRASE + " ", ("crl",)),
                                ("x", issue), (PASSPHRASE[:-1], issue)):
            ca.passphrase.write_text(content)
            refused = ca(*action, "--json", code=REFUSED)
            same(refused.json["error"], "PASSPHRASE")
            holds("the passphrase does not open the key" in refused.err, refused.err)
        holds(not (ca.folder / "c").exists(), "nothing was written")
        same((ca.dir / "index").read_bytes(), before)
        for content in ("", "\n", PASSPHRASE + "\n\n", PASSPHRASE + "\0", "y" * 1025):
            ca.passphrase.write_text(content)
            ca("crl", code=USAGE)


def the_environment_is_wiped():
    with made() as ca:
        fifo = ca.folder / "fifo"
        os.mkfifo(fifo)
        process = subprocess.Popen(
            [tool.PROGRAM, "ca", "issue", "--dir", ca.dir, "--public-key", KEY, "--iccid", ICCID, "-o", fifo],
            env=tool.environment(SIMTIE_CA_PASSPHRASE=PASSPHRASE), stdout=subprocess.DEVNULL)
        proc = pathlib.Path("/proc") / str(process.pid)
        end = time.monotonic() + BOUND
        while not ca.show()["certificates"]:  # issued: it now waits for a reader of the pipe
            holds(time.monotonic() < end, "issued")
        seen = [(proc / name).read_bytes() for name in ("cmdline", "environ")] if os.geteuid() == 0 else []
        holds(fifo.read_bytes()[0] == 0x30, "a certificate")
        same(process.wait(BOUND), DONE)
        holds(not any(PASSPHRASE.encode() in content for content in seen), seen)


def a_new_passphrase_is_typed_twice():
    with empty() as ca:
        for first, second, code in ((PASSPHRASE, WRONG, USAGE), ("short", "short", USAGE), (PASSPHRASE, PASSPHRASE, DONE)):
            terminal = Terminal("ca", "init", "--dir", ca.dir)
            terminal.expect("passphrase: ")
            terminal.type(first + "\n")
            terminal.expect("passphrase again: ")
            terminal.type(second + "\n")
            same(terminal.end(), code)
            same(ca.dir.exists(), code == DONE)
        ca.issue()


def show_in_both_forms():
    with made() as ca:
        one = ca.issue("--json").json
        two = ca.issue("--json", iccid=OTHER, name="two.crt").json
        ca("revoke", "--serial", one["serial"].lower(), "--reason", "superseded")
        shown = ca.show()
        same(sorted(shown), ["authority", "certificates", "crl"])
        same(sorted(shown["authority"]), ["fingerprint", "notAfter", "notBefore", "serial", "status", "subject"])
        same(sorted(shown["crl"]), ["behind", "nextUpdate", "number", "thisUpdate"])
        same(sorted(shown["certificates"][0]), ["fingerprint", "iccid", "notAfter", "notBefore", "reason", "revokedAt",
                                                "serial", "status"])
        same([c["serial"] for c in shown["certificates"]], [one["serial"], two["serial"]])
        same([c["serial"] for c in ca.show("--iccid", OTHER)["certificates"]], [two["serial"]])
        same([c["iccid"] for c in ca.show("--serial", one["serial"])["certificates"]], [ICCID])
        same(ca("show", "--iccid", ICCID[:-1] + "8", "--json", passphrase=False, code=REFUSED).json["error"], "NOT_ISSUED")
        text = ca("show", passphrase=False).text
        for part in (one["serial"], two["serial"], "revoked", "2, 1 of them revoked", "CN=Test CA"):
            holds(part in text, f"{part} in {text}")
        # A file, without the authority, with it, with another's.
        alone = simtie("ca", "show", ca.folder / "card.crt", "--json").json
        same((alone["status"], alone["iccid"], alone["serial"]), ("valid", ICCID, one["serial"]))
        digest = openssl("x509", "-in", ca.folder / "card.crt", "-noout", "-fingerprint", "-sha256")
        same(alone["fingerprint"], digest.split("=")[1].strip().replace(":", "").lower())
        same(ca.show(ca.folder / "card.crt")["status"], "revoked")
        same(ca.show(ca.folder / "two.crt")["status"], "valid")
        same(ca.show(ca.dir / "ca.crt")["authority"], True)
        holds("status           revoked at" in ca("show", ca.folder / "card.crt", passphrase=False).text, "text")
        with made() as other:
            same(other.show(ca.folder / "two.crt")["status"], "foreign")
        simtie("ca", "show", ca.passphrase, code=IO)
        simtie("ca", "show", ca.folder / "missing", code=IO)
        same(simtie("ca", "show", "--dir", ca.folder, "--json", code=IO).json["error"], "NO_AUTHORITY")


def names_reach_no_terminal():
    with empty() as ca:
        ca("init", "--name", "a\x1b[31mb", code=USAGE)
        ca("init", "--name", "Ärger, \"=+<>;\\ \u009b31m")
        text = ca("show", passphrase=False).out
        holds(b"\x1b" not in text and b"\xc2\x9b" not in text and "Ärger".encode() in text, text)


def points_off_the_curve_are_refused():
    with made() as ca:
        same(ca.issue("--json", key=KEY[:-2] + "f4", code=REFUSED).json["error"], "POINT")
        same(ca.issue("--json", key="06" + KEY[2:], code=REFUSED).json["error"], "POINT")
        for key in (KEY[:-2], KEY + "00", "02" + KEY[2:66], "", "xy"):
            holds("--public-key takes" in ca.issue(key=key, code=USAGE).err, key)
        same(ca.show()["certificates"], [])


def a_virtual_card_takes_its_certificate():
    with made() as ca, folder() as card:
        ca.issue()
        card.personalise("--certificate", ca.folder / "card.crt", "--iccid", ICCID)
        same(card.info()["hasCertificate"], True)
        record = ca("issue", "--record", card.record, "--iccid", ICCID, "-o", ca.folder / "own.crt", "--json").json
        same(record["iccid"], ICCID)
        ca.verify("own.crt", revoked=True)
        bad = ca("issue", "--record", ca.passphrase, "--iccid", ICCID, "-o", ca.folder / "x", "--json", code=IO)
        same(bad.json["error"], "FORMAT")
        same(ca("issue", "--public-key", KEY, "--iccid", ICCID, "-o", "-").out[0], 0x30)
        full = ca("issue", "--public-key", KEY, "--iccid", ICCID, "-o", "/dev/full", "--json", code=IO)
        holds(ca.show()["certificates"][-1]["serial"] in full.err, full.err)


def wrong_usage():
    with made() as ca:
        directory = ("--dir", str(ca.dir))
        issue = ("issue", *directory, "--public-key", KEY)
        for arguments, named in (
                ((), "init|issue|show|revoke|crl is missing"), (("guess",), "the first argument is one of"),
                (("init",), "--dir is missing"), (("show",), "`ca show` takes --dir or a FILE"),
                (("init", *directory, "--iccid", ICCID), "`ca init` takes no --iccid"),
                (("init", *directory, "--days", "0"), "--days takes a number, 1 to 36525"),
                (("crl", *directory, "x"), "`ca crl` takes no FILE"),
                (("show", *directory, "--passphrase-fd", "0"), "`ca show` takes no --passphrase-fd"),
                (("revoke", *directory), "`ca revoke` takes either --serial or --iccid"),
                (("revoke", *directory, "--serial", "00", "--iccid", ICCID), "takes either"),
                (("revoke", *directory, "--iccid", ICCID, "--reason", "boredom"), "--reason takes keyCompromise|"),
                (issue, "--iccid is missing"), ((*issue, "--iccid", ICCID), "--output is missing"),
                ((*issue, "--iccid", "123", "-o", "x"), "--iccid takes 18 to 20 digits"),
                ((*issue, "--iccid", ICCID, "-o", "x", "--record", "r"), "takes either --public-key or --record"),
                (("issue", *directory, "--iccid", ICCID, "-o", "x"), "takes either --public-key or --record"),
                ((*issue, "--iccid", ICCID, "-o", "-", "--json"), "would mix")):
            refused = simtie("ca", *arguments, code=USAGE)
            holds(named in refused.err.splitlines()[0], f"{arguments}: {refused.err}")
            same(refused.out, b"", arguments)
        holds("--crl-url takes" in ca.issue("--crl-url", "gopher://x", code=USAGE).err, "URL")
        same(ca("revoke", "--serial", "00" * 16, "--json", code=REFUSED).json["error"], "NOT_ISSUED")
        same(ca("revoke", "--serial", "01", "--json", code=REFUSED).json["error"], "NOT_ISSUED")


def several_processes_at_once():
    with made() as ca:
        words = [tool.PROGRAM, "ca", "issue", "--dir", ca.dir, "--passphrase-file", ca.passphrase, "--public-key", KEY]
        running = [subprocess.Popen([*words, "--iccid", f"{ICCID[:-2]}{i:02}", "-o", ca.folder / f"{i}.crt"],
                                    env=tool.environment(), stdout=subprocess.DEVNULL) for i in range(8)]
        revoking = [subprocess.Popen([tool.PROGRAM, "ca", "crl", "--dir", ca.dir, "--passphrase-file", ca.passphrase],
                                     env=tool.environment(), stdout=subprocess.DEVNULL) for _ in range(3)]
        same([p.wait(BOUND) for p in running + revoking], [DONE] * 11)
        shown = ca.show()
        same(sorted(c["iccid"] for c in shown["certificates"]), [f"{ICCID[:-2]}{i:02}" for i in range(8)])
        same((shown["crl"]["number"], shown["crl"]["behind"]), (4, False))
        for i in range(8):
            ca.verify(f"{i}.crt", revoked=True)


# ---- Killed, and failing, at every write ----


def at_every_write(action, begin, arguments):
    """Runs a command for each of its writes, syncs and renames, `action` happening at it."""
    ended = {}
    with tempfile.TemporaryDirectory() as directory:
        library = pathlib.Path(directory) / "fail_at.so"
        subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, SHIM], check=True)
        for number in range(1, 1000):
            with begin() as ca:
                result = ca(*arguments(ca), "--json", code=None, env={
                    "LD_PRELOAD": str(library), "FAIL_AT": str(number), "FAIL_HOW": action})
                ended[result.code] = ended.get(result.code, 0) + 1
                yield f"{action} at {number}", ca, result
                if "not reached" in result.err:
                    break
        else:
            raise AssertionError("a thousand writes are more than there are")
    note(f"{action}: exit code: times: {ended}")
    holds(len(ended) > 1, "some runs were hit")


def an_authority_is_made_whole_or_not_at_all():
    for action in ("before", "after", "fail"):
        for what, ca, result in at_every_write(action, empty, lambda ca: ("init",)):
            if ca.dir.exists():
                same(sorted(p.name for p in ca.dir.iterdir()), FILES, what)
                same(ca.show()["crl"]["behind"], False, what)
                ca.issue()
                ca.verify(revoked=True)
                continue
            holds(result.code != DONE, what)
            if action == "fail":
                same(sorted(p.name for p in ca.folder.iterdir()), ["passphrase"], what)
            elif what.endswith(("1", "5")):
                ca.init()


def an_interrupted_issue_loses_nothing():
    arguments = lambda ca: ("issue", "--public-key", KEY, "--iccid", ICCID, "-o", ca.folder / "card.crt")
    for action in ("before", "after", "fail"):
        for what, ca, result in at_every_write(action, used, arguments):
            known = {c["fingerprint"]: c for c in ca.show()["certificates"]}
            holds(len(known) in (1, 2), what)
            if (ca.folder / "card.crt").exists():
                ca.verify(revoked=True)
                shown = ca.show(ca.folder / "card.crt")
                same((shown["status"], shown["iccid"]), ("valid", ICCID), what)
            else:
                holds(result.code != DONE, what)
            ca.verify("before.crt", revoked=True)
            ca.issue(name="again.crt")
            ca.verify("again.crt", revoked=True)


def an_interrupted_revocation_is_whole_or_not_at_all():
    for action in ("before", "after", "fail"):
        for what, ca, result in at_every_write(action, used, lambda ca: ("revoke", "--iccid", OTHER)):
            openssl("crl", "-in", ca.dir / "crl.pem", "-noout", "-CAfile", ca.dir / "ca.crt")
            shown = ca.show()
            revoked = shown["certificates"][0]["status"] == "revoked"
            holds(revoked or result.code != DONE, what)
            if result.code == DONE:
                same(shown["crl"]["behind"], False, what)
                ca.verify("before.crt", revoked=True, code=2)
            if not shown["crl"]["behind"]:
                ca.verify("before.crt", revoked=True, code=2 if revoked else 0)
            if revoked:  # whoever comes next with the passphrase puts the list right
                ca.issue()
                same(ca.show()["crl"]["behind"], False, what)
                ca.verify("before.crt", revoked=True, code=2)
            ca("revoke", "--iccid", OTHER)
            holds("certificate revoked" in ca.verify("before.crt", revoked=True, code=2), what)


def no_passphrase_was_ever_printed():
    for words, data in tool._said:
        holds(PASSPHRASE.encode() not in data and WRONG.encode() not in data, words)


if __name__ == "__main__":
    sys.exit(run([
        openssl_accepts_the_chain, the_certificate_says_what_it_should, openssl_refuses_what_is_revoked,
        the_key_is_encrypted, a_new_directory_for_its_owner_alone, passphrases_come_from_anywhere_but_the_command_line,
        a_wrong_passphrase_has_its_own_sentence, the_environment_is_wiped, a_new_passphrase_is_typed_twice,
        show_in_both_forms,
        names_reach_no_terminal, points_off_the_curve_are_refused, a_virtual_card_takes_its_certificate, wrong_usage,
        several_processes_at_once, an_authority_is_made_whole_or_not_at_all, an_interrupted_issue_loses_nothing,
        an_interrupted_revocation_is_whole_or_not_at_all, no_passphrase_was_ever_printed]))
