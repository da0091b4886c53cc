"""Subscribers by the hundred with stores of either kind, and clients that remember what they were told.

    with Place() as place, Sqlite(place) as store, Operator(place, store=store.where, operator=VIRTUAL) as operator:
        fleet = Fleet(place, operator, 100)
        clients = Clients([operator], fleet.bodies(500)).run()
        nothing_lost(store, [clients])

SIMs and their tokens are simtie-load's (tests/load), which must have been built (`make benches`).
"""

import base64
import collections
import contextlib
import http.client
import json
import os
import queue
import re
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
import uuid

from simtied import BOUND, MESSENGER, ROOT, Place, message, read_reply, simtied
from tap import note

LOAD = ROOT / os.environ.get("SIMTIE_BUILD", "build") / "simtie-load"
SEED = "fleet"
VIRTUAL = "\tallow_virtual = true;\n"
PENDING, VERIFIED, NOT_VERIFIED, EXPIRED = range(1, 5)  # states of verifications in the store


class Sqlite:
    kind = "sqlite"

    def __init__(self, place, name="operator"):
        self.path = place.path / f"{name}.db"
        self.where = f"sqlite:{self.path}"

    def rows(self, sql):
        with contextlib.closing(sqlite3.connect(self.path, timeout=BOUND)) as db, db:
            return db.execute(sql).fetchall()

    run = rows

    def script(self, sql):
        with contextlib.closing(sqlite3.connect(self.path, timeout=BOUND)) as db:
            db.executescript(sql)

    def dump(self, table, *without):
        """All of a table as bytes, in its key's order."""
        columns = [row[1] for row in self.rows(f"PRAGMA table_info({table})") if row[1] not in without]
        return "\n".join(map(repr, self.rows(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2"))).encode()

    def hex(self, column):
        return f"lower(hex({column}))"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Postgresql:
    """A database of its own in a server."""

    kind = "postgresql"

    def __init__(self, _=None, server=None):
        self.server = server or os.environ["SIMTIE_POSTGRES"]
        self.name = f"simtie_{uuid.uuid4().hex}"
        self.where = re.sub(r"dbname=\S+", f"dbname={self.name}", self.server)

    def psql(self, sql, where=None):
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-F", "\t", "-c", sql, where or self.where],
                              capture_output=True, text=True, check=False, timeout=BOUND)
        if done.returncode:
            raise AssertionError(f"psql: {done.stderr}")
        return done.stdout

    def rows(self, sql):
        return [tuple(int(cell) if cell.lstrip("-").isdigit() and len(cell) < 19 else cell for cell in line.split("\t"))
                for line in self.psql(sql).splitlines()]

    run = psql

    @contextlib.contextmanager
    def session(self, *statements):
        """Another client, which has run these and stays connected."""
        with subprocess.Popen(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.where], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as client:
            client.stdin.write("".join(f"{statement};\n" for statement in statements) + "\\echo done\n")
            client.stdin.flush()
            while (line := client.stdout.readline()) != "done\n":
                if not line:
                    raise AssertionError(f"psql does not like {statements}")
            yield
            client.stdin.close()
            client.wait(BOUND)

    def dump(self, table, *without):
        columns = [row[0] for row in self.rows(f"SELECT column_name FROM information_schema.columns"
                                               f" WHERE table_name = '{table}'") if row[0] not in without]
        return self.psql(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2").encode()

    def hex(self, column):
        return f"encode({column}, 'hex')"

    def __enter__(self):
        self.psql(f"CREATE DATABASE {self.name}", self.server)
        return self

    def __exit__(self, *_):
        self.psql(f"DROP DATABASE {self.name} WITH (FORCE)", self.server)


def on_each_store(test):
    """Runs test(place, store), in a Place of its own, on SQLite, and on PostgreSQL where there is one."""
    def whole():
        for kind in [Sqlite] + ([Postgresql] if os.environ.get("SIMTIE_POSTGRES") else []):
            with Place() as place, kind(place) as store:
                test(place, store)
        if not os.environ.get("SIMTIE_POSTGRES"):
            note("skipped on PostgreSQL: there is none in SIMTIE_POSTGRES")
    whole.__name__ = test.__name__
    return whole


def load(*arguments):
    return subprocess.run([LOAD, *map(str, arguments)], capture_output=True, text=True, check=True,
                          timeout=BOUND).stdout


class Fleet:
    """Subscribers of an operator, +49151NNNNNNNN, each with a SIM; `bodies` never repeats a token."""

    def __init__(self, place, operator, count):
        self.place, self.count = place, count
        self.first = 1
        self.lines = place.path / "fleet.jsonl"
        self.lines.write_text(load("records", count, SEED))
        simtied("operator", "import", "--config", operator.config, self.lines)

    def bodies(self, count, audience=MESSENGER):
        """Of so many verifications, over the SIMs by turns; the second of a SIM has a higher counter."""
        bodies = load("bodies", audience, self.count, SEED, self.first, count).splitlines()
        self.first += -(-count // self.count)
        return [body.encode() for body in bodies]

    def run(self, operator, count, connections=16, rate=0, audience=MESSENGER):
        """A started `simtie-load run`; outcome() waits for it."""
        pair = self.place.messenger(audience)
        first, self.first = self.first, self.first - (-count // self.count)
        return subprocess.Popen([str(word) for word in (
            LOAD, "run", "127.0.0.1", operator.port, *pair, self.place.pki / "ca.pem", audience, self.count, SEED,
            first, count, connections, rate)], stdout=subprocess.PIPE, text=True)


def outcome(run):
    """How often what was answered: {"200 VERIFIED": 12}."""
    return json.loads(run.communicate(timeout=BOUND)[0])["outcomes"]


def number(index):
    """Of the SIM with this index."""
    return f"+49151{index:08}"


def hex_id(text):
    """A verificationId as the store has it."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()


class Clients:
    """Threads with a kept-alive connection each. They send each body under a key of its own and, `patient`, again after
    a broken connection or a 503 until it is answered otherwise. What they were told stays in `told`:
    (index of the body, status, the answer as JSON), and what broke in `broken`.
    """

    def __init__(self, operators, bodies, threads=8, patient=True, bound=BOUND, one_key=False):
        self.operators, self.bodies, self.patient = operators, bodies, patient
        self.left = queue.SimpleQueue()
        for index in range(len(bodies)):
            self.left.put(index)
        self.told, self.retry_after, self.broken, self.errors = [], [], [], []
        self.end = time.monotonic() + bound
        prefix = uuid.uuid4().hex[:16]
        self.keys = [f"{prefix}-{0 if one_key else index}" for index in range(len(bodies))]
        self.gate = threading.Barrier(threads + 1)
        self.threads = [threading.Thread(target=self._work, args=(operators[i % len(operators)],), daemon=True)
                        for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def go(self):
        self.gate.wait(BOUND)
        return self

    def join(self):
        for thread in self.threads:
            thread.join(max(0.0, self.end - time.monotonic()) + BOUND)
        if self.errors:
            raise self.errors[0]
        return self

    def run(self):
        return self.go().join()

    def stop(self):
        """What is not begun is not sent; what is under way is not sent again."""
        self.end = 0.0
        with contextlib.suppress(queue.Empty):
            while True:
                self.left.get_nowait()
        return self.join()

    def _work(self, operator):
        wire = None
        try:
            self.gate.wait(BOUND)
            while True:
                index = self.left.get_nowait()
                wire = self._one(operator, index, wire)
        except queue.Empty:
            pass
        except Exception as error:  # join() raises it
            self.errors.append(error)
        finally:
            if wire:
                wire.close()

    def _one(self, operator, index, wire):
        while True:
            try:
                wire = wire or operator.connect(bound=10)
                wire.sendall(message("POST", "/v1/verifications", self.bodies[index],
                                     {"Idempotency-Key": self.keys[index]}))
                reply = read_reply(wire)
                self.told.append((index, reply.status, reply.json))
                if reply.headers.get("connection") == "close":
                    wire.close()
                    wire = None
                if reply.status != 503:
                    return wire
                self.retry_after.append(reply.headers.get("retry-after"))
            except (OSError, ssl.SSLError, http.client.HTTPException, ValueError) as error:
                self.broken.append((index, repr(error)))
                if wire:
                    wire.close()
                wire = None
            if not self.patient or time.monotonic() > self.end:
                return wire
            time.sleep(0.02)

    # ---- What came of it ----

    def outcomes(self):
        """How often what was answered, one for each answer."""
        return dict(collections.Counter(f"{status} {answer.get('code', answer.get('status'))}"
                                        for _, status, answer in self.told))

    def ids(self, *states):
        """{body's index: verificationId} of those answered so."""
        return {index: answer["verificationId"] for index, _, answer in self.told if answer.get("status") in states}


def nothing_lost(store, clients):
    """Whatever any of the clients was told is in the store, and no counter counts twice. {state: how many}."""
    found = {row[0]: row[1] for row in store.rows(f"SELECT {store.hex('id')}, state FROM verifications")}
    for client in clients:
        told = {}
        for index, _, answer in client.told:
            if "verificationId" not in answer:
                continue
            identity, status = hex_id(answer["verificationId"]), answer["status"]
            if identity not in found:
                raise AssertionError(f"{status} was told of a verification that is not in the store")
            if status == "VERIFIED" and found[identity] != VERIFIED:
                raise AssertionError(f"VERIFIED was told, and the store has {found[identity]}")
            if told.setdefault(index, identity) != identity:
                raise AssertionError("one request has two answers")
    verified, counters, counted = (store.rows(sql)[0][0] for sql in (
        "SELECT COUNT(*) FROM verifications WHERE state = 2",
        "SELECT COUNT(*) FROM (SELECT DISTINCT hi, lo, counter FROM verifications WHERE state = 2) AS once",
        "SELECT COUNT(*) FROM attestations"))
    if not verified == counters <= counted:
        raise AssertionError(f"{verified} verified, of {counters} counters, {counted} counted")
    return dict(store.rows("SELECT state, COUNT(*) FROM verifications GROUP BY state"))


class Clock:
    """The wall clock of daemons with this environment: `set` seconds off the machine's."""

    def __init__(self, place):
        shim, self.path = place.path / "clock_at.so", place.path / "clock"
        subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                        "-o", shim, ROOT / "tests" / "lib" / "clock_at.c"], check=True)
        self.path.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(shim), "CLOCK_AT": str(self.path)}

    def set(self, seconds):
        with open(self.path, "r+b", buffering=0) as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))
