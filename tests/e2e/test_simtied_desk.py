#!/usr/bin/env python3
"""What an operator's people run beside running daemons: audit, record, import, outbox, rekey, keys, migrate."""

import base64
import contextlib
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import fleet
import tool
from fleet import VIRTUAL, Fleet, Sqlite, on_each_store
from simtied import (DONE, IO, MESSENGER, PROGRAM, REFUSED, ROOT, USAGE, Operator, Place, simtied, wait_for)
from tap import holds, note, run, same

NUMBER = fleet.number(0)
ICCID = "8949012345678901236"
DEAF = {MESSENGER: "https://127.0.0.1:1/v1/notices"}  # nobody listens there
HEX = r"[0-9a-f]{64}"


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def desk(operator, *words, code=DONE, **options):
    """One of the operator's commands; (standard output, standard error)."""
    return simtied("operator", words[0], "--config", operator.config, *words[1:], code=code, **options)


def register(operator, body, code):
    """The identifier of a verification with its record."""
    answer = operator.request("POST", "/v1/verifications", body).json
    same(answer["status"], "VERIFIED", str(answer))
    identity = answer["verificationId"]
    same(operator.request("PUT", f"/v1/registrations/{identity}", {"identificationCode": code}).status, 201)
    return identity


def event(operator, number, **body):
    reply = operator.request("POST", f"/v1/admin/subscribers/{number}/events", body, pair=operator.place.pair("admin"))
    same(reply.status, 200, repr(reply))
    return reply.json["notices"]


# ---- The audit log ----


def verified_log(operator, code=DONE):
    return desk(operator, "audit", "verify", code=code)[0]


@on_each_store
def a_whole_log_is_whole_and_its_heads_are_shown(place, store):
    with Operator(place, store=store.where, operator=VIRTUAL) as operator:
        Fleet(place, operator, 3)
        lines = store.rows("SELECT COUNT(*) FROM audit")[0][0]
        holds(lines > 0, "the import left no line")
        first, *heads = verified_log(operator).splitlines()
        same(first, f"whole: {lines} lines")
        same(heads, [f"head  {chain}  line {seq}  {mac}" for chain, seq, mac in store.rows(
            f"SELECT chain, seq, {store.hex('mac')} FROM audit_heads ORDER BY chain")])
        operator.request("POST", "/sim-swap/v2/check", {"phoneNumber": NUMBER})
        same(verified_log(operator).splitlines()[0], f"whole: {lines + 1} lines", "beside a daemon that writes")


def tampered(text, *statements):
    """One tampering with a copy of a log of five lines in chain operator/desk: what is said of it."""
    with Place() as place:
        with Operator(place, operator=VIRTUAL) as operator:
            Fleet(place, operator, 1)
            for reason in "bcde":
                desk(operator, "record", "--reason", reason, NUMBER)
        same(verified_log(operator).splitlines()[0], "whole: 5 lines")
        whole = place.path / "whole.db"
        shutil.copy(place.path / "operator.db", whole)
        for what, expected in statements:
            shutil.copy(whole, place.path / "operator.db")
            for suffix in ("-wal", "-shm"):
                (place.path / f"operator.db{suffix}").unlink(missing_ok=True)
            with contextlib.closing(sqlite3.connect(place.path / "operator.db")) as db, db:
                for statement in what.split(";"):
                    holds(db.execute(statement).rowcount != 0, f"{statement} touches nothing")
            found = verified_log(operator, REFUSED)
            holds(found.startswith(f"broken: chain operator/desk, line {expected}: "), f"{text}, {what}: {found!r}")
            same(found.count("\n"), 1, "the first alone is named")


def tampering_names_the_chain_and_the_line():
    tampered(
        "by sqlite3",
        ("UPDATE audit SET mac = zeroblob(32) WHERE seq = 2", 2),
        ("UPDATE audit SET at = at + 1 WHERE seq = 3", 3),
        ("UPDATE audit SET hi = hi + 1 WHERE seq = 3", 3),
        ("UPDATE audit SET hi = NULL, lo = NULL WHERE seq = 4", 4),
        ("UPDATE audit SET sealed = (SELECT sealed FROM audit WHERE seq = 2) WHERE seq = 4", 4),
        ("UPDATE audit SET sealed = CAST(sealed || x'00' AS BLOB) WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq >= 2", 2),
        ("DELETE FROM audit", 1),
        ("DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4;"
         "UPDATE audit SET seq = 4 WHERE seq = 5; UPDATE audit_heads SET seq = 4", 3),
        ("UPDATE audit_heads SET mac = zeroblob(32)", 5),
        ("UPDATE audit_heads SET seq = 4", 5),
        ("DELETE FROM audit_heads", 1),
        ("UPDATE audit_heads SET seq = 6", 6))


# ---- One subscriber's record ----


class Subscriber:
    """One with a virtual card."""

    def __init__(self, operator, card):
        self.operator, self.card = operator, card
        self.number = "+491701234567"
        line = {**json.loads(card.record.read_text()), "iccid": ICCID, "phoneNumber": self.number}
        desk(operator, "import", card.file("subscriber.jsonl", json.dumps(line) + "\n"))

    def body(self, nonce=bytes(16)):
        token = self.card.token(audience=MESSENGER, nonce=nonce.hex())
        return {"phoneNumber": self.number, "nonce": base64url(nonce), "attestation": base64url(token)}

    def view(self):
        """What she sees of herself, over the listener that asks for no certificate."""
        where = {"pair": None, "public": True}
        challenge = self.operator.request("POST", "/v1/me/challenges", {}, **where).json
        nonce = base64.urlsafe_b64decode(challenge["nonce"] + "==")
        token = self.card.token("--purpose", "1", audience=challenge["audience"], nonce=nonce.hex())
        reply = self.operator.request("POST", "/v1/me/registrations", {
            "phoneNumber": self.number, "nonce": challenge["nonce"], "attestation": base64url(token)}, **where)
        same(reply.status, 200, repr(reply))
        return reply.json


def staff():
    """Who we are to the audit log: the login's user first, which neither su nor sudo changes."""
    uid, login = os.getuid(), int(pathlib.Path("/proc/self/loginuid").read_text())
    names = [pwd.getpwuid(number).pw_name for number in ((uid,) if login in (uid, 2**32 - 1) else (login, uid))]
    return f"staff {' as '.join(names)}"


@on_each_store
def staff_reads_with_a_reason_and_the_subscriber_sees_it(place, store):
    with Operator(place, store=store.where, operator=VIRTUAL) as operator:
        Fleet(place, operator, 3)
        with tool.issued() as card:
            subscriber = Subscriber(operator, card)
            register(operator, subscriber.body(), "code-1")
            lines = "SELECT COUNT(*) FROM audit"
            before = store.rows(lines)[0][0]
            for words in ([subscriber.number], ["--reason", "", subscriber.number], ["--reason", "r"],
                          ["--reason", "r" * 201, subscriber.number], ["--reason", "\udcff", subscriber.number],
                          ["--reason", "r", "491701234567"], ["--reason", "r", subscriber.number, subscriber.number],
                          ["--reason", "r", "--reason", "s", subscriber.number]):
                out, err = desk(operator, "record", *words, code=USAGE)
                same(out, "", str(words))
                holds("simtied operator record --help" in err and subscriber.number not in err, err)
            out, err = desk(operator, "record", "--reason", "none of ours", "+4930999999", code=REFUSED)
            same((out, "4930999999" in err), ("", False), "of nobody")
            same(store.rows(lines)[0][0], before, "what shows nothing leaves no line")

            os.environ["SUDO_USER"] = "alice"
            try:
                shown = json.loads(desk(operator, "record", "--reason", "court order 7 Ä", subscriber.number)[0])
            finally:
                del os.environ["SUDO_USER"]
            same([(r["service"], r["identificationCode"]) for r in shown], [(MESSENGER, "code-1")])
            same(store.rows(lines)[0][0], before + 1)

            view = subscriber.view()
            same([r["identificationCode"] for r in view["registrations"]], ["code-1"])
            seen = [line for line in view["auditLog"] if line.get("reason")]
            same([(line["actor"], line["action"], line["reason"]) for line in seen],
                 [(f"{staff()}, by sudo alice", "read registrations", "court order 7 Ä")])
            # What has ended is shown too, to her and to staff, with how.
            same([(r.get("endedAt"), r.get("endedBy")) for r in view["registrations"]], [(None, None)])
            register(operator, subscriber.body(bytes(15) + b"1"), "code-2")
            shown = json.loads(desk(operator, "record", "--reason", "r", subscriber.number)[0])
            both = [("code-2", None), ("code-1", "REPLACED")]
            same([(r["identificationCode"], r.get("endedBy")) for r in shown], both)
            view = subscriber.view()
            same([(r["identificationCode"], r.get("endedBy")) for r in view["registrations"]], both)
            holds(re.fullmatch(r"20\S+Z", view["registrations"][1]["endedAt"]) and view["complete"], str(view))
            verified_log(operator)
            for table in ("audit", "registrations", "verifications"):
                same(subscriber.number.encode() in store.dump(table), False, f"{table} in clear")


# ---- Imports ----

LINES = 2500
WRITTEN = ("sealed", "updated_at", "key_id")  # columns that differ when the same is written again


def records(count):
    return fleet.load("records", count, fleet.SEED)


def counts(store):
    """(bytes in, lines in, subscribers, cards) of the imports."""
    return store.rows("SELECT COALESCE(SUM(position), 0), COALESCE(SUM(lines), 0), (SELECT COUNT(*) FROM subscribers),"
                      " (SELECT COUNT(*) FROM stock) FROM imports")[0]


@on_each_store
def an_import_killed_at_random_goes_on_and_nothing_is_half(place, store):
    text = records(LINES)
    ends = [0]
    for line in text.splitlines(keepends=True):
        ends.append(ends[-1] + len(line))
    seed = random.randrange(1 << 32)
    note(f"seed {seed}")
    draw = random.Random(seed)
    with Operator(place, store=store.where, operator=VIRTUAL) as operator:
        path = write(operator, "many", text)
        killed, stops, whole, before, span = 0, set(), False, 0, 0.02
        while not whole:
            process = subprocess.Popen([PROGRAM, "operator", "import", "--config", operator.config, path],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            try:
                process.wait(span * draw.uniform(0.5, 1.5))
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
            said = process.communicate()[1]
            holds(process.returncode in (DONE, -signal.SIGKILL), f"{process.returncode}: {said}")
            position, lines, subscribers, cards = counts(store)
            same(position, ends[lines], "where it stands is the end of a line")
            same((subscribers, cards), (lines, lines), "what is in is what is counted")
            stops.add(lines)
            whole = process.returncode == DONE
            span *= 1.3 if lines == before else 1.0
            before = lines
        same(lines, LINES)
        note(f"killed {killed} times, stood at {sorted(stops)}")
        holds(killed > 1 and len(stops) > 2, "it was never stopped between its parts")
        verified_log(operator)
        rows = store.dump("subscribers"), store.dump("stock"), store.dump("audit")
        kept = store.dump("subscribers", *WRITTEN), store.dump("stock", *WRITTEN)
        desk(operator, "import", path)
        same((store.dump("subscribers"), store.dump("stock"), store.dump("audit")), rows, "the same file once more")
        desk(operator, "import", "--name", "again", path)
        same((store.dump("subscribers", *WRITTEN), store.dump("stock", *WRITTEN)), kept, "and under another name")


def an_import_killed_at_each_statement_is_in_or_not():
    with Place() as place, Sqlite(place) as store:
        shim = place.path / "kill_at.so"
        subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                        "-o", shim, ROOT / "tests" / "lib" / "kill_at.c", "-ldl"], check=True)
        config, path, arm = place.operator_config(operator=VIRTUAL), place.path / "few.jsonl", place.path / "armed"
        path.write_text(records(2))
        simtied("migrate", "--config", config)
        tables = ("imports", "subscribers", "stock", "audit", "audit_heads")
        at, code, seen = 0, -signal.SIGKILL, set()
        while code == -signal.SIGKILL:
            at += 1
            store.script("".join(f"DELETE FROM {table};" for table in tables))
            arm.touch()
            code = subprocess.run([PROGRAM, "operator", "import", "--config", config, path], check=False,
                                  capture_output=True, env={**os.environ, "LD_PRELOAD": str(shim), "KILL_ARM": str(arm),
                                                            "KILL_AT": str(at), "KILL_HOW": "before"}).returncode
            found = store.rows("SELECT " + ", ".join(f"(SELECT COUNT(*) FROM {table})" for table in tables))[0]
            holds(found in ((0, 0, 0, 0, 0), (1, 2, 2, 1, 1)), f"before statement {at}: {found}")
            seen.add(found)
            simtied("operator", "import", "--config", config, path)
            same(counts(store)[1:], (2, 2, 2), f"before statement {at}")
            holds(at < 200, "it is killed for ever")
        same((code, len(seen)), (DONE, 2))
        holds(at > 10, f"only {at - 1} statements")


def write(operator, name, text):
    path = operator.place.path / f"{name}.jsonl"
    path.write_text(text)
    return path


@on_each_store
def a_wrong_line_is_named_and_its_part_left_out(place, store):
    good = records(3).splitlines()
    card = json.loads(good[2])
    with Operator(place, store=store.where, operator=VIRTUAL) as operator:
        before = counts(store)[2:]
        log = store.rows("SELECT COUNT(*) FROM audit")
        cases = (
            ("{", "no JSON object"),
                ("[]", "no JSON object"),
                ('{"phoneNumber": "+491", "phoneNumber": "+492"}', "a member twice"),
                ('{"phoneNumber": "0151"}', "phoneNumber"),
                ('{"iccid": "%s"}' % ICCID, "neither"),
                (json.dumps({**card, "iccid": "12"}), "iccid"),
                (json.dumps({**card, "chainCode": card["chainCode"][2:]}), "no card record"),
                (json.dumps({**json.loads(good[1]), "iccid": json.loads(good[0])["iccid"]}), "another card"),
                ('{"phoneNumber": "+4917000", "iccid": "%s"}' % json.loads(good[0])["iccid"], "has this card"),
                ('{"phoneNumber": "+4917000", "iccid": "%s"}' % ICCID, "no card of this ICCID"),
                ("x" * 5000, "4096"))
        for wrong, why in cases if store.kind == "sqlite" else cases[-4:]:
            path = write(operator, "wrong", "\n".join([good[0], good[1], wrong, good[2]]) + "\n")
            out, err = desk(operator, "import", path, code=REFUSED)
            same((out, err.count("\n")), ("", 1), wrong)
            holds("Line 3: " in err and why in err, f"{wrong}: {err!r}")
            holds(card["chainCode"] not in err and "+49" not in err, f"it quotes: {err!r}")
            same(counts(store)[2:], before, f"{wrong} left something")
            same(store.rows("SELECT name FROM imports WHERE name = 'wrong.jsonl'"), [])
        same(store.rows("SELECT COUNT(*) FROM audit"), log)
        out, err = desk(operator, "import", write(operator, "endless", good[1]), code=REFUSED)
        holds("no end" in err, err)
        same(counts(store)[2:], before)
        out, err = desk(operator, "import", operator.place.path / "absent.jsonl", code=IO)
        holds("absent.jsonl" in err, err)
        desk(operator, "import", "--name", "a b", write(operator, "named", good[0] + "\n"), code=REFUSED)
        # Mended, the same file goes in.
        desk(operator, "import", write(operator, "wrong", "\n".join(good) + "\n"))
        same(counts(store)[2:], (3, 3))


def a_shorter_file_under_a_known_name_is_not_taken_for_it():
    with Place() as place, Operator(place, operator=VIRTUAL) as operator:
        first, second = records(3).splitlines(keepends=True)[:2], '{"phoneNumber": "+491709"}\n'
        desk(operator, "import", write(operator, "delivery", "".join(first)))
        out, err = desk(operator, "import", write(operator, "delivery", second), code=REFUSED)
        same(out, "")
        holds("--name" in err, err)
        desk(operator, "import", "--name", "delivery-2", place.path / "delivery.jsonl")
        same(Sqlite(place).rows("SELECT COUNT(*) FROM subscribers")[0][0], 3)


# ---- The outbox ----


def what_is_stuck_is_listed_with_why():
    with Place() as place, Sqlite(place) as store, Operator(place, operator=VIRTUAL, notify=DEAF) as operator:
        sims = Fleet(place, operator, 2)
        same(desk(operator, "outbox")[0], "nothing: every notice was delivered\n")
        for body in sims.bodies(2):
            register(operator, body, "code")
        same(event(operator, fleet.number(0), event="SUSPENDED"), 1)
        same(event(operator, fleet.number(0), event="SUSPENDED"), 0, "once more")
        same(event(operator, fleet.number(1), event="TERMINATED", reason="over"), 1)
        wait_for(lambda: all(row[0] for row in store.rows("SELECT attempts FROM outbox")), "a try of each")
        shown = desk(operator, "outbox")[0]
        form = re.compile(r"20\S+Z +([1-9]\d*)  20\S+Z  +(\S+)  (\S+)  (\S.*)")
        found = [form.fullmatch(line) for line in shown.splitlines()]
        holds(all(found) and len(found) == 2, shown)
        same([(m[2], m[3]) for m in found], [(MESSENGER, "SUSPENDED"), (MESSENGER, "TERMINATED")], "oldest first")
        holds(all(len(m[4]) > 10 for m in found), shown)
        holds(not re.search(r"\+49|\d{14}", shown), f"whose SIM: {shown}")
        operator.end()
        store.run("UPDATE outbox SET state = 3")
        holds(desk(operator, "outbox")[0].count("given up") == 2, "given up")


# ---- Keys ----


def key_ids(store):
    return {row[0] for table in ("subscribers", "stock", "verifications", "registrations", "outbox", "audit")
            for row in store.rows(f"SELECT DISTINCT key_id FROM {table} WHERE sealed IS NOT NULL")}


@on_each_store
def a_store_is_sealed_anew_while_it_serves_and_the_old_key_can_go(place, store):
    with Operator(place, store=store.where, operator=VIRTUAL, notify=DEAF) as operator:
        sims = Fleet(place, operator, 400)
        keys = operator.place.path / "store.keys"
        identity = register(operator, sims.bodies(1)[0], "code")
        same(fleet.outcome(sims.run(operator, 600)), {"200 VERIFIED": 600})
        event(operator, NUMBER, event="SUSPENDED")
        event(operator, NUMBER, event="RESUMED")
        same(key_ids(store), {1})
        before = keys.read_text()
        same(simtied("keys", "add", keys)[0], f"{keys}: key 2 added\n")
        holds(keys.read_text().startswith(before) and keys.stat().st_mode & 0o777 == 0o600, keys.read_text())
        operator.end()
        operator.again()

        load = sims.run(operator, 1500)
        rekeys = 0
        while load.poll() is None:
            out = desk(operator, "rekey")[0]
            holds(re.fullmatch(r"\d+ rows sealed anew under key 2; nothing is left under another\n", out), out)
            rekeys += 1
        same(fleet.outcome(load), {"200 VERIFIED": 1500})
        same(desk(operator, "rekey")[0], "0 rows sealed anew under key 2; nothing is left under another\n")
        note(f"{rekeys} times while 1,500 requests were served")
        same(key_ids(store), {2})

        operator.end()
        keys.write_text(re.sub(r"^key 1 .*\n", "", keys.read_text(), flags=re.M))
        operator.again()
        verified_log(operator)
        same(json.loads(desk(operator, "record", "--reason", "r", NUMBER)[0])[0]["identificationCode"], "code")
        answer = operator.request("GET", f"/v1/verifications/{identity}").json
        same((answer["status"], len(answer["credential"]) > 100), ("VERIFIED", True))
        same(desk(operator, "outbox")[0].count(MESSENGER), 2)
        same(fleet.outcome(sims.run(operator, 400)), {"200 VERIFIED": 400})

        # The other way round, without the key that is needed: said so, and nothing made up.
        kept = keys.read_text()
        keys.write_text(before)
        out, err = desk(operator, "record", "--reason", "r", NUMBER, code=IO)
        same(out, "")
        holds("simtied operator record: " in err, err)
        same(verified_log(operator, REFUSED).startswith("broken: chain "), True)
        keys.write_text(kept)


def a_row_that_does_not_open_stops_sealing_anew():
    with Place() as place, Operator(place, operator=VIRTUAL) as operator:
        store = Sqlite(place)
        Fleet(place, operator, 5)
        simtied("keys", "add", place.path / "store.keys")
        store.run("UPDATE subscribers SET sealed = zeroblob(length(sealed))"
                  " WHERE hi = (SELECT MAX(hi) FROM subscribers)")
        _, err = desk(operator, "rekey", code=IO)
        holds("a row of table subscribers does not open" in err, err)
        same(key_ids(store), {1}, "the whole step is undone")


def key_files_are_made_once_and_kept_close():
    with Place() as place:
        keys, config = place.path / "store.keys", place.operator_config()
        holds(re.fullmatch(rf"index {HEX}\nkey 1 {HEX}\n", keys.read_text()), "a key file's form")
        same(keys.stat().st_mode & 0o777, 0o600)
        before = keys.read_text()
        out, err = simtied("keys", "new", keys, code=IO)
        same((out, keys.read_text()), ("", before), "an old one is left alone")
        holds(str(keys) in err, err)
        same(simtied("keys", "new", place.path / "other.keys")[0], f"{place.path}/other.keys: key 1 made\n")
        holds((place.path / "other.keys").read_text() != before, "keys are drawn")
        for words in ([], ["new"], ["other", keys], ["add", keys, keys]):
            simtied("keys", *words, code=USAGE)
        simtied("migrate", "--config", config)

        def refused(code, what):
            for words in (["operator", "--config", config], ["operator", "outbox", "--config", config],
                          ["check-config", "--config", config]):
                out, err = simtied(*words, code=code)
                same(out, "", str(words))
                holds(what in err and str(keys) in err, f"{words}: {err!r}")
                holds(not re.search(HEX, err), "a key in an error")

        for mode in (0o640, 0o604, 0o620):
            keys.chmod(mode)
            refused(USAGE, "chmod 600")
            simtied("keys", "add", keys, code=IO)
        keys.chmod(0o600)
        same(keys.read_text(), before)
        for text, line in ((before + "key 1 " + "0" * 64 + "\n", 3), (before.replace("index", "Index"), 1),
                           ("key 1 " + "0" * 64 + "\n", 1), (before[:-2] + "\n", 2)):
            keys.write_text(text)
            refused(USAGE, f"{keys}:{line}: ")
        keys.unlink()
        refused(IO, "key file")
        simtied("keys", "add", keys, code=IO)
        holds(not keys.exists(), "add makes no file")


# ---- The schema ----


@on_each_store
def a_schema_is_brought_up_once_and_another_is_refused(place, store):
    config = place.operator_config(store=store.where)
    refuse_schema(config, "simtied migrate" if store.kind == "postgresql" else "")
    first = simtied("migrate", "--config", config)[0]
    holds(int(re.fullmatch(r"(\d+) applied; the store is that of this version\n", first)[1]) > 0, first)
    for _ in range(2):
        same(simtied("migrate", "--config", config)[0], "0 applied; the store is that of this version\n")
    many = [subprocess.Popen([PROGRAM, "migrate", "--config", config], stdout=subprocess.PIPE) for _ in range(3)]
    same([process.communicate()[0].split()[0] for process in many], [b"0"] * 3, "at once")
    simtied("operator", "outbox", "--config", config)
    # Older: the last was never applied. Newer: one that this program does not know.
    kept = store.dump("schema_migrations")
    store.run("CREATE TABLE aside AS SELECT * FROM schema_migrations")
    store.run("DELETE FROM schema_migrations WHERE number = (SELECT MAX(number) FROM schema_migrations)")
    refuse_schema(config, "simtied migrate")
    store.run("DELETE FROM schema_migrations")
    store.run("INSERT INTO schema_migrations SELECT * FROM aside")
    same(store.dump("schema_migrations"), kept, "nobody migrates by itself")
    store.run("UPDATE schema_migrations SET number = number + 50"
              " WHERE number = (SELECT MAX(number) FROM schema_migrations)")
    refuse_schema(config, "")
    simtied("migrate", "--config", config, code=IO)


def refuse_schema(config, what):
    for words in (["operator"], ["operator", "outbox"], ["operator", "rekey"], ["operator", "audit", "verify"],
                  ["operator", "record", "--reason", "r", NUMBER]):
        out, err = simtied(*words, "--config", config, code=IO)
        same(out, "", str(words))
        holds(what in err and "simtied" in err, f"{words}: {err!r}")


# ---- What holds for all ----


def every_command_has_help_and_refuses_what_it_does_not_know():
    top = simtied("--help")[0]
    names = re.findall(r"^  ([a-z-]+) ", top, re.M)
    holds({"operator", "migrate", "check-config", "keys", "certs"} <= set(names), top)
    listed = simtied("operator", "--help")[0]
    commands = re.findall(r"^  ([a-z]+) ", listed.partition("Commands:")[2], re.M)
    same(commands, ["audit", "outbox", "record", "import", "rekey"])
    for words in [[name] for name in names] + [["operator", name] for name in commands]:
        for option in ("--help", "-h"):
            out, err = simtied(*words, option)
            same(err, "")
            holds(out.startswith(f"Usage: simtied {' '.join(words)}") and out.endswith("\n"), f"{words}: {out!r}")
            holds(max(map(len, out.splitlines())) <= 100 and out.count("\n") < 24, f"over a screen: {words}")
        _, err = simtied(*words, "--nothing", code=USAGE)
        holds(f"simtied {' '.join(words)}" in err and "--help" in err and err.count("\n") == 1, f"{words}: {err!r}")
    for words in (["nothing"], ["operator", "nothing"], [], ["operator", "outbox"], ["operator", "audit"],
                  ["operator", "outbox", "--config"], ["operator", "rekey", "--config=", "x"]):
        out, err = simtied(*words, code=USAGE)
        same(out, "", str(words))
        holds(err.startswith("simtied"), err)
    with Place() as place:
        config = place.operator_config()
        simtied("operator", "audit", "other", "--config", config, code=USAGE)
        simtied("operator", "outbox", "--config", config, "word", code=USAGE)
        simtied("operator", "outbox", "--config", place.path / "none.conf", code=USAGE)
    with open("/dev/full", "w", encoding="ascii") as full:
        ended = subprocess.run([PROGRAM, "operator", "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
        same(ended.returncode, IO, "standard output that cannot be written")


if __name__ == "__main__":
    sys.exit(run([
        a_whole_log_is_whole_and_its_heads_are_shown, tampering_names_the_chain_and_the_line,
        staff_reads_with_a_reason_and_the_subscriber_sees_it, an_import_killed_at_random_goes_on_and_nothing_is_half,
        an_import_killed_at_each_statement_is_in_or_not, a_wrong_line_is_named_and_its_part_left_out,
        a_shorter_file_under_a_known_name_is_not_taken_for_it,
        what_is_stuck_is_listed_with_why, a_store_is_sealed_anew_while_it_serves_and_the_old_key_can_go,
        a_row_that_does_not_open_stops_sealing_anew, key_files_are_made_once_and_kept_close,
        a_schema_is_brought_up_once_and_another_is_refused, every_command_has_help_and_refuses_what_it_does_not_know]))
