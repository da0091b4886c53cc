#!/usr/bin/env python3
"""A registration's whole life with real daemons: two operators and a messenger, SIMs that are swapped and ported, and
SIGKILL for everybody in between. On both stores, in a network of its own, so that addresses outlive a daemon.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import simtied
import tap

INSIDE = "SIMTIE_LIFE_INSIDE"
ANNA, BERT = "+4915112345678", "+4915187654321"
NORTH, SOUTH, CHAT = "north.example", "south.example", "chat.example"
PORTS = {"north": (8443, 8444), "south": (8453, 8454), "chat": (9443, 9444)}
MESSENGER = f"https://localhost:{PORTS['chat'][1]}"
PIN = {"SIMTIE_PIN": "4711", "SIMTIE_PUK": "12345678"}


def enter_namespace():
    """Runs this again where nobody else listens."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    again = ["sh", "-c", 'PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && exec "$@"', "-", sys.executable, __file__]
    return subprocess.run(["unshare", *user, "--net", *again], env={**os.environ, INSIDE: "1"}, check=False).returncode


class Daemon:
    def __init__(self, place, role, name, store, group, folder):
        self.place, self.role, self.name = place, role, name
        self.config = place.path / f"{name}.conf"
        peers, public = PORTS[name]
        own = place.pki / folder
        self.config.write_text(
            f'name = "{name}";\nstore = "{store}";\nkeys = "{place.path}/store.keys";\n'
            f'listen = {{ peers = "127.0.0.1:{peers}"; public = "127.0.0.1:{public}"; }};\n'
            f'tls = {{ certificate = "{own}/tls.pem"; key = "{own}/tls.key"; client_ca = "{place.pki}/ca.pem"; }};\n'
            f"{role} = {{\n{group}}};\n")
        simtied.simtied("migrate", "--config", self.config)
        self.log = open(place.path / f"{name}.log", "ab")
        self.start()

    def start(self):
        self.process = subprocess.Popen([simtied.PROGRAM, self.role, "--config", self.config], stdout=subprocess.PIPE,
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        for _ in range(2):
            line = self.process.stdout.readline()
            tap.holds(b" https://" in line, f"{self.name}: {line!r}, {self.said()}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def end(self):
        self.process.terminate()
        tap.same(self.process.wait(simtied.BOUND), 0, f"{self.name}: {self.said()}")
        self.process.stdout.close()
        self.log.close()

    def said(self):
        return (self.place.path / f"{self.name}.log").read_text(errors="replace")


class Stores:
    """A store for each daemon, of one kind."""

    def __init__(self, kind, place):
        self.kind, self.place, self.schemas = kind, place, []

    def where(self, name):
        if self.kind == "sqlite":
            return f"sqlite:{self.place.path}/{name}.db"
        server = os.environ["SIMTIE_POSTGRES"]
        schema = f"life_{name}_{os.getpid()}"
        self.sql(f"CREATE SCHEMA {schema}")
        self.schemas.append(schema)
        return f"{server} options='-c search_path={schema}'"

    def sql(self, text):
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", os.environ["SIMTIE_POSTGRES"], "-c", text],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def close(self):
        for schema in self.schemas:
            self.sql(f"DROP SCHEMA {schema} CASCADE")


class World:
    def __init__(self, kind):
        self.place = simtied.Place("--operator", NORTH, "--operator", SOUTH, "--messenger", CHAT)
        self.stores = Stores(kind, self.place)
        self.north = self.operator("north", NORTH)
        self.south = self.operator("south", SOUTH)
        agreements = ",\n".join(self.agreement(*of) for of in (("north", NORTH, "+4915"), ("south", SOUTH, "+4916")))
        self.chat = Daemon(self.place, "messenger", "chat", self.stores.where("chat"),
                           f'audience = "{CHAT}"; allow_virtual = true;\noperators = (\n{agreements});\n',
                           f"messengers/{CHAT}")

    def close(self):
        for daemon in (self.chat, self.north, self.south):
            if daemon.process.poll() is None:
                daemon.kill()
        self.stores.close()
        self.place.__exit__()

    def operator(self, name, full):
        own = self.place.pki / "operators" / full
        keys = "".join(f'{k}_certificate = "{own}/{k}.pem"; {k}_key = "{own}/{k}.key";\n'
                       for k in ("issuer", "signer", "sealing"))
        notify = f"https://localhost:{PORTS['chat'][0]}/v1/notices"
        return Daemon(self.place, "operator", name, self.stores.where(name),
                      f'name = "{full}"; base_url = "https://localhost:{PORTS[name][1]}"; allow_virtual = true;\n{keys}'
                      f'messengers = ( {{ audience = "{CHAT}"; notify = "{notify}"; }} );\n', f"operators/{full}")

    def agreement(self, name, full, prefix):
        own = self.place.pki / "operators" / full
        return (f'{{ name = "{full}"; url = "https://localhost:{PORTS[name][0]}"; prefixes = [ "{prefix}" ];\n'
                f'issuer_certificate = "{own}/issuer.pem"; signer_certificate = "{own}/signer.pem"; }}')

    # ---- What people do ----

    def tool(self, *arguments):
        return subprocess.Popen([simtied.SIMTIE, *map(str, arguments), "--ca", self.place.pki / "ca.pem", "--json"],
                                env={**os.environ, **PIN}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True)

    def result(self, process, code=0):
        out, err = process.communicate(timeout=120)
        tap.same(process.returncode, code, f"{out} {err}")
        return json.loads(out)

    def sim(self, name, iccid, operator, number=None):
        state, record = self.place.path / f"{name}.sim", self.place.path / f"{name}.json"
        subprocess.run([simtied.SIMTIE, "personalise", "--reader", f"loop:{state}", "--record", record, "--iccid", iccid],
                       env={**os.environ, **PIN}, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        line = {**json.loads(record.read_text()), "iccid": iccid, **({"phoneNumber": number} if number else {})}
        self.imports(operator, name, line)

    def imports(self, operator, name, line):
        path = self.place.path / f"{name}.import"
        path.write_text(json.dumps(line) + "\n")
        simtied.simtied("operator", "import", "--config", operator.config, path)

    def begin(self, number, sim, *more):
        return self.tool("register", MESSENGER, "--number", number, "--audience", CHAT, "--reader",
                         f"loop:{self.place.path}/{sim}.sim", *more)

    def register(self, number, sim, *more, code=0):
        return self.result(self.begin(number, sim, *more), code)

    def ask(self, port, method, path, body=None, pair=None):
        with simtied.Operator.connect(Wire(self.place, port), pair=pair) as wire:
            wire.sendall(simtied.message(method, path, body, {"Connection": "close"}))
            return simtied.read_reply(wire)

    def event(self, name, number, event, **more):
        reply = self.ask(PORTS[name][0], "POST", f"/v1/admin/subscribers/{number.replace('+', '%2B')}/events",
                         {"event": event, **more}, self.place.pair("admin"))
        tap.same(reply.status, 200, reply)
        return reply.json["notices"]

    def state(self, registration):
        reply = self.ask(PORTS["chat"][1], "GET", f"/v1/registrations/{registration['registrationId']}")
        tap.same(reply.status, 200, reply)
        return reply.json["state"], reply.json.get("reason")

    def heard(self, registration, reason):
        simtied.wait_for(lambda: self.state(registration) == ("REVERIFICATION_REQUIRED", reason), reason)


class Wire:
    """What Operator.connect() wants to know of a daemon."""

    address = "127.0.0.1"
    context = simtied.Operator.context

    def __init__(self, place, port):
        self.place, self.port, self.public_port = place, port, port


def a_life(world):
    world.sim("old", "894900000000000001", world.north, ANNA)
    world.sim("new", "894900000000000002", world.north)
    world.sim("bert", "894900000000000003", world.north, BERT)
    world.sim("south", "894900000000000004", world.south)

    # The operator is away, and the messenger is killed while it waits: the registration outlives both.
    world.north.kill()
    client = world.begin(ANNA, "old")
    simtied.wait_for(lambda: "signed; waiting" in client.stderr.readline() or client.poll() is not None, "the SIM")
    world.chat.kill()
    world.chat.start()
    world.north.start()
    first = world.result(client)
    tap.same((first["state"], first["operator"]), ("REGISTERED", NORTH))

    # The SIM is swapped while the messenger is away; the operator is killed with the notice on its hands.
    world.chat.kill()
    tap.same(world.event("north", ANNA, "SIM_SWAPPED", iccid="894900000000000002"), 1)
    world.north.kill()
    world.north.start()
    world.chat.start()
    world.heard(first, "SIM_SWAPPED")
    refused = world.register(ANNA, "old", code=1)
    tap.same((refused["state"], refused["reason"]), ("REFUSED", "NOT_CONFIRMED"))
    second = world.register(ANNA, "new")
    tap.same(second["state"], "REGISTERED")
    tap.same(world.state(first), ("REVERIFICATION_REQUIRED", "SIM_SWAPPED"), "a new one changes no old one")

    # The number goes to the other operator. Its prefix still says the old one.
    tap.same(world.event("north", ANNA, "PORTED_OUT"), 1)
    world.north.kill()
    world.north.start()
    world.heard(second, "PORTED_OUT")
    world.imports(world.south, "ported", {"iccid": "894900000000000004", "phoneNumber": ANNA})
    tap.same(world.register(ANNA, "south", code=1)["reason"], "NOT_CONFIRMED")
    third = world.register(ANNA, "south", "--operator", SOUTH)
    tap.same((third["state"], third["operator"]), ("REGISTERED", SOUTH))

    # Suspended and resumed: she attests again. Then the contract ends.
    world.event("south", ANNA, "SUSPENDED")
    world.heard(third, "SUSPENDED")
    tap.same(world.register(ANNA, "south", "--operator", SOUTH, code=1)["reason"], "NOT_CONFIRMED")
    world.event("south", ANNA, "RESUMED")
    fourth = world.register(ANNA, "south", "--operator", SOUTH)
    tap.same(world.state(third), ("REVERIFICATION_REQUIRED", "SUSPENDED"), "a resumed one stays so")
    shown = world.result(world.tool("records", f"https://localhost:{PORTS['south'][1]}", "--number", ANNA, "--audience",
                                    SOUTH, "--reader", f"loop:{world.place.path}/south.sim"))
    tap.same([(entry["service"], entry.get("endedBy")) for entry in shown["registrations"]],
             [(CHAT, None), (CHAT, "REPLACED")])
    world.event("south", ANNA, "TERMINATED")
    world.heard(fourth, "TERMINATED")
    tap.same(world.register(ANNA, "south", "--operator", SOUTH, code=1)["state"], "REFUSED")

    # A foreign number; a number that the messenger never sees; a server that asks for another audience.
    tap.same(world.register("+33612345678", "south", code=1)["error"], "OPERATOR_NOT_COVERED")
    key = world.place.pki / "operators" / NORTH / "sealing.pem"
    sealed = world.register(BERT, "bert", "--seal-number", "--operator", NORTH, "--operator-key", key)
    tap.same((sealed["state"], sealed["numberSealed"]), ("REGISTERED", True))
    relayed = world.tool("register", MESSENGER, "--number", BERT, "--audience", "talk.example", "--reader",
                         f"loop:{world.place.path}/bert.sim")
    tap.same(world.result(relayed, 1)["error"], "WRONG_AUDIENCE")
    tap.same(world.result(world.tool("register", "https://localhost:9", "--number", BERT, "--reader",
                                     f"loop:{world.place.path}/bert.sim"), 4)["error"], "NO_ANSWER")

    for daemon in (world.chat, world.north, world.south):
        daemon.end()
        said = daemon.said()
        tap.holds(ANNA[1:] not in said and BERT[1:] not in said, f"a number in the log of {daemon.name}")
    for daemon in (world.north, world.south):
        simtied.simtied("operator", "audit", "verify", "--config", daemon.config)


def on(kind):
    world = World(kind)
    try:
        a_life(world)
    except BaseException:
        for name in PORTS:
            for line in (world.place.path / f"{name}.log").read_text(errors="replace").splitlines()[-10:]:
                tap.note(f"{name}: {line}")
        raise
    finally:
        world.close()


def whole_life_on_sqlite():
    on("sqlite")


def whole_life_on_postgresql():
    if not os.environ.get("SIMTIE_POSTGRES") or not shutil.which("psql"):
        tap.note("skipped: no PostgreSQL here; see tests/README.md")
        return
    on("postgresql")


if __name__ == "__main__":
    sys.exit(tap.run([whole_life_on_sqlite, whole_life_on_postgresql]) if os.environ.get(INSIDE) else enter_namespace())
