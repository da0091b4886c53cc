#!/usr/bin/env python3
"""Operators whose disk is full, whose store is locked or gone, who are killed, raced, or told another time.

Nothing that was acknowledged is lost, no token counts twice, and when the fault has passed so has its effect.
"""

import contextlib
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import fleet
from fleet import VIRTUAL, Clients, Clock, Fleet, Postgresql, Sqlite, nothing_lost, on_each_store
from simtied import BOUND, ROOT, Operator, Place, simtied, wait_for
from tap import holds, note, run, same

POST = "/v1/verifications"


def all_verified(clients):
    """Each body has its yes in the end."""
    verified = clients.ids("VERIFIED")
    last = {index: (status, answer) for index, status, answer in clients.told}
    for index in range(len(clients.bodies)):
        if index not in verified:
            raise AssertionError(f"request {index} has no yes: {last.get(index)}, {clients.broken[-3:]}")


def told_why(clients):
    """503, each with when to come again; how many there were."""
    same(set(clients.retry_after) - {"1", "2"}, set(), "Retry-After")
    same({answer.get("code") for _, status, answer in clients.told if status == 503} - {"UNAVAILABLE"}, set())
    return len(clients.retry_after)


def whole_log(operator):
    out = simtied("operator", "audit", "verify", "--config", operator.config)[0]
    holds(out.startswith("whole: "), out)


def healthy(operator):
    return operator.request("GET", "/healthz?ready", pair=None, public=True).status == 200


def decided(store):
    return store.rows("SELECT COUNT(*) FROM verifications WHERE state = 1")[0][0] == 0


# ---- No room ----


def a_full_disk_is_503_and_passes():
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    ended = subprocess.run([*namespace, sys.executable, __file__, "small-disk"], capture_output=True, text=True,
                           check=False, timeout=2 * BOUND)
    same((ended.returncode, ended.stdout), (0, "as it should be\n"), ended.stderr)


def fill(path):
    """Takes all room that there is; removing it gives it back."""
    with open(path, "wb", buffering=0) as ballast:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(size))


@contextlib.contextmanager
def unmounted(path):
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def small_disk():
    """Runs in a namespace of its own."""
    with Place() as place:
        disk = place.path / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk], check=True)
        store = Sqlite(place, "disk/store")
        with unmounted(disk), Operator(place, store=store.where, operator=VIRTUAL) as operator:
            pid, sims = operator.process.pid, Fleet(place, operator, 1000)
            clients = [Clients([operator], sims.bodies(100)).run()]
            all_verified(clients[0])
            full = 0
            while not full:
                fill(disk / "ballast")
                clients.append(Clients([operator], sims.bodies(50), patient=False).run())
                full = told_why(clients[-1])
                same(set(clients[-1].outcomes()) - {"200 VERIFIED", "503 UNAVAILABLE"}, set(), "while it is full")
                nothing_lost(store, clients)
            holds(not healthy(operator), "healthy without room")
            clients.append(Clients([operator], sims.bodies(100), threads=4).go())
            wait_for(lambda: clients[-1].retry_after, "a 503")
            (disk / "ballast").unlink()
            all_verified(clients[-1].join())
            wait_for(lambda: healthy(operator), "health")
            same(nothing_lost(store, clients), {fleet.VERIFIED: sum(len(c.ids("VERIFIED")) for c in clients)})
            same(operator.process.pid, pid)
            # It starts where there is no room, and says so, or serves; with room it has all that it had.
            operator.end()
            operator.again()
            all_verified(Clients([operator], sims.bodies(20)).run())
            nothing_lost(store, clients)
            whole_log(operator)
    print("as it should be")


# ---- Locked ----


def a_file_locked_by_another_process_is_waited_for_or_503():
    with Place() as place, Sqlite(place) as store, Operator(place, operator=VIRTUAL) as operator:
        sims = Fleet(place, operator, 300)
        clients = Clients([operator], sims.bodies(300), threads=32)
        locker = sqlite3.connect(store.path, isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        clients.go()
        wait_for(lambda: len(clients.retry_after) >= 32, "a 503 for each")
        locker.execute("ROLLBACK")
        locker.close()
        clients.join()
        holds(told_why(clients) > 0, "locked, and nobody heard of it")
        same(clients.broken, [], "who got no answer")
        same(set(clients.outcomes()) - {"200 VERIFIED", "202 PENDING", "503 UNAVAILABLE"}, set())
        wait_for(lambda: decided(store), "the backlog")
        same(nothing_lost(store, [clients]), {fleet.VERIFIED: 300})
        whole_log(operator)


def a_subscriber_locked_by_another_is_pending_and_nobody_waits_for_her():
    if not os.environ.get("SIMTIE_POSTGRES"):
        note("skipped: there is no PostgreSQL in SIMTIE_POSTGRES")
        return
    with Place() as place, Postgresql() as store, Operator(place, store=store.where, operator=VIRTUAL) as operator:
        sims = Fleet(place, operator, 40)
        bodies = sims.bodies(40)
        first = operator.request("POST", POST, bodies[0]).json
        same(first["status"], "VERIFIED")
        with store.session("BEGIN", "SELECT hi FROM subscribers WHERE hi = (SELECT hi FROM verifications) FOR UPDATE"):
            clients = Clients([operator], sims.bodies(40)).run()
            same(sum(clients.outcomes().values()), 40)
            same(set(clients.outcomes()), {"200 VERIFIED", "202 PENDING"}, str(clients.outcomes()))
            identity = clients.ids("PENDING")[0]
            wait_for(lambda: store.rows("SELECT COUNT(*) FROM verifications WHERE state = 1") == [(1,)], "the others")
            same(operator.request("GET", f"{POST}/{identity}").json["status"], "PENDING")
        same(operator.request("GET", f"{POST}/{identity}?wait=10").json["status"], "VERIFIED", "when it is free")
        with store.session("BEGIN", "LOCK TABLE attestations IN ACCESS EXCLUSIVE MODE"):
            clients = Clients([operator], sims.bodies(8))
            clients.go()
            wait_for(lambda: len(clients.told) >= 4, "what is told while a table is locked")
        clients.join()
        same(set(clients.outcomes()) - {"200 VERIFIED", "202 PENDING", "503 UNAVAILABLE"}, set())
        told_why(clients)
        wait_for(lambda: decided(store), "the backlog")
        same(nothing_lost(store, [clients]), {fleet.VERIFIED: 1 + 40 + 8})


# ---- Gone ----


@contextlib.contextmanager
def server_of_our_own():
    """A PostgreSQL that may be stopped; ctl(words of pg_ctl)."""
    command = [ROOT / "tests/lib/private-postgres", "--", "sh", "-c",
               'echo "$SIMTIE_POSTGRES"; echo "$POSTGRES_CTL"; cat']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        where, ctl = (server.stdout.readline().strip() for _ in range(2))
        try:
            yield where, lambda *words: subprocess.run([ctl, *words], check=True, timeout=BOUND,
                                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        finally:
            server.stdin.close()
            server.wait(BOUND)


def a_server_that_goes_and_comes_back_loses_nothing():
    if not os.environ.get("SIMTIE_POSTGRES"):
        note("skipped: there is no PostgreSQL in SIMTIE_POSTGRES")
        return
    with server_of_our_own() as (where, ctl), Place() as place, Postgresql(server=where) as store, \
            Operator(place, store=store.where, operator=VIRTUAL) as operator:
        sims = Fleet(place, operator, 1500)
        for how in ("immediate", "fast"):
            clients = Clients([operator], sims.bodies(600))
            clients.go()
            wait_for(lambda c=clients: len(c.told) > 100, "some answers")
            ctl("stop", "-m", how)
            gone = len(clients.retry_after)
            wait_for(lambda c=clients, n=gone: len(c.retry_after) > n + 20, "503s")
            wait_for(lambda: not healthy(operator), "not ready")
            ctl("start")
            all_verified(clients.join())
            holds(told_why(clients) > 0, "gone, and nobody heard of it")
            wait_for(lambda: healthy(operator), "ready")
            nothing_lost(store, [clients])
        same(dict(store.rows("SELECT state, COUNT(*) FROM verifications GROUP BY state")), {fleet.VERIFIED: 1200})
        holds("the store answers again" in operator.said(), operator.said())
        whole_log(operator)


# ---- Killed, ended ----


@on_each_store
def killed_under_load_it_has_all_that_it_said(place, store):
    seed = random.randrange(1 << 32)
    note(f"seed {seed}")
    draw = random.Random(seed)
    with Operator(place, store=store.where, operator=VIRTUAL) as operator:
        sims = Fleet(place, operator, 400)
        clients = Clients([operator], sims.bodies(400))
        clients.go()
        for _ in range(3):
            there = len(clients.told) + draw.randrange(20, 90)
            wait_for(lambda n=there: len(clients.told) >= n, "answers")
            operator.kill()
            operator.again()
        all_verified(clients.join())
        holds(clients.broken, "it was killed, and no connection broke")
        same(nothing_lost(store, [clients]), {fleet.VERIFIED: 400})
        whole_log(operator)


@on_each_store
def ended_under_load_it_answers_all_that_it_took_in(place, store):
    with Operator(place, store=store.where, operator=VIRTUAL) as operator:
        sims = Fleet(place, operator, 1500)
        clients = Clients([operator], sims.bodies(1500), threads=16, patient=False)
        clients.go()
        wait_for(lambda: len(clients.told) > 150, "answers")
        operator.end()
        clients.stop()
        holds(150 < len(clients.told) < 1500, f"{len(clients.told)} answers")
        same(set(clients.outcomes()), {"200 VERIFIED"})
        found = {row[0] for row in store.rows(f"SELECT {store.hex('id')} FROM verifications")}
        same(found ^ {fleet.hex_id(identity) for identity in clients.ids("VERIFIED").values()}, set(),
             "what is in the store is what was told")
        operator.again()


# ---- Raced ----


@on_each_store
def of_64_clients_with_one_token_one_has_a_yes(place, store):
    settings = {"store": store.where, "operator": VIRTUAL}
    with Operator(place, "one", **settings) as one, Operator(place, "two", **settings) as two:
        sims = Fleet(place, one, 1)
        for turn in range(1, 3):
            clients = Clients([one, two], sims.bodies(1) * 64, threads=64).run()
            wait_for(lambda: decided(store), "the backlog")
            same(dict(store.rows("SELECT state, COUNT(*) FROM verifications GROUP BY state")),
                 {fleet.VERIFIED: turn, fleet.NOT_VERIFIED: 63 * turn}, str(clients.outcomes()))
            holds(len(clients.ids("VERIFIED")) <= 1, f"{clients.outcomes()}")
            same({answer["reason"] for _, _, answer in clients.told if "reason" in answer}, {"TOKEN_USED"})
            nothing_lost(store, [clients])
        # Under one Idempotency-Key it is one request, and all have its answer.
        clients = Clients([one, two], sims.bodies(1) * 64, threads=64, one_key=True).run()
        wait_for(lambda: decided(store), "the backlog")
        same(len(set(clients.ids("VERIFIED", "PENDING").values())), 1, str(clients.outcomes()))
        same(len(clients.ids("VERIFIED", "PENDING")), 64, str(clients.outcomes()))
        same(dict(store.rows("SELECT state, COUNT(*) FROM verifications GROUP BY state"))[fleet.VERIFIED], 3)


# ---- Told another time ----

HOUR = 3600


@on_each_store
def a_clock_that_jumps_moves_no_deadline(place, store):
    clock = Clock(place)
    settings = {"store": store.where, "environment": clock.environment}
    undecided = VIRTUAL + "\tanswer_within_ms = 0;\n\tbacklog_batch = 0;\n"
    with Operator(place, "slow", operator=undecided + "\tdeadline_s = 60;\n", **settings) as slow, \
            Operator(place, "brief", operator=undecided + "\tdeadline_s = 2;\n", **settings) as brief:
        sims = Fleet(place, slow, 400)
        bodies = sims.bodies(10)

        def post(operator):
            # Each of a SIM of its own: what is decided first is not what was asked first.
            answer = operator.request("POST", POST, bodies.pop()).json
            same(answer["status"], "PENDING")
            return answer

        def get(operator, answer, query=""):
            return operator.request("GET", f"{POST}/{answer['verificationId']}{query}").json

        asked = [post(slow)]
        for shift in (HOUR, -HOUR):
            clock.set(shift)
            for answer in asked:
                same(get(slow, answer), answer, f"clock at {shift}")
            asked.append(post(slow))

        # What expires does so after its time, whatever the wall clock says of it.
        for shift in (HOUR, -HOUR):
            clock.set(0)
            began = time.monotonic()
            answer = post(brief)
            clock.set(shift)
            same(get(brief, answer), answer, f"expires early at {shift}")
            said = get(brief, answer, "?wait=10")
            took = time.monotonic() - began
            same((said["status"], said["reason"]), ("EXPIRED", "DEADLINE"), f"clock at {shift}")
            holds(1.9 < took < 8, f"after {took:.1f} s at {shift}")
        for answer in asked:
            same(get(slow, answer)["status"], "PENDING", "the others have their own deadlines")

        # Who decides does so by the same clock, and does not stop.
        with Operator(place, "quick", operator=VIRTUAL, **settings) as quick:
            for answer in asked:
                same(get(slow, answer, "?wait=10")["status"], "VERIFIED")
            clients = Clients([quick], sims.bodies(400))
            clients.go()
            for shift in (HOUR, -HOUR, 0, HOUR):
                there = len(clients.told) + 80
                wait_for(lambda n=there: len(clients.told) >= n, "answers")
                clock.set(shift)
            all_verified(clients.join())
            same(set(clients.outcomes()), {"200 VERIFIED"})
            nothing_lost(store, [clients])
            whole_log(quick)


if __name__ == "__main__":
    if sys.argv[1:] == ["small-disk"]:
        small_disk()
        sys.exit(0)
    sys.exit(run([
        a_full_disk_is_503_and_passes, a_file_locked_by_another_process_is_waited_for_or_503,
        a_subscriber_locked_by_another_is_pending_and_nobody_waits_for_her, a_server_that_goes_and_comes_back_loses_nothing,
        killed_under_load_it_has_all_that_it_said, ended_under_load_it_answers_all_that_it_took_in,
        of_64_clients_with_one_token_one_has_a_yes, a_clock_that_jumps_moves_no_deadline]))
