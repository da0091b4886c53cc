"""simtied as a process, with a development PKI, a store and a configuration in a folder of its own.

    with Place() as place, Operator(place) as operator:
        operator.request("GET", "/healthz")

Sockets are plain Python ssl, so that a test may send whatever bytes it likes.
"""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SIMTIE = os.environ.get("SIMTIE") or str(ROOT / os.environ.get("SIMTIE_BUILD", "build") / "simtie")
PROGRAM = os.environ.get("SIMTIED") or str(ROOT / os.environ.get("SIMTIE_BUILD", "build") / "simtied")
BOUND = 30.0

DONE, REFUSED, USAGE, IO = 0, 1, 2, 4

OPERATOR, MESSENGER = "mno.example", "chat.example"


def simtied(*arguments, code=DONE, **options):
    """Runs it to its end, which must be `code`; returns (standard output, standard error)."""
    ended = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False,
                           stdin=subprocess.DEVNULL, timeout=BOUND, **options)
    if ended.returncode != code:
        raise AssertionError(f"simtied {arguments}: {ended.returncode}, {ended.stdout!r}, {ended.stderr!r}")
    return ended.stdout, ended.stderr


def wait_for(condition, what, bound=BOUND):
    end = time.monotonic() + bound
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not in {bound} s: {what}")
        time.sleep(0.01)


def past():
    """What has `openssl x509` issue a certificate that has ended: from 3.4 on it wants to be told by dates."""
    version = subprocess.run(["openssl", "version"], check=True, capture_output=True, text=True).stdout.split()[1]
    if tuple(int(n) for n in version.split(".")[:2]) < (3, 4):
        return ["-days", "-1"]
    return ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"]


PAST = past()


class Place:
    """A folder with pki/ (`simtied certs dev`) and vault keys; certificates beside those by openssl."""

    def __init__(self, *options):
        self._top = tempfile.TemporaryDirectory(prefix="simtied-")
        self.path = pathlib.Path(self._top.name)
        self.pki = self.path / "pki"
        simtied("certs", "dev", self.pki, *options)
        simtied("keys", "new", self.path / "store.keys")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._top.cleanup()

    def messenger(self, name=MESSENGER):
        """(certificate, key) for ssl and curl."""
        return self.pki / "messengers" / name / "tls.pem", self.pki / "messengers" / name / "tls.key"

    def pair(self, name):
        return self.pki / f"{name}.pem", self.pki / f"{name}.key"

    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=self.path, check=True, capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=BOUND)

    def issue(self, name, uris, usage="clientAuth", days=2, ca=None):
        """NAME.pem and NAME.key in the folder, under `ca` (a pair; the PKI's own); days may be negative."""
        certificate, key = self.path / f"{name}.pem", self.path / f"{name}.key"
        ca = ca or self.pair("ca")
        extensions = ["basicConstraints=critical,CA:FALSE"]
        extensions += [f"extendedKeyUsage={usage}"] if usage else []
        extensions += ["subjectAltName=" + ",".join(f"URI:{uri}" for uri in uris)] if uris else []
        (self.path / "issue.ext").write_text("\n".join(extensions) + "\n")
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", key, "-subj", f"/CN={name}", "-out", "issue.csr")
        validity = ["-days", days] if days > 0 else PAST
        self.openssl("x509", "-req", "-in", "issue.csr", "-CA", ca[0], "-CAkey", ca[1], *validity,
                     "-extfile", "issue.ext", "-out", certificate)
        return certificate, key

    def revoke(self, *certificates, days=2):
        """Writes the PKI's revocation list anew: these, and none else."""
        (self.path / "ca.index").write_text("")
        (self.path / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=ca.index\ndefault_md=sha256\ncrlnumber=ca.number\n")
        (self.path / "ca.number").write_text("01\n")
        ca = ["ca", "-config", "ca.cnf", "-cert", self.pair("ca")[0], "-keyfile", self.pair("ca")[1]]
        for certificate in certificates:
            self.openssl(*ca, "-revoke", certificate)
        self.openssl(*ca, "-gencrl", "-crldays", days, "-out", "crl.new")
        os.replace(self.path / "crl.new", self.pki / "crl.pem")

    def attestation(self, nonce, audience=MESSENGER):
        """A token of a virtual SIM that is made at the first call."""
        sim, token = self.path / "sim.state", self.path / "token"
        secrets = {**os.environ, "SIMTIE_PIN": "4711", "SIMTIE_PUK": "12345678"}
        common = ["--reader", f"loop:{sim}"]
        if not sim.exists():
            subprocess.run([SIMTIE, "personalise", *common, "--record", self.path / "sim.json"],
                           env=secrets, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=BOUND)
        subprocess.run([SIMTIE, "attest", *common, "--audience", audience, "--nonce", nonce.hex(), "-o", token],
                       env=secrets, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=BOUND)
        return token.read_bytes()

    def operator_config(self, name="operator", store=None, limits="", engine="", operator="", tls="",
                        operator_name=OPERATOR, address="127.0.0.1", notify=None):
        """Writes NAME.conf; what is given is put into the groups. notify: {audience: URL}, in place of the one
        messenger that is told nothing."""
        own = self.pki / "operators" / operator_name
        keys = "".join(f'\t{k}_certificate = "{own}/{k}.pem";\n\t{k}_key = "{own}/{k}.key";\n'
                       for k in ("issuer", "signer", "sealing"))
        messengers = ", ".join(f'{{ audience = "{audience}"; notify = "{url}"; }}' for audience, url in notify.items()) \
            if notify else f'{{ audience = "{MESSENGER}"; }}'
        path = self.path / f"{name}.conf"
        path.write_text(
            f'name = "{name}";\nstore = "{store or f"sqlite:{self.path}/{name}.db"}";\n'
            f'keys = "{self.path}/store.keys";\n'
            f'listen = {{ peers = "{address}:0"; public = "{address}:0"; }};\n'
            f'tls = {{\n\tcertificate = "{own}/tls.pem";\n\tkey = "{own}/tls.key";\n'
            f'\tclient_ca = "{self.pki}/ca.pem";\n\tclient_crl = "{self.pki}/crl.pem";\n{tls}}};\n'
            f"limits = {{ {limits} }};\nengine = {{ {engine} }};\n"
            f'operator = {{\n\tname = "{operator_name}";\n\tbase_url = "https://localhost";\n{keys}'
            f'\tmessengers = ( {messengers} );\n{operator}}};\n')
        return path


class Operator:
    """A running `simtied operator`; `settings` as Place.operator_config(), environment beside ours."""

    def __init__(self, place, name="operator", environment=None, **settings):
        self.place, self.name = place, name
        self.environment = environment or {}
        self.address = settings.get("address", "127.0.0.1")
        self.config = place.operator_config(name, **settings)
        simtied("migrate", "--config", self.config)
        self.log = open(place.path / f"{name}.log", "w+b")  # pylint: disable=consider-using-with
        self.start()

    def start(self):
        self.process = subprocess.Popen([PROGRAM, "operator", "--config", str(self.config)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log,
                                        env={**os.environ, **self.environment})
        self.port = self._port("peers")
        self.public_port = self._port("public")

    def _port(self, listener):
        line = self.process.stdout.readline().decode()
        found = re.fullmatch(rf"{listener} https://{re.escape(self.address)}:(\d+)\n", line)
        if not found:
            self.process.wait(BOUND)
            raise AssertionError(f"the daemon said {line!r}: {self.said()}")
        return int(found[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if self.process.poll() is None:
                self.end()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.log.close()

    def end(self, code=DONE, bound=BOUND):
        """SIGTERM, and it must end well."""
        self.process.send_signal(signal.SIGTERM)
        self.ended(code, bound)

    def kill(self):
        """SIGKILL; again() starts another."""
        self.process.kill()
        self.process.wait()

    def again(self):
        """Starts another on the same store, under the same settings; the one before has ended."""
        self.process.stdout.close()
        self.start()

    def ended(self, code=DONE, bound=BOUND):
        found = self.process.wait(bound)
        if found != code:
            raise AssertionError(f"it ended with {found}: {self.said()}")

    def said(self):
        return (self.place.path / f"{self.name}.log").read_text(errors="backslashreplace")

    def reload(self):
        before = self.said().count("reloaded")
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.said().count("reloaded") > before, "the reload")

    def memory(self, what="VmRSS"):
        """Bytes."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{what}:\s*(\d+) kB", text, re.M)[1]) * 1024

    def sanitized(self):
        """Then its memory says nothing."""
        return "libasan" in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()

    # ---- Clients ----

    def context(self, pair=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.place.pki / "ca.pem")
        if pair:
            context.load_cert_chain(*pair)
        return context

    def connect(self, pair="messenger", public=False, context=None, bound=BOUND):
        """A TLS connection; pair: a (certificate, key), "messenger", or None."""
        if context is None:
            context = self.context(self.place.messenger() if pair == "messenger" else pair)
        raw = socket.create_connection((self.address, self.public_port if public else self.port), timeout=bound)
        try:
            return context.wrap_socket(raw, server_hostname="localhost")
        except BaseException:
            raw.close()
            raise

    def request(self, method, path, body=None, headers=None, **where):
        """One request on a connection of its own."""
        with self.connect(**where) as wire:
            wire.sendall(message(method, path, body, {"Connection": "close", **(headers or {})}))
            return read_reply(wire)


class Reply:
    """A reply: status, headers (names in lower case), body, and its JSON."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["code"]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:200]!r}"


def message(method, path, body=None, headers=None):
    """A request as bytes; a body that is no bytes goes as JSON."""
    lines = {"Host": "localhost"}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if body is not None:
        lines.update({"Content-Type": "application/json", "Content-Length": len(body)})
    lines.update(headers or {})
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items() if v is not None)
    return head.encode() + b"\r\n" + (body or b"")


def read_reply(wire, head_only=False):
    """Reads one reply, to its last byte and not beyond."""
    parser = http.client.HTTPResponse(_Unbuffered(wire), method="HEAD" if head_only else "GET")
    parser.begin()
    body = parser.read()
    return Reply(parser.status, {k.lower(): v for k, v in parser.getheaders()}, body)


class _Unbuffered:
    """What HTTPResponse reads from: takes no more than it is asked for."""

    def __init__(self, wire):
        self.wire = wire

    def makefile(self, *_):
        return self

    def readline(self, limit=65536):
        line = b""
        while not line.endswith(b"\n") and len(line) < limit:
            byte = self.wire.recv(1)
            if not byte:
                break
            line += byte
        return line

    def read(self, size=-1):
        data = b""
        while size < 0 or len(data) < size:
            piece = self.wire.recv(65536 if size < 0 else size - len(data))
            if not piece:
                break
            data += piece
        return data

    def readinto(self, buffer):
        data = self.read(len(buffer))
        buffer[:len(data)] = data
        return len(data)

    def flush(self):
        pass

    def close(self):
        pass

    closed = False


def read_to_end(wire):
    """All until the peer closes. A reset counts as an end, too."""
    data = b""
    try:
        while piece := wire.recv(65536):
            data += piece
    except (ConnectionResetError, ssl.SSLError) as error:
        if "timed out" in str(error):
            raise
    return data
