#!/usr/bin/env python3
"""Notices from a running operator to messengers that fail, hang, refuse, and take it at last: one, in effect."""

import contextlib
import math
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import fleet
from fleet import VIRTUAL, Clock, Fleet, Sqlite, on_each_store
from receiver import DROP, HANG, Receiver
from simtied import OPERATOR, Operator, Place, simtied, wait_for
from tap import holds, run, same

CHAT, MAIL, SLOW, FAKE = "chat.example", "mail.example", "slow.example", "fake.example"
FIRST, TICK = 4, 1  # seconds: the first try waits at most so long, and the task so long between two looks
QUEUED, DELIVERED, GIVEN_UP = 1, 2, 3
DAY = 86400


class Scene:
    """An operator with a subscriber who is registered at messengers, each with a receiver."""

    def __init__(self, stack, messengers, place=None, store=None, tls=""):
        self.place = place or stack.enter_context(
            Place(*(word for name in messengers for word in ("--messenger", name))))
        self.store = store or Sqlite(self.place)
        self.clock, self.shift = Clock(self.place), 0
        self.signer = self.place.pki / "operators" / OPERATOR / "signer.pem"
        ca = self.place.pki / "ca.pem"
        self.receivers = {name: stack.enter_context(Receiver(self.pair(name), ca)) for name in messengers}
        self.operator = stack.enter_context(Operator(
            self.place, store=self.store.where, operator=VIRTUAL, environment=self.clock.environment, tls=tls,
            notify={name: receiver.url for name, receiver in self.receivers.items()}))
        self.sims = sims = Fleet(self.place, self.operator, 1)
        self.registrations = {}
        for name in messengers:
            pair = self.place.messenger(name)
            answer = self.operator.request("POST", "/v1/verifications", sims.bodies(1, name)[0], pair=pair).json
            same(answer["status"], "VERIFIED")
            self.registrations[name] = answer["verificationId"]
            path = f"/v1/registrations/{answer['verificationId']}"
            same(self.operator.request("PUT", path, {"identificationCode": name}, pair=pair).status, 201)

    def pair(self, name):
        if name != FAKE:
            return self.place.messenger(name)
        # Whoever has its address and not its certificate.
        self.place.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                           "-keyout", "fake.key", "-out", "fake.pem")
        return self.place.path / "fake.pem", self.place.path / "fake.key"

    def event(self, **body):
        reply = self.operator.request("POST", f"/v1/admin/subscribers/{fleet.number(0)}/events", body,
                                      pair=self.place.pair("admin"))
        same((reply.status, reply.json["notices"]), (200, len(self.receivers)))

    def later(self, seconds):
        """Moves the operator's wall clock on, in whole seconds."""
        self.shift += math.ceil(seconds)
        self.clock.set(self.shift)

    def now_ms(self):
        return (time.time() + self.shift) * 1000

    def only(self, *columns):
        """These columns of the one notice that there is."""
        (row,) = self.store.rows(f"SELECT {', '.join(columns)} FROM outbox")
        return row

    def only_of(self, name, *columns):
        """The same of the one that is not delivered, which is this messenger's."""
        holds(name in self.stuck(), self.stuck())
        (row,) = self.store.rows(f"SELECT {', '.join(columns)} FROM outbox WHERE state = {QUEUED}")
        return row

    def given_up(self):
        """As the metrics have it."""
        found = re.search(r'simtied_notices_total\{outcome="given_up"\} (\d+)',
                          self.operator.request("GET", "/metrics").body.decode())
        return int(found[1]) if found else 0

    def stuck(self):
        return simtied("operator", "outbox", "--config", self.operator.config)[0]

    def come(self, name, count):
        wait_for(lambda: len(self.receivers[name].notices) >= count, f"notice {count} of {name}")
        return self.receivers[name].notices[count - 1]

    def is_this(self, notice, name, event):
        """A notice to this messenger, in every part that it has."""
        same(notice.type, "application/secevent+jwt")
        holds(f"urn:x-simtie:operator:{OPERATOR}" in notice.peer, f"who sent it: {notice.peer}")
        same((notice.header["alg"], notice.header["typ"]), ("ES256", "secevent+jwt"))
        holds(notice.id not in self.registrations.values(), "an id of its own")
        holds(notice.signed_by(self.signer), "openssl does not find the operator's signature")
        same({key: value for key, value in notice.claims.items() if key not in ("jti", "iat")}, {
            "iss": OPERATOR, "aud": name, "sub_id": {"format": "opaque", "id": self.registrations[name]},
            "events": {f"urn:x-simtie:event:{event}": {}}})
        holds(abs(notice.claims["iat"] * 1000 - self.now_ms()) < 60000, f"issued at {notice.claims['iat']}")
        holds(fleet.number(0)[1:] not in notice.text, "a number")


def is_quiet(scene, name, count):
    """Over two looks of the task nothing more comes."""
    looks = time.monotonic() + 2.2 * TICK
    while time.monotonic() < looks:
        same(len(scene.receivers[name].notices), count, f"notices to {name}")
        time.sleep(0.05)


def a_notice_is_sent_again_until_it_is_taken_and_then_no_more():
    with contextlib.ExitStack() as stack:
        scene = Scene(stack, [CHAT])
        chat = scene.receivers[CHAT]
        chat.answers = [500, DROP, 302, 404, 503, 202]
        began = scene.now_ms()
        scene.event(event="SIM_SWAPPED")
        due, created = scene.only("due_at", "created_at")
        holds(0 <= due - created < FIRST * 1000, "the first try comes within seconds")
        for tries in range(1, 6):
            before = scene.now_ms()
            notice = scene.come(CHAT, tries)
            wait_for(lambda n=tries: scene.only("attempts") == (n,), f"try {tries} settled")
            state, due, expires, claimed = scene.only("state", "due_at", "expires_at", "claimed_until")
            same((state, claimed), (QUEUED, 0))
            pause = 1000 * 2 ** (tries - 1)
            holds(before + pause / 2 <= due <= scene.now_ms() + 1.5 * pause,
                  f"try {tries}: {due - before} ms until the next")
            same(expires, scene.only("created_at")[0] + DAY * 1000)
            scene.is_this(notice, CHAT, "SIM_SWAPPED")
            same(notice.id, chat.notices[0].id, f"try {tries}")
            if chat.answers == [202]:
                # Much later it is at most a quarter of an hour and half of it again.
                scene.store.run("UPDATE outbox SET attempts = 30")
                chat.answers = [500, 202]
                scene.later(pause / 1000 * 2)
                scene.come(CHAT, 6)
                wait_for(lambda: scene.only("attempts") == (31,), "the late one")
                due = scene.only("due_at")[0] - scene.now_ms()
                holds(448e3 <= due <= 1350e3, f"{due} ms after many tries")
                scene.later(1350)
            else:
                scene.later(max(0.0, (due - scene.now_ms()) / 1000))
        scene.come(CHAT, 7)
        wait_for(lambda: scene.only("state") == (DELIVERED,), "delivery")
        same({notice.id for notice in chat.notices}, {chat.notices[0].id})
        holds(scene.now_ms() - began < DAY * 1000, "in time")
        scene.later(2000)
        is_quiet(scene, CHAT, 7)
        same(scene.stuck(), "nothing: every notice was delivered\n")


def messengers_do_not_wait_for_one_another_and_an_impostor_gets_nothing():
    with contextlib.ExitStack() as stack:
        scene = Scene(stack, [CHAT, MAIL, SLOW, FAKE])
        scene.receivers[SLOW].answers = [HANG, 202]
        scene.receivers[CHAT].answers = [200]
        began = time.monotonic()
        scene.event(event="SUSPENDED")
        notices = [scene.come(name, 1) for name in (CHAT, MAIL, SLOW)]
        holds(time.monotonic() - began < FIRST + 3 * TICK, "one that hangs holds up the others")
        for notice, name in zip(notices, (CHAT, MAIL, SLOW)):
            scene.is_this(notice, name, "SUSPENDED")
        same(len({notice.id for notice in notices}), 3, "no two messengers see one id")
        wait_for(lambda: scene.receivers[FAKE].handshakes_failed, "the impostor's handshake")
        wait_for(lambda: len(scene.stuck().splitlines()) == 2 and "no answer in time" in scene.stuck(), "what is stuck")
        holds(any(FAKE in line and "certificate" in line for line in scene.stuck().splitlines()), scene.stuck())
        scene.later(10)
        same(scene.come(SLOW, 2).id, notices[2].id)
        wait_for(lambda: len(scene.stuck().splitlines()) == 1, "what was slow is delivered")
        same(scene.receivers[FAKE].notices, [])
        same([len(scene.receivers[name].notices) for name in (CHAT, MAIL)], [1, 1])
        # A clock that is a day ahead ends nothing; nor do many tries alone.
        scene.later(DAY)
        (tries,) = scene.only_of(FAKE, "attempts")
        wait_for(lambda: scene.only_of(FAKE, "attempts") > (tries,), "one more try")
        same(scene.given_up(), 0)
        # After a day and its tries it is given up, counted, and stays on the list.
        scene.store.run("UPDATE outbox SET attempts = 89 WHERE state = 1")
        scene.later(1350)
        wait_for(lambda: scene.store.rows("SELECT COUNT(*) FROM outbox WHERE state = 3") == [(1,)], "the end")
        wait_for(lambda: scene.given_up() == 1, "the metric")
        holds("given up" in scene.stuck() and FAKE in scene.stuck(), scene.stuck())


def what_waits_for_one_messenger_keeps_no_others_from_their_turn():
    """More for one that hangs than may be under way at a time, all due before the other's."""
    with contextlib.ExitStack() as stack:
        scene = Scene(stack, [CHAT, SLOW])
        scene.receivers[SLOW].answers = [HANG]
        pair = scene.place.messenger(CHAT)
        path = f"/v1/registrations/{scene.registrations[CHAT]}"
        same(scene.operator.request("DELETE", path, pair=pair).status, 204)
        path = f"/v1/admin/subscribers/{fleet.number(0)}/events"
        for word in ("SUSPENDED", "RESUMED") * 60:
            reply = scene.operator.request("POST", path, {"event": word}, pair=scene.place.pair("admin"))
            same((reply.status, reply.json["notices"]), (200, 1))
        wait_for(lambda: scene.receivers[SLOW].notices, "the one that hangs")
        answer = scene.operator.request("POST", "/v1/verifications", scene.sims.bodies(1, CHAT)[0], pair=pair).json
        same(answer["status"], "VERIFIED")
        scene.registrations[CHAT] = answer["verificationId"]
        path = f"/v1/registrations/{answer['verificationId']}"
        same(scene.operator.request("PUT", path, {"identificationCode": CHAT}, pair=pair).status, 201)
        began = time.monotonic()
        scene.event(event="SIM_SWAPPED")
        scene.is_this(scene.come(CHAT, 1), CHAT, "SIM_SWAPPED")
        holds(time.monotonic() - began < FIRST + 3 * TICK, "it waited for the other's")


@on_each_store
def killed_between_sending_and_settling_it_sends_the_same_again(place, store):
    with contextlib.ExitStack() as stack:
        scene = Scene(stack, [CHAT], place, store)
        chat = scene.receivers[CHAT]
        chat.before = lambda _: scene.operator.kill()
        scene.event(event="TERMINATED")
        first = scene.come(CHAT, 1)
        scene.operator.process.wait(10)
        chat.before = lambda _: None
        same(scene.only("state", "attempts"), (QUEUED, 0), "nobody wrote down what came of it")
        scene.operator.again()
        is_quiet(scene, CHAT, 1)  # who has it in hand may be alive still
        scene.later(61)
        again = scene.come(CHAT, 2)
        same(again.id, first.id)
        scene.is_this(again, CHAT, "TERMINATED")
        wait_for(lambda: scene.only("state") == (DELIVERED,), "delivery")


def ended_while_a_messenger_hangs_it_keeps_the_notice():
    with contextlib.ExitStack() as stack:
        scene = Scene(stack, [CHAT])
        chat = scene.receivers[CHAT]
        chat.answers = [HANG, 202]
        scene.event(event="PORTED_OUT")
        first = scene.come(CHAT, 1)
        scene.operator.end()
        same(scene.only("state"), (QUEUED,))
        scene.operator.again()
        # The clock set back an hour, what is due in more than an hour counts as due.
        scene.later(-3600)
        same(scene.come(CHAT, 2).id, first.id)
        wait_for(lambda: scene.only("state") == (DELIVERED,), "delivery")


def a_server_that_is_revoked_gets_nothing():
    """By the list for servers, which is read anew as the one for clients is, and must not be out of date."""
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(Place("--messenger", CHAT))
        servers = place.path / "servers-crl.pem"

        def publish(*dates):
            place.openssl("ca", "-config", "ca.cnf", "-cert", place.pki / "ca.pem", "-keyfile", place.pki / "ca.key",
                          "-gencrl", *(dates or ("-crldays", 2)), "-out", servers)

        place.revoke()
        publish()
        scene = Scene(stack, [CHAT], place,
                      tls=f'\tserver_ca = "{place.pki}/ca.pem";\n\tserver_crl = "{servers}";\n')
        chat = scene.receivers[CHAT]
        scene.event(event="SUSPENDED")
        scene.come(CHAT, 1)
        wait_for(lambda: scene.only("state") == (DELIVERED,), "delivery")
        # Revoked, but by another list: clients' alone says so.
        place.revoke(place.messenger(CHAT)[0])
        scene.operator.reload()
        scene.event(event="RESUMED")
        scene.come(CHAT, 2)
        publish()
        scene.operator.reload()
        scene.event(event="SUSPENDED")
        wait_for(lambda: "its certificate is revoked" in scene.stuck(), "the refusal")
        publish("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z")
        scene.operator.reload()
        wait_for(lambda: "out of date" in scene.stuck(), "the refusal of all")
        holds(f"{servers}: is out of date" in scene.operator.said(), scene.operator.said())
        same(len(chat.notices), 2)
        place.revoke()
        publish()
        scene.operator.reload()
        scene.later(1350)
        scene.come(CHAT, 3)


if __name__ == "__main__":
    sys.exit(run([
        a_notice_is_sent_again_until_it_is_taken_and_then_no_more,
        messengers_do_not_wait_for_one_another_and_an_impostor_gets_nothing,
        what_waits_for_one_messenger_keeps_no_others_from_their_turn,
        killed_between_sending_and_settling_it_sends_the_same_again,
        ended_while_a_messenger_hangs_it_keeps_the_notice,
        a_server_that_is_revoked_gets_nothing]))
