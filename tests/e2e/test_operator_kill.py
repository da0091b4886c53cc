#!/usr/bin/env python3
"""simtied killed with SIGKILL at every statement of a verification, on both stores.

Whatever it had got to: what it acknowledged is there after a restart, the same request sent again gets its yes, and
the token counts once.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import simtied
import tap
import tool

NUMBER = "+4915112345678"
STATEMENTS_MIN = 6  # that a verification takes: begin, four or five in between, commit
STATEMENTS_MAX = 60


def build_shim(folder):
    shim = folder / "kill_at.so"
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", shim,
                    ROOT / "tests" / "lib" / "kill_at.c", "-ldl"], check=True)
    return shim


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Scene:
    """An operator with one subscriber, whose SIM is a virtual card; killed at will."""

    def __init__(self, place, card, shim, store):
        self.place, self.card, self.shim = place, card, shim
        self.arm = place.path / "armed"
        self.nonces = 0
        # The daemon's other threads would run statements in between: nothing to do for them, and seldom.
        self.operator = simtied.Operator(place, store=store, operator="\tallow_virtual = true;\n\tbacklog_batch = 0;\n",
                                         engine="workers = 1;")
        record = json.loads(card.record.read_text())
        lines = place.path / "records.jsonl"
        lines.write_text(json.dumps({**record, "iccid": "8949012345678901236", "phoneNumber": NUMBER}) + "\n")
        simtied.simtied("operator", "import", "--config", self.operator.config, lines)

    def close(self):
        self.operator.__exit__()

    def restart(self, **environment):
        """A new daemon on the same store, with the shim when there is an environment for it."""
        if self.operator.process.poll() is None:
            self.operator.process.kill()
        self.operator.process.wait()
        self.operator.process.stdout.close()
        if environment:
            environment.update(LD_PRELOAD=str(self.shim), KILL_ARM=str(self.arm))
        os.environ.update(environment)
        try:
            self.operator.start()
        finally:
            for name in environment:
                del os.environ[name]

    def body(self):
        self.nonces += 1
        nonce = self.nonces.to_bytes(16, "big")
        token = self.card.token(audience=simtied.MESSENGER, nonce=nonce.hex())
        return {"phoneNumber": NUMBER, "nonce": base64url(nonce), "attestation": base64url(token)}

    def post(self, body, key):
        return self.operator.request("POST", "/v1/verifications", body, {"Idempotency-Key": key})

    def get(self, verification):
        return self.operator.request("GET", f"/v1/verifications/{verification}")

    def killed(self, body, key):
        """Posts while the shim is armed. (whether it was killed, the reply or None)"""
        self.arm.touch()
        try:
            reply = self.post(body, key)
        except OSError:
            reply = None
        except Exception as error:  # what http.client makes of a reply that is cut short
            if type(error).__module__ != "http.client":
                raise
            reply = None
        if not self.arm.exists():
            self.operator.process.wait(simtied.BOUND)
            return True, reply
        self.arm.unlink()
        return False, reply


def kill_everywhere(store):
    with simtied.Place() as place, tool.issued() as card:
        scene = Scene(place, card, build_shim(place.path), store)
        try:
            for how in ("before", "after"):
                at, killed = 0, True
                while killed:
                    at += 1
                    body, key = scene.body(), f"{how}-{at}"
                    scene.restart(KILL_AT=str(at), KILL_HOW=how)
                    killed, reply = scene.killed(body, key)
                    scene.restart()
                    acknowledged = reply.json["verificationId"] if reply else None
                    if acknowledged:
                        tap.same(scene.get(acknowledged).json["status"], "VERIFIED", f"{key}: what was acknowledged")
                    again = scene.post(body, key).json
                    tap.same(again["status"], "VERIFIED", f"{key}: the same request")
                    if acknowledged:
                        tap.same(again["verificationId"], acknowledged, f"{key}: the same answer")
                    other = scene.post(body, key + "-other").json
                    tap.same(other.get("reason"), "TOKEN_USED", f"{key}: the token once more")
                    tap.holds(at < STATEMENTS_MAX, "it is killed for ever")
                tap.holds(at > STATEMENTS_MIN, f"only {at - 1} statements")
                tap.note(f"{how}: {at - 1} statements")
        finally:
            scene.close()


def test_sqlite():
    kill_everywhere(None)


def test_postgresql():
    server = os.environ.get("SIMTIE_POSTGRES")
    if not server:
        tap.note("skipped: there is no PostgreSQL in SIMTIE_POSTGRES")
        return
    kill_everywhere(server)


if __name__ == "__main__":
    sys.exit(tap.run([test_sqlite, test_postgresql]))
