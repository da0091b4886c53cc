"""A messenger's receiver of notices over mutual TLS, that does as it is told: answers, hangs, hangs up.

    with Receiver(place.messenger(), place.pki / "ca.pem") as receiver:
        receiver.answers = [500, HANG, DROP, 202]    the last one for all that follow
"""

import base64
import http.server
import json
import pathlib
import ssl
import subprocess
import tempfile
import threading

HANG, DROP = "hang", "drop"


def unbase64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Notice:
    """What one try brought."""

    def __init__(self, text, headers, peer):
        self.text, self.type, self.peer = text, headers["Content-Type"], peer
        header, claims, _ = text.split(".")
        self.header, self.claims = json.loads(unbase64url(header)), json.loads(unbase64url(claims))
        self.id = self.claims["jti"]

    def signed_by(self, certificate):
        """Whether openssl finds it signed (ES256) with a certificate's key."""
        signed, _, signature = self.text.rpartition(".")
        signature = unbase64url(signature)
        numbers = b"".join(_integer(part) for part in (signature[:32], signature[32:]))
        with tempfile.TemporaryDirectory() as folder:
            files = [pathlib.Path(folder) / name for name in ("key", "signature", "signed")]
            public = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True,
                                    capture_output=True).stdout
            for file, data in zip(files, (public, bytes([0x30, len(numbers)]) + numbers, signed.encode())):
                file.write_bytes(data)
            return len(signature) == 64 and subprocess.run(
                ["openssl", "dgst", "-sha256", "-verify", files[0], "-signature", files[1], files[2]],
                check=False, capture_output=True).returncode == 0


def _integer(number):
    """An INTEGER in DER."""
    number = number.lstrip(b"\0") or b"\0"
    number = (b"\0" if number[0] & 0x80 else b"") + number
    return bytes([2, len(number)]) + number


class Receiver:
    """Listens on a free port of 127.0.0.1; `before` is called with each notice before it is answered."""

    def __init__(self, pair, ca):
        self.notices, self.handshakes_failed = [], []
        self.answers = [202]
        self.before = lambda notice: None
        self.over = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server.server_address[1]}/v1/notices"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def setup(self):
                try:
                    self.request.do_handshake()
                except OSError as error:
                    receiver.handshakes_failed.append(error)
                super().setup()

            def do_POST(self):
                peer = [value for kind, value in self.request.getpeercert()["subjectAltName"] if kind == "URI"]
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                notice = Notice(text, self.headers, peer)
                receiver.notices.append(notice)
                answer = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                receiver.before(notice)
                if answer == HANG:
                    receiver.over.wait(60)
                self.close_connection = answer in (HANG, DROP)
                if self.close_connection:
                    return
                self.send_response(answer)
                if answer == 302:
                    self.send_header("Location", receiver.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def handle(self):
                try:
                    super().handle()
                except OSError:  # who was killed sends no more
                    pass

            def log_message(self, *_):
                pass

        return Handler
