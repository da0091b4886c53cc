"""simtie as a process: runs it on virtual cards in files, and keeps all that it ever printed.

Every run must end within BOUND seconds. The PINs and PUKs below are long enough not to turn up in
hexadecimal by chance; forget_nothing() says where one of them did.
"""

import json
import os
import pathlib
import pty
import select
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("SIMTIE") or str(ROOT / os.environ.get("SIMTIE_BUILD", "build") / "simtie")
BOUND = 30.0

DONE, REFUSED, USAGE, NO_CARD, IO = range(5)

PIN, NEW_PIN, WRONG_PIN = "73194628", "58207391", "90417253"
PUK, WRONG_PUK = "61850937", "20749518"
SECRETS = (PIN, NEW_PIN, WRONG_PIN, PUK, WRONG_PUK)
AUDIENCE = "chat.example.com"
NONCE = bytes(range(32)).hex()

_said = []  # (arguments, bytes) of all output of all runs


class Ended:
    """How a run ended."""

    def __init__(self, arguments, code, out, err):
        self.arguments, self.code, self.out = arguments, code, out
        self.err = err.decode(errors="backslashreplace")

    def __repr__(self):
        return f"simtie {' '.join(self.arguments)}: {self.code}, {self.out[:300]!r}, {self.err!r}"

    @property
    def text(self):
        return self.out.decode()

    @property
    def json(self):
        """The one object, on one line, that --json prints."""
        line, newline, rest = self.text.partition("\n")
        if not newline or rest:
            raise AssertionError(f"not one line: {self!r}")
        return json.loads(line, object_pairs_hook=_no_duplicates)


def _no_duplicates(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise AssertionError(f"a key twice: {pairs}")
    return members


def environment(**more):
    """Ours without what simtie looks at; pcscd is out of reach, so that no test finds a real reader."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("SIMTIE")}
    ours["PCSCLITE_CSOCK_NAME"] = "/nonexistent/pcscd.comm"
    ours.update(more)
    return ours


def remember(arguments, data):
    _said.append((arguments, data))


def simtie(*arguments, code=DONE, stdin=b"", env=None, **popen):
    """Runs it to its end; `code` is the exit code that it must have, or None for any."""
    words = [str(a) for a in arguments]
    if isinstance(stdin, str):
        stdin = stdin.encode()
    popen.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run([PROGRAM, *words], input=stdin, stderr=subprocess.PIPE,
                          env=environment(**(env or {})), timeout=BOUND, **popen)
    ended = Ended(words, done.returncode, done.stdout or b"", done.stderr)
    remember(words, ended.out + done.stderr)
    if code is not None and done.returncode != code:
        raise AssertionError(f"exit code {done.returncode}, not {code}: {ended!r}")
    return ended


def forget_nothing():
    """Where a secret stands in what was printed, as digits or as their ASCII in hexadecimal."""
    found = []
    for words, data in _said:
        for secret in SECRETS:
            if leaks(data, secret):
                found.append((secret, " ".join(words)))
    return found


def leaks(data, secret):
    """Whether bytes hold a secret: as digits, in hexadecimal with or without spaces, in BCD."""
    digits = secret.encode()
    packed = data.replace(b" ", b"").lower()
    return digits in data or digits.hex().encode() in packed or bytes.fromhex(secret) in data


class Card:
    """A virtual card in a file of its own, with its secrets and record beside it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.state = self.folder / "card.state"
        self.record = self.folder / "card.json"
        self.pin = self.file("pin", PIN + "\n")
        self.puk = self.file("puk", PUK + "\n")

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def __call__(self, subcommand, *arguments, **run):
        return simtie(subcommand, "--reader", f"loop:{self.state}", *arguments, **run)

    def personalise(self, *more, **run):
        return self("personalise", "--pin-file", self.pin, "--puk-file", self.puk, "--record",
                    self.record, *more, **run)

    def attest(self, *more, audience=AUDIENCE, nonce=NONCE, pin=None, **run):
        return self("attest", "--audience", audience, "--nonce", nonce, "--pin-file",
                    pin or self.pin, *more, **run)

    def token(self, *more, **run):
        return self.attest(*more, **run).out

    def verify(self, token, *more, audience=AUDIENCE, nonce=NONCE, record=None, virtual=True, **run):
        return simtie("verify", "--record", record or self.record, "--audience", audience, "--nonce",
                      nonce, *(["--allow-virtual"] if virtual else []), *more, "-", stdin=token, **run)

    def refusal(self, token, *more, **run):
        """Why the token is refused, by both libraries alike; exit code and JSON are checked."""
        said = []
        for library in ("mbedtls", "openssl"):
            verdict = self.verify(token, "--json", "--crypto", library, *more, code=REFUSED, **run)
            said.append(verdict.json)
        if said[0] != said[1] or said[0]["valid"] is not False:
            raise AssertionError(f"the libraries differ: {said}")
        if len(said[0]["reason"]) < 20:
            raise AssertionError(f"no sentence: {said[0]}")
        return said[0]["refusal"]

    def info(self):
        return self("info", "--json").json

    def counter(self, token, **run):
        return self.verify(token, "--json", **run).json["counter"]


class folder(tempfile.TemporaryDirectory):
    """with folder() as card: a factory card in a directory that goes away."""

    def __enter__(self):
        return Card(super().__enter__())


class issued(folder):
    """The same with a personalised card."""

    def __enter__(self):
        card = super().__enter__()
        card.personalise()
        return card


class Terminal:
    """A run on a terminal of its own: what is typed goes through its line discipline."""

    def __init__(self, *arguments, env=None):
        self.words = [str(a) for a in arguments]
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execve(PROGRAM, [PROGRAM, *self.words], environment(**(env or {})))
            finally:
                os._exit(127)

    def _read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            raise AssertionError(f"nothing more after {self.seen!r}")
        try:
            part = os.read(self.fd, 4096)
        except OSError:  # how Linux says that the other side has closed
            part = b""
        self.seen += part
        return part

    def expect(self, text, times=1):
        """Reads until the text was printed so many times."""
        while self.seen.count(text.encode()) < times:
            if not self._read(BOUND):
                raise AssertionError(f"{text!r} did not come: {self.seen!r}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """Reads the rest. Returns the exit code, or minus the signal that ended it."""
        while self._read(BOUND):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        remember(self.words, self.seen)
        return os.waitstatus_to_exitcode(status)
