#!/usr/bin/env python3
"""Status lists as anybody gets them: each made once a tick for all daemons, and no more than there is time for."""

import base64
import functools
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from fleet import VIRTUAL, on_each_store
from simtied import Operator
from tap import holds, note, run, same

TICK = 3600
HOURLY = VIRTUAL + f" status_tick_s = {TICK};"
ANYBODY = {"pair": None, "public": True}


def within_a_tick(test):
    """Once more when the clock struck meanwhile."""
    @functools.wraps(test)
    def whole():
        began = time.time() // TICK
        try:
            test()
        except AssertionError:
            if time.time() // TICK == began:
                raise
            test()
    return whole


def make(store, count, size=64):
    values = ", ".join(f"({i}, {size}, 1, 1)" for i in range(1, count + 1))
    store.run(f"INSERT INTO status_lists (list, size, opened_at, full_at) VALUES {values}")


def get(daemon, number):
    return daemon.request("GET", f"/v1/status/{number}", **ANYBODY)


@within_a_tick
@on_each_store
def one_list_is_made_once_whoever_asks_where(place, store):
    with Operator(place, store=store.where, operator=HOURLY) as first:
        make(store, 20)
        texts = {}
        for number in range(1, 21):
            reply = get(first, number)
            same((reply.status, reply.headers["content-type"]), (200, "application/statuslist+jwt"))
            claims = json.loads(base64.urlsafe_b64decode(reply.body.split(b".")[1] + b"=="))
            holds(claims["sub"].endswith(f"/v1/status/{number}"), str(claims))
            texts[number] = reply.body
        for number in (0, 21, "01", "x", 10 ** 17):
            same(get(first, number).status, 404, str(number))
        for number, text in texts.items():
            same(get(first, number).body, text, "once more")
        first.end()
        first.again()
        for number, text in texts.items():
            same(get(first, number).body, text, "by another daemon")
        same(store.rows("SELECT COUNT(*) FROM status_tokens"), [(20,)])


@within_a_tick
@on_each_store
def who_asks_for_all_of_them_is_told_to_wait(place, store):
    with Operator(place, store=store.where, operator=HOURLY) as operator:
        make(store, 1000, 16777216)
        first = reply = get(operator, 1)
        asked = 1
        while reply.status == 200 and asked < 1000:
            asked += 1
            reply = get(operator, asked)
        same((reply.status, reply.code), (503, "UNAVAILABLE"), f"list {asked}")
        holds(1 <= int(reply.headers["retry-after"]) <= 60, repr(reply))
        note(f"{asked - 1} of 1000 lists made at once")
        holds(asked > 3, "too few")
        same(get(operator, 1).body, first.body, "what is made is to be had")


if __name__ == "__main__":
    sys.exit(run([one_list_is_made_once_whoever_asks_where, who_asks_for_all_of_them_is_told_to_wait]))
