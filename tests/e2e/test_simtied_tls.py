#!/usr/bin/env python3
"""Who gets through to simtied: certificates, roles, scopes, reloads, and the PKI for development."""

import os
import pathlib
import socket
import ssl
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from simtied import (IO, MESSENGER, PROGRAM, USAGE, Operator, Place, message, read_reply, read_to_end, simtied)
from tap import holds, run, same

GOOD = ["urn:x-simtie:messenger:chat.example"]
PATH = "/v1/verifications/AAAAAAAAAAAAAAAAAAAAAA"


def refused_in_handshake(operator, pair):
    """TLS 1.3: the client learns of it when it first reads."""
    try:
        with operator.connect(pair=pair) as wire:
            wire.sendall(message("GET", PATH))
            got = wire.recv(1)
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        return
    raise AssertionError(f"it got through: {got!r}")


def certificates_that_do_not_hold_are_refused():
    with Place() as place:
        other = place.path / "other"
        simtied("certs", "dev", other)
        revoked, good = place.issue("revoked", GOOD), place.issue("good", GOOD)
        place.revoke(revoked[0])
        with Operator(place) as operator:
            same(operator.request("GET", PATH, pair=good).status, 404)
            same(operator.request("GET", PATH).status, 404)
            for pair in (revoked, place.issue("expired", GOOD, days=-1),
                         place.issue("server", GOOD, usage="serverAuth"), place.issue("bare", GOOD, usage=None),
                         place.issue("no-utf8", ["urn:x-simtie:messenger:chat%ff.example"]),
                         place.issue("control", ["urn:x-simtie:admin:a%0Ab", "urn:x-simtie:scope:events"]),
                         place.issue("nobody", []), place.issue("scopes", ["urn:x-simtie:scope:events"]),
                         place.issue("two", GOOD + ["urn:x-simtie:admin:a"]),
                         place.issue("foreign", GOOD, ca=(other / "ca.pem", other / "ca.key"))):
                refused_in_handshake(operator, pair)
            same(operator.request("GET", PATH).status, 404)
            # Each once, by its number: the name is what is wrong with it.
            said = operator.said()
            same(said.count("is refused: its name is not UTF-8"), 2, said)
            holds("chat" not in said, said)


def without_a_certificate_there_is_health_and_what_is_public():
    with Place() as place, Operator(place) as operator:
        reply = operator.request("GET", PATH, pair=None)
        same((reply.status, reply.code), (401, "UNAUTHENTICATED"))
        same(operator.request("GET", "/healthz", pair=None).json, {"live": True, "ready": True})
        same(operator.request("GET", "/v1/sealing-key", pair=None, public=True).status, 200)
        # The public listener asks for no certificate, and shows nothing that needs one.
        for pair in (None, "messenger"):
            same(operator.request("GET", PATH, pair=pair, public=True).status, 404)


def roles_and_scopes_decide():
    with Place() as place, Operator(place) as operator:
        event = ("POST", "/v1/admin/subscribers/%2B49301234567/events")
        for pair in (place.messenger(), place.pair("monitor"),
                     place.issue("admin-without", ["urn:x-simtie:admin:x", "urn:x-simtie:scope:records"])):
            reply = operator.request(*event, {"event": "SUSPENDED"}, pair=pair)
            same((reply.status, reply.code), (403, "PERMISSION_DENIED"), str(pair[0]))
        holds(operator.request(*event, {}, pair=place.pair("admin")).status != 403, "an admin with the scope")
        same(operator.request("GET", PATH, pair=place.pair("admin")).status, 403)
        swap = ("POST", "/sim-swap/v2/check", {"phoneNumber": "+49301234567"})
        same(operator.request(*swap, pair=place.issue("no-swap", GOOD)).status, 403)
        holds(operator.request(*swap).status != 403, "the messenger has sim-swap")


def tls_is_13_alone():
    with Place() as place, Operator(place) as operator:
        context = operator.context(place.messenger())
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            operator.connect(context=context).close()
        except ssl.SSLError as error:
            holds("PROTOCOL" in str(error).upper(), str(error))
        else:
            raise AssertionError("TLS 1.2 was spoken")


def a_session_is_resumed_and_ends_with_a_reload():
    with Place() as place, Operator(place) as operator:
        context = operator.context(place.messenger())
        with operator.connect(context=context) as wire:
            wire.sendall(message("GET", PATH))
            read_reply(wire)
            session = wire.session

        def resumed():
            raw = socket.create_connection(("127.0.0.1", operator.port))
            with context.wrap_socket(raw, server_hostname="localhost", session=session) as again:
                again.sendall(message("GET", PATH))
                same(read_reply(again).status, 404)
                return again.session_reused

        same(resumed(), True)
        operator.reload()
        same(resumed(), False)


def a_reload_takes_new_lists_and_ends_old_connections():
    with Place() as place:
        pair = place.issue("late", GOOD)
        place.revoke()
        # Idle for longer than anybody here waits: it is the reload that closes.
        with Operator(place, limits="idle_ms = 60000;") as operator:
            context = operator.context(pair)
            with operator.connect(context=context) as wire, operator.connect(context=context) as silent:
                wire.sendall(message("GET", PATH))
                same(read_reply(wire).status, 404)
                session = wire.session
                place.revoke(pair[0])
                operator.reload()
                same(read_to_end(silent), b"", "an idle connection")
                same(read_to_end(wire), b"", "one that has served")
            refused_in_handshake(operator, pair)
            # Not by a session from before, either.
            raw = socket.create_connection(("127.0.0.1", operator.port))
            try:
                with context.wrap_socket(raw, server_hostname="localhost", session=session) as again:
                    again.sendall(message("GET", PATH))
                    raise AssertionError(f"it got through: {read_reply(again)}")
            except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
                pass
            same(operator.request("GET", PATH).status, 404, "others")


def a_reload_that_fails_changes_nothing():
    with Place() as place, Operator(place) as operator:
        certificate = place.pki / "operators/mno.example/tls.pem"
        good = certificate.read_bytes()
        certificate.write_text("nonsense")
        operator.reload()
        holds("not reloaded" in operator.said(), operator.said())
        same(operator.request("GET", PATH).status, 404)
        certificate.write_bytes(good)
        operator.reload()
        same(operator.request("GET", PATH).status, 404)


def a_reload_serves_the_new_certificate():
    with Place() as place, Operator(place) as operator:
        def served():
            with operator.connect() as wire:
                return wire.getpeercert(binary_form=True)
        first = served()
        own = place.pki / "operators/mno.example"
        (place.path / "renew.ext").write_text("subjectAltName=DNS:localhost\n")
        place.openssl("req", "-new", "-key", own / "tls.key", "-subj", "/CN=renewed", "-out", "renew.csr")
        place.openssl("x509", "-req", "-in", "renew.csr", "-CA", place.pki / "ca.pem", "-CAkey",
                      place.pki / "ca.key", "-days", 2, "-extfile", "renew.ext", "-out", own / "tls.pem")
        same(served(), first, "before the reload")
        operator.reload()
        holds(served() != first, "after it")


def a_list_that_is_too_old_refuses_everybody():
    with Place() as place:
        place.revoke(days=1)
        with Operator(place, tls="") as operator:
            same(operator.request("GET", PATH).status, 404)
            # nextUpdate in the past
            place.openssl("ca", "-config", "ca.cnf", "-cert", place.pki / "ca.pem", "-keyfile", place.pki / "ca.key",
                          "-gencrl", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z",
                          "-out", place.pki / "crl.pem")
            operator.reload()
            refused_in_handshake(operator, place.messenger())


ELSEWHERE = "10.77.0.1"  # an address of this machine that is not loopback's, in a namespace of its own


def from_elsewhere_nothing_goes_without_a_certificate():
    namespace = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    script = f"ip link set lo up && ip addr add {ELSEWHERE}/32 dev lo && exec {sys.executable} {__file__} elsewhere"
    ended = subprocess.run([*namespace, "sh", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    same((ended.returncode, ended.stdout), (0, "as it should be\n"), ended.stderr)


def elsewhere():
    """Runs in that namespace."""
    with Place("--name", ELSEWHERE) as place, Operator(place, address=ELSEWHERE) as operator:
        refused_in_handshake(operator, None)
        same(operator.request("GET", PATH).status, 404)
        for path in ("/healthz", "/metrics"):
            reply = operator.request("GET", path)
            same((reply.status, reply.code), (403, "PERMISSION_DENIED"), path)
            same(operator.request("GET", path, pair=None, public=True).status, 403, path)
            same(operator.request("GET", path, pair=place.pair("monitor")).status, 200, path)
    print("as it should be")


def certs_dev_makes_a_pki_that_openssl_agrees_with():
    with Place("--name", "sim.example", "--name", "10.1.2.3", "--operator", "a.example", "--operator", "b.example",
               "--messenger", MESSENGER, "--days", "30") as place:
        for path in [place.pki, *place.pki.rglob("*")]:
            same(oct(stat.S_IMODE(path.stat().st_mode)), oct(0o700 if path.is_dir() else 0o600), str(path))
        for name in ("operators/a.example/tls", "operators/b.example/tls", f"messengers/{MESSENGER}/tls"):
            for host in ("localhost", "sim.example"):
                place.openssl("verify", "-CAfile", place.pki / "ca.pem", "-CRLfile", place.pki / "crl.pem",
                              "-crl_check", "-purpose", "sslserver", "-verify_hostname", host, "-x509_strict",
                              place.pki / f"{name}.pem")
            place.openssl("verify", "-CAfile", place.pki / "ca.pem", "-purpose", "sslclient", "-verify_ip",
                          "10.1.2.3", place.pki / f"{name}.pem")
        for name in ("admin", "monitor"):
            place.openssl("verify", "-CAfile", place.pki / "ca.pem", "-purpose", "sslclient", place.pki / f"{name}.pem")
        for name in ("issuer", "signer", "sealing"):
            place.openssl("verify", "-CAfile", place.pki / "operators/a.example/root.pem",
                          place.pki / f"operators/a.example/{name}.pem")
        before = {path: path.read_bytes() for path in place.pki.rglob("*.*") if path.is_file()}
        simtied("certs", "dev", place.pki, code=IO)
        same({path: path.read_bytes() for path in place.pki.rglob("*.*") if path.is_file()}, before)
        _, said = simtied("certs", "dev", place.path / "x", "--operator", "../b", code=USAGE)
        holds("option" in said and not (place.path / "x").exists(), said)
        out, _ = simtied("certs", "--help")
        holds("FOR DEVELOPMENT" in out, out)


def keys_files_are_made_and_grow():
    with Place() as place:
        keys = place.path / "k"
        simtied("keys", "new", keys)
        same(oct(stat.S_IMODE(keys.stat().st_mode)), "0o600")
        first = keys.read_text()
        simtied("keys", "new", keys, code=IO)
        same(keys.read_text(), first)
        out, _ = simtied("keys", "add", keys)
        holds("key 2 added" in out and first.rstrip() in keys.read_text(), out)
        keys.chmod(0o644)
        simtied("keys", "add", keys, code=IO)


def what_is_wrong_in_a_configuration_is_said_with_its_line():
    with Place() as place:
        config = place.operator_config()
        simtied("check-config", "--config", config)
        text = config.read_text()
        for old, new, said in (
                ("limits = {", "limits = { idle_msec = 1; ", "idle_msec is not known here"),
                ("limits = {", "limits = { body_max = 0; ", "body_max is not within 1 to 1048576"),
                ("limits = {", 'limits = { rate = "many"; ', "rate is not a number"),
                ('peers = "127.0.0.1:0"', 'peers = "localhost:0"', "numeric address"),
                ('peers = "127.0.0.1:0"; ', "", "lacks listen.peers"),
                ("tls = {", "tlss = {", "lacks one of tls.certificate"),
                ("limits = {", "limits = ", "syntax error"),
                ("operator = {", "messanger = {", "no group operator or messenger"),
                ("/tls.pem", "/nothing.pem", "no certificate in PEM"),
                (f"{place.pki}/crl.pem", f"{place.pki}/ca.pem", "holds no revocation list"),
                ("tls = {", f'tls = {{ server_crl = "{place.pki}/ca.pem"; ', "holds no revocation list"),
                ("/tls.key", "/issuer.key", "is not this certificate's key")):
            config.write_text(text.replace(old, new, 1))
            _, err = simtied("check-config", "--config", config, code=USAGE)
            holds(said in err, f"{new}: {err}")
        config.write_text(text)
        simtied("operator", "--config", config, code=IO)  # not migrated
        key = place.pki / "operators/mno.example/tls.key"
        key.chmod(0o604)
        _, err = simtied("check-config", "--config", config, code=USAGE)
        holds("everybody can read" in err, err)


def usage_is_said_and_help_is_there():
    holds("operator" in simtied("--help")[0], "help")
    for words in ([], ["nothing"], ["operator"], ["operator", "--config"], ["operator", "nothing"],
                  ["migrate", "--config", "a", "b"], ["keys", "new"], ["keys", "old", "x"], ["certs", "dev"],
                  ["certs", "prod", "x"]):
        holds("--help" in simtied(*words, code=USAGE)[1], str(words))
    for name in ("operator", "migrate", "check-config", "keys", "certs"):
        holds(f"simtied {name}" in simtied(name, "--help")[0], name)
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
    same(ended.returncode, IO)


if __name__ == "__main__":
    if sys.argv[1:] == ["elsewhere"]:
        sys.exit(elsewhere())
    sys.exit(run([
        certificates_that_do_not_hold_are_refused, without_a_certificate_there_is_health_and_what_is_public,
        from_elsewhere_nothing_goes_without_a_certificate,
        roles_and_scopes_decide, tls_is_13_alone, a_session_is_resumed_and_ends_with_a_reload,
        a_reload_takes_new_lists_and_ends_old_connections, a_reload_that_fails_changes_nothing,
        a_reload_serves_the_new_certificate, a_list_that_is_too_old_refuses_everybody,
        certs_dev_makes_a_pki_that_openssl_agrees_with, keys_files_are_made_and_grow,
        what_is_wrong_in_a_configuration_is_said_with_its_line, usage_is_said_and_help_is_there]))
