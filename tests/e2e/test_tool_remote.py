#!/usr/bin/env python3
"""`simtie register` and `records` before servers that are wrong or hostile: nothing is signed, and the exit code is
honest. The server is Python's; each answer is written byte for byte.
"""

import contextlib
import json
import os
import pathlib
import ssl
import socket
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import simtied
import tap

NUMBER = "+4915112345678"
NONCE = "AAAAAAAAAAAAAAAAAAAAAA"
PLACE = simtied.Place()
SIM = PLACE.path / "card.sim"
CHALLENGE = {"registrationId": "A" * 22, "audience": "chat.example", "nonce": NONCE, "purpose": "registration",
             "operator": "mno.example", "expiresAt": "2026-11-24T10:00:00Z", "sealing": False}
DONE, REFUSED, USAGE, IO = 0, 1, 2, 4


def reply(body, status=201, length=None):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = len(text) if length is None else length
    return f"HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n".encode() + text


@contextlib.contextmanager
def server(*answers, pair=None, version=ssl.TLSVersion.TLSv1_3):
    """Gives these answers, a connection each; yields its port and the requests that came."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*(pair or PLACE.messenger()))
    context.maximum_version = version
    context.minimum_version = version
    requests = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            for answer in answers:
                with contextlib.suppress(OSError):
                    wire, _ = listener.accept()
                    with wire, context.wrap_socket(wire, server_side=True) as tls:
                        data = b""
                        while b"\r\n\r\n" not in data:
                            data += tls.recv(65536)
                        requests.append(data)
                        tls.sendall(answer)
                        tls.unwrap()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], requests
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(simtied.BOUND)


def register(port, *more, code, host="localhost", ca=None, audience=("--audience", "chat.example")):
    more = (*audience, *more) if "--audience" not in more else more
    ended = subprocess.run([simtied.SIMTIE, "register", f"https://{host}:{port}", "--number", NUMBER, "--reader",
                            f"loop:{SIM}", "--ca", ca or PLACE.pki / "ca.pem", "--json", *map(str, more)],
                           env={**os.environ, "SIMTIE_PIN": "4711"}, capture_output=True, text=True, check=False,
                           stdin=subprocess.DEVNULL, timeout=simtied.BOUND)
    tap.same(ended.returncode, code, f"{ended.stdout} {ended.stderr}")
    return (json.loads(ended.stdout) if ended.stdout else None), ended.stderr


def signed():
    out = subprocess.run([simtied.SIMTIE, "info", "--reader", f"loop:{SIM}", "--json"], capture_output=True, text=True,
                         check=True, stdin=subprocess.DEVNULL)
    return json.loads(out.stdout)["counter"]


def answers_that_are_none():
    before = signed()
    for answer in (b"", b"HTTP/1.1 201", b"HTTP/1.1 201 X\r\n\r", b"SMTP\r\n\r\n", b"HTTP/1.1 2x1 X\r\n\r\n",
                   reply(b"{}", length=3), reply(b"{}", length=1), reply(b"{}").replace(b": 2", b": two"),
                   reply(b"{}").replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n"), reply(b"{}\0"),
                   reply(b"{" * 5000), reply(b"[]"), reply(b" " * 600000), reply({}), reply(b"")):
        with server(answer) as (port, _):
            result, said = register(port, code=IO)
            tap.holds(result["error"] in ("NO_ANSWER", "UNEXPECTED"), f"{answer[:60]}: {result} {said}")
    whole = len(json.dumps(CHALLENGE))
    for length in (0, whole - 1, whole + 1):
        with server(reply(CHALLENGE, length=length)) as (port, _):
            tap.same(register(port, code=IO)[0]["error"], "NO_ANSWER", f"{length} of {whole} bytes")
    tap.same(signed(), before, "nothing is signed")


def challenges_that_are_none():
    before = signed()
    for name, value in (("audience", ""), ("audience", "x" * 65), ("audience", "ch\x1b[2Jat"), ("audience", "a\nb"), ("audience", 7), ("nonce", "AAAA"), ("nonce", "?" * 22),
                        ("nonce", "A" * 200), ("purpose", "generic"), ("purpose", None), ("sealing", True),
                        ("registrationId", ""), ("registrationId", "../../v1/me"), ("registrationId", "A\r\nX: y")):
        with server(reply({**CHALLENGE, name: value})) as (port, _):
            tap.same(register(port, code=IO)[0]["error"], "UNEXPECTED", f"{name} {value}")
    tap.same(signed(), before, "nothing is signed")


def another_audience_is_not_signed_for():
    before = signed()
    with server(reply(CHALLENGE)) as (port, _):
        tap.same(register(port, "--audience", "talk.example", code=REFUSED)[0]["error"], "WRONG_AUDIENCE")
    # Unless she says whom she means, a server may ask in its own name alone.
    for name in ("chat.example", "host", "local", "xlocalhost", "a.localhost"):
        with server(reply({**CHALLENGE, "audience": name})) as (port, _):
            tap.same(register(port, audience=(), code=REFUSED)[0]["error"], "WRONG_AUDIENCE", name)
    tap.same(signed(), before, "nothing is signed")
    with server(reply({**CHALLENGE, "audience": "localhost"}), reply({"code": "X", "message": "no"}, 400)) as (port, _):
        tap.holds("sign for localhost" in register(port, audience=(), code=REFUSED)[1], "its own name")


def what_is_shown_is_safe_for_a_terminal():
    with server(reply(CHALLENGE), reply({"code": "X", "message": "no\x1b[2J"}, 400)) as (port, _):
        _, said = register(port, code=REFUSED)
        tap.holds("sign for chat.example" in said and "no?[2J" in said and "\x1b" not in said, repr(said))


def records_show_what_has_ended_and_how():
    entry = {"service": "chat.example", "identificationCode": "u-1", "registeredAt": "2026-11-24T10:00:00Z"}
    ended = [{**entry, "endedAt": "2026-11-25T10:00:00Z", "endedBy": by}
             for by in ("MESSENGER", "REPLACED", "CONTRACT", "\x1b[2J")]
    body = {"registrations": [entry, *ended], "complete": False, "auditLog": []}
    with server(reply({**CHALLENGE, "purpose": "generic"}), reply(body, 200)) as (port, _):
        shown = subprocess.run([simtied.SIMTIE, "records", f"https://localhost:{port}", "--number", NUMBER, "--reader",
                                f"loop:{SIM}", "--ca", PLACE.pki / "ca.pem", "--audience", "chat.example"],
                               env={**os.environ, "SIMTIE_PIN": "4711"}, capture_output=True, text=True, check=False,
                               stdin=subprocess.DEVNULL, timeout=simtied.BOUND)
    tap.same(shown.returncode, DONE, shown.stderr)
    line = "  2026-11-24T10:00:00Z  chat.example, identification code u-1"
    tap.same(shown.stdout.splitlines()[:7], ["registrations:", line] + [
        f"{line}; ended 2026-11-25T10:00:00Z{how}"
        for how in (" by the messenger", ", replaced by a newer one", " with the contract", "")] + [
            "  and more that have ended, longer ago"])


def certificates_that_do_not_do():
    own = PLACE.issue("nobody", [], usage="serverAuth")
    stranger = PLACE.path / "stranger.pem"
    PLACE.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                  PLACE.path / "stranger.key", "-subj", "/CN=x", "-days", 2, "-out", stranger)
    with server(reply(CHALLENGE), pair=own) as (port, _):
        tap.holds("certificate" in register(port, code=IO)[1], "another name")
    with server(reply(CHALLENGE)) as (port, requests):
        tap.holds("certificate" in register(port, code=IO, ca=stranger)[1], "another authority")
        tap.same(requests, [], "it is told nothing")
    with server(reply(CHALLENGE), version=ssl.TLSVersion.TLSv1_2) as (port, requests):
        register(port, code=IO)
        tap.same(requests, [], "TLS 1.2")


def refusals_have_their_words():
    with server(reply({"status": 422, "code": "OPERATOR_NOT_COVERED", "message": "no"}, 422)) as (port, _):
        tap.same(register(port, code=REFUSED)[0]["error"], "OPERATOR_NOT_COVERED")
    with server(reply({"status": 503, "code": "UNAVAILABLE", "message": "later"}, 503)) as (port, _):
        tap.same(register(port, code=IO)[0]["error"], "UNAVAILABLE")


def outcomes_have_their_exit_codes():
    for state, code in (("REGISTERED", DONE), ("REFUSED", REFUSED), ("EXPIRED", REFUSED)):
        with server(reply(CHALLENGE), reply({"state": "PENDING"}, 202),
                    reply({"state": "PENDING"}, 200), reply({"state": state, "since": "x"}, 200)) as (port, requests):
            tap.same(register(port, code=code)[0]["state"], state)
            tap.same([r.split(b" ")[0] for r in requests], [b"POST", b"POST", b"GET", b"GET"])
            tap.holds(not any(b"4711" in r for r in requests), "the PIN stays here")


def a_sealed_number_is_not_in_any_request():
    key = PLACE.pki / "operators" / "mno.example" / "sealing.pem"
    with server(reply({**CHALLENGE, "sealing": True}), reply({"state": "PENDING"}, 202),
                reply({"state": "REGISTERED", "since": "x"}, 200)) as (port, requests):
        result, _ = register(port, "--seal-number", "--operator", "mno.example", "--operator-key", key, code=DONE)
        tap.same(result["numberSealed"], True)
        tap.holds(not any(NUMBER[1:].encode() in r for r in requests), requests)
        tap.holds(b"sealedNumber" in requests[1], requests[1])


def wrong_usage():
    for url in ("http://localhost", "localhost", "https://", "https://a:b@c", "https://a:0", "https://a:99999", "https://[::1",
                "https://a/b?c", "https://a\nb"):
        ended = subprocess.run([simtied.SIMTIE, "register", url, "--number", NUMBER], capture_output=True, text=True,
                               check=False, stdin=subprocess.DEVNULL, timeout=simtied.BOUND)
        tap.same(ended.returncode, USAGE, url)
    for more in (["--seal-number"], ["--seal-number", "--operator", "x"], ["--operator-key", "f"], ["--number", "0151"]):
        ended = subprocess.run([simtied.SIMTIE, "register", "https://localhost", *more,
                                *([] if "--number" in more else ["--number", NUMBER])],
                               capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        tap.same(ended.returncode, USAGE, more)


if __name__ == "__main__":
    with PLACE:
        subprocess.run([simtied.SIMTIE, "personalise", "--reader", f"loop:{SIM}", "--record", PLACE.path / "r.json"],
                       env={**os.environ, "SIMTIE_PIN": "4711", "SIMTIE_PUK": "12345678"}, check=True,
                       capture_output=True, stdin=subprocess.DEVNULL)
        sys.exit(tap.run([answers_that_are_none, challenges_that_are_none, another_audience_is_not_signed_for,
                          what_is_shown_is_safe_for_a_terminal, records_show_what_has_ended_and_how,
                          certificates_that_do_not_do, refusals_have_their_words,
                          outcomes_have_their_exit_codes, a_sealed_number_is_not_in_any_request, wrong_usage]))
