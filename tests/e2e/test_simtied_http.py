#!/usr/bin/env python3
"""What simtied makes of bytes that no good client sends, of slow ones, and of its own end."""

import base64
import http.client
import os
import pathlib
import re
import signal
import socket
import sqlite3
import ssl
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from simtied import Operator, Place, message, read_reply, read_to_end, wait_for
from tap import holds, note, run, same

PATH = "/v1/verifications/AAAAAAAAAAAAAAAAAAAAAA"
POST = "/v1/verifications"
SLOW = 5.0  # idle_ms, by default


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


BODY = {"phoneNumber": "+49301234567", "nonce": base64url(bytes(16)), "attestation": base64url(bytes(200))}


def replies_to(operator, *pieces, **where):
    """All that comes back for these bytes until the peer closes."""
    with operator.connect(**where) as wire:
        for piece in pieces:
            wire.sendall(piece)
        return read_to_end(wire)


def statuses(data):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", data)]


def errors_have_camaras_form_and_the_correlator():
    with Place() as place, Operator(place) as operator:
        correlator = "a-Z0_:;./<>{}" + "x" * 243
        for method, path, body, headers, status, code in (
                ("GET", "/nothing", None, {}, 404, "NOT_FOUND"),
                ("GET", POST, None, {}, 405, "METHOD_NOT_ALLOWED"),
                ("BREW", POST, None, {}, 405, "METHOD_NOT_ALLOWED"),
                ("POST", POST, b"{}", {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
                ("POST", POST, b"{}", {"Content-Type": None}, 415, "UNSUPPORTED_MEDIA_TYPE"),
                ("POST", POST, b"{}", {"Content-Encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
                ("POST", POST, b"{", {}, 400, "INVALID_ARGUMENT"),
                ("POST", POST, {**BODY, "more": 1}, {}, 400, "INVALID_ARGUMENT"),
                ("GET", PATH + "?wait=x", None, {}, 400, "INVALID_ARGUMENT"),
                ("GET", PATH + "?" + "a" * 129, None, {}, 400, "INVALID_ARGUMENT"),
                ("POST", POST, BODY, {"Idempotency-Key": "k" * 65}, 400, "INVALID_ARGUMENT")):
            sends = method + " " + path[:40]
            reply = operator.request(method, path, body, {**headers, "x-correlator": correlator})
            same((reply.status, reply.json["status"], reply.code), (status, status, code), sends)
            same(set(reply.json), {"status", "code", "message"}, sends)
            same(reply.headers.get("content-type"), "application/json", sends)
            if "Content-Encoding" not in headers:
                same(reply.headers.get("x-correlator"), correlator, sends)
        same(operator.request("GET", POST).headers["allow"], "POST")
        for wrong in ("x" * 257, "a b", "a\xe9", "a\"", "(a)"):
            reply = operator.request("GET", PATH, headers={"x-correlator": wrong})
            same((reply.status, reply.code, reply.headers.get("x-correlator")), (400, "INVALID_ARGUMENT", None), wrong)
        head = operator.connect()
        with head:
            head.sendall(message("HEAD", "/healthz", headers={"Connection": "close"}))
            same(read_to_end(head).split(b"\r\n\r\n")[1], b"")


def fields_are_named():
    with Place() as place, Operator(place) as operator:
        for body, name in ((b'{"nonce":"a","nonce":"b"}', "nonce"), (b'{"nonce":"\xff"}', "nonce"),
                           (b'{"attestation":' + b"[" * 40 + b"]" * 40 + b"}", "attestation"),
                           (b'{"phoneNumber":49}', "phoneNumber"), (b'{"other":1}', "other")):
            reply = operator.request("POST", POST, body)
            same((reply.status, reply.code), (400, "INVALID_ARGUMENT"), name)
            holds(name in reply.json["message"], reply.json["message"])


def sizes_are_bounded():
    with Place() as place, Operator(place) as operator:
        at_most = b"{" + b" " * (16384 - 2) + b"}"
        same(operator.request("POST", POST, at_most).status, 400)
        for pieces in (
                [message("POST", POST, at_most + b" ")],
                # The length alone is enough: nobody waits for what was announced.
                [message("POST", POST, b"", {"Content-Length": 16385, "Content-Type": "application/json"})],
                [message("POST", POST, b"", {"Content-Length": 999999999999, "Content-Type": "application/json"})],
                [message("POST", POST, headers={"Transfer-Encoding": "chunked", "Content-Type": "application/json"}),
                 b"4001\r\n"],
                [message("POST", POST, headers={"Transfer-Encoding": "chunked", "Content-Type": "application/json"}),
                 b"3fff\r\n" + b" " * 16383 + b"\r\n2\r\n"]):
            data = replies_to(operator, *pieces)
            same(statuses(data), [413], str(pieces)[:80])
            holds(b"PAYLOAD_TOO_LARGE" in data, data)
        for pieces in ([b"GET /" + b"a" * 9000], [b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 9000],
                       [b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100 + b"\r\n"]):
            same(statuses(replies_to(operator, *pieces)), [431])
        # Sizes of chunks and trailers that do not end.
        chunked = message("POST", POST, headers={"Transfer-Encoding": "chunked", "Content-Type": "application/json"})
        same(statuses(replies_to(operator, chunked, b"1;" + b"x" * 2000)), [431])
        same(statuses(replies_to(operator, chunked, b"0\r\n" + b"a: b\r\n" * 1000)), [431])
        same(operator.request("POST", POST, at_most).status, 400, "and on")


def a_chunked_body_is_a_body():
    with Place() as place, Operator(place) as operator, operator.connect() as wire:
        head = message("POST", POST, headers={"Transfer-Encoding": "chunked", "Content-Type": "application/json"})
        for byte in head + b'8\r\n{"other"\r\n3;x=y\r\n:1}\r\n0\r\nA: b\r\n\r\n':
            wire.sendall(bytes([byte]))
        reply = read_reply(wire)
        same((reply.status, reply.json["message"]), (400, "other is not known here"))


def what_can_be_read_in_two_ways_is_refused():
    smuggled = message("GET", "/healthz")
    with Place() as place, Operator(place) as operator:
        for head in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                     b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                     b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: 5\r\nContent-Length: 5\r\n",
                     b"Content-Length: +5\r\n", b"Content-Length : 5\r\n", b"Content-Length: 5\r\n ,6\r\n",
                     b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                     b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
                     b"Transfer-Encoding:\r\n chunked\r\n", b"A: b\nContent-Length: 5\r\n", b"A: b\rC: d\r\n",
                     b"Host: other\r\n", b"A\x00: b\r\n"):
            data = replies_to(operator, b"POST /v1/verifications HTTP/1.1\r\nHost: x\r\n"
                              b"Content-Type: application/json\r\n" + head + b"\r\n0\r\n\r\n" + smuggled)
            found = statuses(data)
            holds(len(found) == 1 and found[0] in (400, 501), f"{head}: {data[:300]}")
        # A GET with a body: its bytes are a body, never a request.
        with operator.connect() as wire:
            wire.sendall(message("GET", PATH, smuggled) + message("GET", "/nothing", headers={"Connection": "close"}))
            same(statuses(read_to_end(wire)), [404, 404])
        for first in (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
                      b"GET / HTTP/1.1\nHost: x\n\n", b"\r\n\r\n", b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n"):
            found = statuses(replies_to(operator, first + smuggled))
            holds(len(found) == 1 and found[0] in (400, 505), f"{first}: {found}")


def pipelined_requests_are_answered_in_order():
    with Place() as place, Operator(place) as operator, operator.connect() as wire:
        count = 300
        sent = b"".join(message("GET", PATH if i % 3 else "/nothing", headers={"x-correlator": str(i)})
                        if i % 2 else message("POST", POST, {"other": i}, {"x-correlator": str(i)})
                        for i in range(count))
        sender = threading.Thread(target=wire.sendall, args=(sent,))
        sender.start()
        for i in range(count):
            reply = read_reply(wire)
            same((reply.headers["x-correlator"], reply.status), (str(i), 404 if i % 2 else 400))
        sender.join()


def a_client_that_has_said_all_still_gets_its_answer():
    with Place() as place, Operator(place) as operator:
        wire = operator.connect()
        with wire:
            wire.sendall(message("GET", PATH))
            socket.socket.shutdown(wire, socket.SHUT_WR)
            holds(statuses(read_to_end(wire)) == [404], "an answer")


def continue_is_said_when_the_body_is_wanted():
    with Place() as place, Operator(place) as operator:
        body = b'{"other":1}'
        expect = {"Expect": "100-continue", "Content-Type": "application/json", "Content-Length": len(body)}
        with operator.connect() as wire:
            wire.sendall(message("POST", POST, headers=expect))
            same(wire.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            wire.sendall(body)
            same(read_reply(wire).status, 400)
        for path, status in (("/nothing", 404), (POST, 413)):
            headers = {**expect, "Content-Length": 20000} if status == 413 else expect
            data = replies_to(operator, message("POST", path, headers=headers))
            same(statuses(data), [status], path)


def how_long(wire, piece=b"", every=0.0, bound=30.0):
    """Seconds until the peer closes, while `piece` is sent again and again; and what it said."""
    start, said = time.monotonic(), b""
    wire.settimeout(every or bound)
    while time.monotonic() - start < bound:
        try:
            if every:
                wire.sendall(piece)
            got = wire.recv(65536)
            if not got:
                break
            said += got
        except TimeoutError:
            continue
        except (ConnectionError, ssl.SSLError, OSError):
            break
    return time.monotonic() - start, said


def slow_clients_lose():
    """All at the same time: each has its five seconds from its first byte, however busy it is."""
    with Place() as place, Operator(place) as operator:
        chunked = message("POST", POST, headers={"Transfer-Encoding": "chunked", "Content-Type": "application/json"})
        announced = message("POST", POST, headers={"Content-Length": 1000, "Content-Type": "application/json"})
        cases = {
            "says nothing": (b"", b"", 0.0),
            "a header a byte at a time": (b"GET /", b"a", 0.2),
            "a body a byte at a time": (announced, b" ", 0.2),
            "chunks of a byte": (chunked, b"1\r\n \r\n", 0.2),
            "trailers without end": (chunked + b"0\r\n", b"a: b\r\n", 0.2),
            "half a body": (announced + b"{", b"", 0.0),
        }
        found = {}

        def play(name, first, piece, every):
            with operator.connect() as wire:
                if first:
                    wire.sendall(first)
                found[name] = how_long(wire, piece, every)

        def raw(name, first, piece, every):
            with socket.create_connection(("127.0.0.1", operator.port)) as wire:
                wire.sendall(first)
                found[name] = how_long(wire, piece, every)

        threads = [threading.Thread(target=play, args=(name, *case)) for name, case in cases.items()]
        # A handshake that stalls, from its first byte and in the middle of its first message.
        threads += [threading.Thread(target=raw, args=("no handshake", b"", b"", 0.0)),
                    threading.Thread(target=raw, args=("half a handshake", b"\x16\x03\x01\x02\x00\x01", b"\0", 0.3))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        same(len(found), len(threads))
        for name, (seconds, said) in found.items():
            holds(SLOW - 0.2 <= seconds <= SLOW + 2.0, f"{name}: {seconds:.2f} s")
            if name in cases and name != "says nothing":
                same(statuses(said), [408], name)


def who_does_not_read_is_dropped():
    with Place() as place, Operator(place, limits="idle_ms = 500; rate = 0;") as operator:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        raw.connect(("127.0.0.1", operator.port))
        with operator.context(place.messenger()).wrap_socket(raw, server_hostname="localhost") as wire:
            wire.settimeout(20)
            start, before = time.monotonic(), operator.memory()
            try:
                while time.monotonic() - start < 20:
                    wire.sendall(message("GET", "/metrics") * 50)
            except (ConnectionError, ssl.SSLError, TimeoutError, OSError):
                pass
            holds(time.monotonic() - start < 15, "it goes on")
            holds(operator.memory() - before < (4 << 20) or operator.sanitized(), "and its answers are not kept")
        same(operator.request("GET", PATH).status, 404)


def quotas_are_each_clients_own():
    with Place() as place, Operator(place, limits="rate = 2; burst = 5;") as operator:
        with operator.connect() as wire:
            found = []
            for _ in range(7):
                wire.sendall(message("POST", POST, {"other": 1}))
                found.append(read_reply(wire))
            same([reply.status for reply in found], [400] * 5 + [429] * 2)
            same((found[-1].code, found[-1].headers["retry-after"]), ("TOO_MANY_REQUESTS", "1"))
            # Others are not concerned, the same by another connection is.
            same(operator.request("GET", PATH).status, 429)
            holds(operator.request("GET", PATH, pair=place.pair("admin")).status == 403, "another client")
            time.sleep(1.2)
            same(operator.request("GET", PATH).status, 404)
        with operator.connect(pair=None, public=True) as wire:
            found = []
            for _ in range(6):
                wire.sendall(message("GET", "/nothing"))
                found.append(read_reply(wire).status)
        same(found, [404] * 5 + [429], "by address")


def connections_are_bounded():
    with Place() as place, Operator(place, limits="connections_max = 8; idle_ms = 2000;") as operator:
        wires = [operator.connect() for _ in range(8)]
        try:
            with socket.create_connection(("127.0.0.1", operator.port)) as more:
                more.settimeout(5)
                same(read_to_end(more), b"", "the ninth")
            for wire in wires[:3]:
                wire.sendall(message("GET", PATH))
                same(read_reply(wire).status, 404)
        finally:
            for wire in wires:
                wire.close()
        wait_for(lambda: can_ask(operator), "room again")
        # Those whom nobody knows have half of it.
        public = [operator.connect(pair=None, public=True) for _ in range(4)]
        with socket.create_connection(("127.0.0.1", operator.public_port)) as more:
            same(read_to_end(more), b"", "the fifth")
        same(operator.request("GET", PATH).status, 404)
        for wire in public:
            wire.close()


def can_ask(operator):
    try:
        return operator.request("GET", PATH).status == 404
    except (OSError, ssl.SSLError):
        return False


def store_locked(place):
    """The operator's SQLite, held by somebody else."""
    other = sqlite3.connect(place.path / "operator.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


def a_locked_store_is_503_and_passes():
    with Place() as place, Operator(place) as operator:
        other = store_locked(place)
        reply = operator.request("POST", POST, BODY)
        same((reply.status, reply.code), (503, "UNAVAILABLE"))
        holds(int(reply.headers["retry-after"]) >= 1, "Retry-After")
        same(operator.request("GET", "/healthz").status, 200, "alive")
        other.rollback()
        same(operator.request("POST", POST, BODY).status, 200)


def a_full_queue_is_503():
    with Place() as place, Operator(place, engine="queue_max = 2; workers = 1; batch_max = 1;") as operator:
        other = store_locked(place)
        wires = [operator.connect() for _ in range(8)]
        for wire in wires:
            wire.sendall(message("POST", POST, BODY))
        wait_for(lambda: "503" in operator.request("GET", "/metrics").body.decode(), "refusals")
        other.rollback()
        found = [read_reply(wire) for wire in wires]
        for wire in wires:
            wire.close()
        holds({reply.status for reply in found} == {200, 503}, str(found))
        for reply in found:
            if reply.status == 503:
                holds(int(reply.headers["retry-after"]) >= 1, "Retry-After")


def pending(place, operator):
    """A verification that stays pending: the request stood in the queue longer than it may."""
    other = store_locked(place)
    with operator.connect() as wire:
        nonce = os.urandom(32)
        wire.sendall(message("POST", POST, {**BODY, "nonce": base64url(nonce),
                                            "attestation": base64url(place.attestation(nonce))}))
        time.sleep(0.15)
        other.rollback()
        reply = read_reply(wire)
    other.close()
    same((reply.status, reply.json["status"]), (202, "PENDING"))
    return reply.headers["location"]


def long_polls_are_not_idle():
    with Place() as place, Operator(place, operator="answer_within_ms = 1; backlog_batch = 0; allow_virtual = true;") as operator:
        location = pending(place, operator)
        start = time.monotonic()
        same(operator.request("GET", location).json["status"], "PENDING")
        holds(time.monotonic() - start < 2, "without wait at once")
        with operator.connect() as wire:
            start = time.monotonic()
            wire.sendall(message("GET", location + "?wait=7"))
            reply = read_reply(wire)
            seconds = time.monotonic() - start
            same((reply.status, reply.json["status"]), (202, "PENDING"))
            holds(6.9 <= seconds <= 9, f"{seconds} s")
            wire.sendall(message("GET", location))
            same(read_reply(wire).json["status"], "PENDING", "the connection goes on")
        # One whose client has gone is forgotten.
        wire = operator.connect()
        wire.sendall(message("GET", location + "?wait=1"))
        wire.close()
        time.sleep(1.5)
        holds("simtied_long_polls 0" in operator.request("GET", "/metrics").body.decode(), "held polls")


def the_end_answers_long_polls_and_closes_idle_connections():
    with Place() as place, Operator(place, operator="answer_within_ms = 1; backlog_batch = 0; allow_virtual = true;") as operator:
        location = pending(place, operator)
        with operator.connect() as idle, operator.connect() as polls, operator.connect() as late:
            polls.sendall(message("GET", location + "?wait=30"))
            late.sendall(message("POST", POST, BODY)[:-10])
            wait_for(lambda: "simtied_long_polls 1" in operator.request("GET", "/metrics").body.decode(), "the poll")
            start = time.monotonic()
            operator.process.send_signal(signal.SIGTERM)
            same(read_to_end(idle), b"")
            reply = read_reply(polls)
            same((reply.json["status"], reply.headers["connection"]), ("PENDING", "close"))
            try:
                socket.create_connection(("127.0.0.1", operator.port)).close()
                raise AssertionError("it takes new connections")
            except ConnectionRefusedError:
                pass
            # What was begun may be ended.
            late.sendall(message("POST", POST, BODY)[-10:])
            reply = read_reply(late)
            same((reply.status, reply.headers["connection"]), (200, "close"))
            operator.ended()
            holds(time.monotonic() - start < 10, "it takes long")


def what_was_acknowledged_under_load_is_there_after_the_end():
    with Place() as place, Operator(place, limits="rate = 0;", operator="refusal_ms = 0;") as operator:
        acknowledged, stop = [], threading.Event()

        def ask(thread):
            number = 0
            try:
                with operator.connect() as wire:
                    while not stop.is_set():
                        number += 1
                        body = {**BODY, "nonce": base64url(os.urandom(16))}
                        wire.sendall(message("POST", POST, body, {"x-correlator": f"{thread}-{number}"}))
                        reply = read_reply(wire)
                        same((reply.status, reply.headers["x-correlator"]), (200, f"{thread}-{number}"))
                        acknowledged.append(reply.json["verificationId"])
            except (ConnectionError, ssl.SSLError, OSError, http.client.HTTPException):
                pass  # the daemon has gone

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(acknowledged) > 300, "some load")
        operator.end()
        stop.set()
        for thread in threads:
            thread.join()
        store = sqlite3.connect(place.path / "operator.db")
        there = {base64url(row[0]) for row in store.execute("SELECT id FROM verifications")}
        same(set(acknowledged) - there, set(), "acknowledged and lost")
        same(len(set(acknowledged)), len(acknowledged))


def a_refusal_is_held_back_from_when_the_body_is_there():
    """Else who sends the head first and the body later is told when the operator knew."""
    held = 0.6
    with Place() as place, Operator(place, operator=f"\trefusal_ms = {int(held * 1000)};\n") as operator, \
            operator.connect() as wire:
        head, body = message("POST", POST, BODY).split(b"\r\n\r\n")
        wire.sendall(head + b"\r\n\r\n")
        time.sleep(held)
        began = time.monotonic()
        wire.sendall(body)
        same(read_reply(wire).json["status"], "NOT_VERIFIED")
        holds(time.monotonic() - began >= held - 0.01, "it was not held back")


def a_daemon_that_idles_is_small():
    with Place() as place, Operator(place) as operator:
        same(operator.request("GET", PATH).status, 404)
        before = operator.memory()
        holds(before <= 20 << 20 or operator.sanitized(), f"{before} bytes resident")
        wires = [operator.connect() for _ in range(200)]
        for wire in wires:
            wire.sendall(message("POST", POST, {"other": "x" * 15000}))
        for wire in wires:
            read_reply(wire)
        each = (operator.memory() - before) // len(wires)
        for wire in wires:
            wire.close()
        note(f"idle: {before} bytes resident, {each} more for each connection")
        holds(each <= 64 << 10 or operator.sanitized(), f"{each} bytes each")


if __name__ == "__main__":
    sys.exit(run([
        errors_have_camaras_form_and_the_correlator, fields_are_named, sizes_are_bounded, a_chunked_body_is_a_body,
        what_can_be_read_in_two_ways_is_refused, pipelined_requests_are_answered_in_order,
        a_client_that_has_said_all_still_gets_its_answer, continue_is_said_when_the_body_is_wanted,
        slow_clients_lose, who_does_not_read_is_dropped, quotas_are_each_clients_own, connections_are_bounded,
        a_locked_store_is_503_and_passes, a_full_queue_is_503, long_polls_are_not_idle,
        the_end_answers_long_polls_and_closes_idle_connections,
        what_was_acknowledged_under_load_is_there_after_the_end,
        a_refusal_is_held_back_from_when_the_body_is_there, a_daemon_that_idles_is_small]))
