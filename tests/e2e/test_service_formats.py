#!/usr/bin/env python3
"""What the library writes for services, read by others: openssl, and Python's own modules."""

import base64
import ctypes
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from tap import holds, run, same

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = (ROOT / os.environ.get("SIMTIE_BUILD", "build")).resolve()
LIB = ctypes.CDLL(str(BUILD / "libsimtie.so"))
FOLDER = tempfile.TemporaryDirectory()
HERE = pathlib.Path(FOLDER.name)
BOUND = 60.0

# A worked example that asks for nothing to be relaxed.
VECTOR = next(v for v in json.loads((ROOT / "tests/vectors/attestation.json").read_text(encoding="utf-8"))
              if v["name"] == "public-6")
AUDIENCE, NONCE = VECTOR["audience"], bytes.fromhex(VECTOR["nonce"])
STATUS_URI, NUMBER = "https://mno.example/v1/status/7", "+4930123456789"


class Credential(ctypes.Structure):
    _fields_ = [("audience", ctypes.c_char * 65), ("service_public", ctypes.c_uint8 * 65),
                ("not_before", ctypes.c_int64), ("not_after", ctypes.c_int64),
                ("status_uri", ctypes.c_char * 129), ("status_index", ctypes.c_uint32)]


class Notice(ctypes.Structure):
    _fields_ = [("issuer", ctypes.c_char * 65), ("audience", ctypes.c_char * 65), ("id", ctypes.c_char * 33),
                ("registration", ctypes.c_char * 33), ("event", ctypes.c_int), ("issued_at", ctypes.c_int64)]


LIBC = ctypes.CDLL(None)
LIBC.free.argtypes = [ctypes.c_void_p]


def openssl(*words, data=None):
    done = subprocess.run(["openssl", *map(str, words)], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          cwd=HERE, timeout=BOUND, check=False)
    holds(done.returncode == 0, f"openssl {words[0]}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout


def make_keys():
    for name in ("issuer", "signer", "sealing"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/O=Operator Ltd./CN={name}",
                "-addext", "keyUsage=critical,digitalSignature,keyCertSign,keyAgreement")


def key(name, private=True):
    read = ctypes.c_void_p()
    same(LIB.simtie_service_key_read(str(HERE / f"{name}.pem").encode(),
                                     str(HERE / f"{name}.key").encode() if private else None,
                                     ctypes.byref(read)), 0, name)
    return read


def text_of(pointer):
    text = ctypes.string_at(pointer)
    LIBC.free(pointer)
    return text.decode("ascii")


def credential(index=123456):
    wanted = Credential(audience=AUDIENCE.encode(), not_before=int(time.time()),
                        not_after=int(time.time()) + 365 * 86400, status_uri=STATUS_URI.encode(), status_index=index)
    wanted.service_public[:] = bytes.fromhex(VECTOR["service_public_key"])
    der, length = (ctypes.c_uint8 * 1024)(), ctypes.c_size_t()
    same(LIB.simtie_credential_issue(key("issuer"), ctypes.byref(wanted), der, ctypes.byref(length)), 0, "issue")
    return bytes(der[:length.value])


def status(bits, size):
    jwt = ctypes.c_void_p()
    same(LIB.simtie_status_issue(key("signer"), STATUS_URI.encode(), bits, size, ctypes.c_int64(int(time.time())),
                                 900, ctypes.byref(jwt)), 0, "status")
    return text_of(jwt)


def unpad(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def der_integer(number):
    body = number.lstrip(b"\0") or b"\0"
    body = b"\0" + body if body[0] & 0x80 else body
    return b"\x02" + bytes([len(body)]) + body


def jwt_claims(jwt, typ):
    """The claims of a JWT whose signature openssl finds good."""
    header, payload, signature = jwt.split(".")
    raw = unpad(signature)
    same(len(raw), 64, "r and s")
    body = der_integer(raw[:32]) + der_integer(raw[32:])
    (HERE / "signature").write_bytes(b"\x30" + bytes([len(body)]) + body)
    (HERE / "signer.pub").write_bytes(openssl("x509", "-in", "signer.pem", "-noout", "-pubkey"))
    openssl("dgst", "-sha256", "-verify", "signer.pub", "-signature", "signature",
            data=f"{header}.{payload}".encode())
    head = json.loads(unpad(header))
    same((head["alg"], head["typ"]), ("ES256", typ), "header")
    return json.loads(unpad(payload))


def openssl_reads_and_verifies_a_credential():
    (HERE / "credential.der").write_bytes(credential())
    openssl("x509", "-inform", "der", "-in", "credential.der", "-out", "credential.pem")
    same(openssl("verify", "-x509_strict", "-CAfile", "issuer.pem", "credential.pem"), b"credential.pem: OK\n")
    shown = openssl("x509", "-in", "credential.pem", "-noout", "-subject", "-issuer", "-dates", "-serial", "-nameopt",
                    "RFC2253", "-ext", "subjectAltName,keyUsage,basicConstraints").decode()
    for line in (f"subject=CN={AUDIENCE}", "issuer=CN=issuer,O=Operator Ltd.", f"URI:{STATUS_URI}#123456",
                 "Digital Signature", "CA:FALSE", " 00:00:00 ", " 23:59:59 "):
        holds(line in shown, f"{line} in {shown}")
    point = openssl("pkey", "-pubin", "-outform", "der",
                    data=openssl("x509", "-in", "credential.pem", "-noout", "-pubkey"))[-65:]
    same(point.hex(), VECTOR["service_public_key"], "the service key")


def python_unpacks_a_status_list():
    bits = bytearray(1 << 17)
    for index in (0, 9, 1993, 1048575):
        bits[index // 8] |= 1 << index % 8
    claims = jwt_claims(status(bytes(bits), len(bits) * 8), "statuslist+jwt")
    same(list(claims), ["sub", "iat", "exp", "ttl", "status_list"], "order of members")
    same(claims["sub"], STATUS_URI)
    same(claims["status_list"]["bits"], 1)
    same(zlib.decompress(unpad(claims["status_list"]["lst"])), bytes(bits))
    holds(claims["iat"] < claims["iat"] + claims["ttl"] < claims["exp"], "it is good for longer than it is to be kept")


def python_reads_a_notice():
    notice = Notice(issuer=b"mno.example", audience=AUDIENCE.encode(), id=b"AAECAwQFBgcICQoLDA0ODw",
                    registration=b"8PHy8_T19vf4-fr7_P3-_w", event=3, issued_at=1795510000)
    jwt = ctypes.c_void_p()
    same(LIB.simtie_notice_issue(key("signer"), ctypes.byref(notice), ctypes.byref(jwt)), 0, "issue")
    same(jwt_claims(text_of(jwt), "secevent+jwt"), {
        "iss": "mno.example", "aud": AUDIENCE, "iat": 1795510000, "jti": "AAECAwQFBgcICQoLDA0ODw",
        "sub_id": {"format": "opaque", "id": "8PHy8_T19vf4-fr7_P3-_w"},
        "events": {"urn:x-simtie:event:SIM_SWAPPED": {}}})


def cbor_bytes(data):
    holds(len(data) < 256, "short")
    return (bytes([0x40 | len(data)]) if len(data) < 24 else bytes([0x58, len(data)])) + data


def ctr(content_key, counter_block, data):
    return openssl("enc", "-aes-256-ctr", "-K", content_key.hex(), "-iv", counter_block.hex(), data=data)


def ghash(subkey, data, cipher):
    """GHASH (SP 800-38D §6.4) over data and cipher text, padded, and their lengths."""
    def multiply(a, b):
        product = 0
        for bit in range(127, -1, -1):
            if a >> bit & 1:
                product ^= b
            b = b >> 1 ^ (0xE1 << 120 if b & 1 else 0)
        return product

    def pad(part):
        return part + bytes(-len(part) % 16)

    total = 0
    whole = pad(data) + pad(cipher) + (len(data) * 8).to_bytes(8, "big") + (len(cipher) * 8).to_bytes(8, "big")
    for at in range(0, len(whole), 16):
        total = multiply(total ^ int.from_bytes(whole[at:at + 16], "big"), subkey)
    return total.to_bytes(16, "big")


def agreed_key(ephemeral):
    """ECDH by openssl, HKDF and the KDF context by hand (RFC 9053 §5.2)."""
    info = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + ephemeral
    (HERE / "ephemeral.der").write_bytes(info)
    openssl("pkey", "-pubin", "-inform", "der", "-in", "ephemeral.der", "-out", "ephemeral.pem")
    secret = openssl("pkeyutl", "-derive", "-inkey", "sealing.key", "-peerkey", "ephemeral.pem")
    context = bytes.fromhex("84 03 83f6f6f6 83f6f6f6 82 190100") + cbor_bytes(bytes.fromhex("a1013818"))
    return hmac.digest(hmac.digest(bytes(32), secret, "sha256"), context + b"\1", "sha256")


def openssl_and_python_open_a_sealed_number():
    sealed, length = (ctypes.c_uint8 * 320)(), ctypes.c_size_t()
    same(LIB.simtie_number_seal(key("sealing", private=False), AUDIENCE.encode(), NONCE, ctypes.c_size_t(len(NONCE)),
                                NUMBER.encode(), sealed, ctypes.byref(length)), 0, "seal")
    message = bytes(sealed[:length.value])
    iv, cipher, tag = message[10:22], message[24:40], message[40:56]
    ephemeral = b"\4" + message[83:115] + message[118:150]
    content_key = agreed_key(ephemeral)
    same(ctr(content_key, iv + bytes.fromhex("00000002"), cipher), NUMBER.encode().ljust(16, b"\0"))
    external = (b"\x83\x6fsimtie number/1" + bytes([0x60 | len(AUDIENCE)]) + AUDIENCE.encode() + cbor_bytes(NONCE))
    data = b"\x83\x67Encrypt" + cbor_bytes(bytes.fromhex("a10103")) + cbor_bytes(external)
    subkey = int.from_bytes(ctr(content_key, bytes(16), bytes(16)), "big")
    mask = ctr(content_key, iv + bytes.fromhex("00000001"), bytes(16))
    same(bytes(a ^ b for a, b in zip(ghash(subkey, data, cipher), mask)), tag, "the tag")
    same(message[66:74], hashlib.sha256(openssl("pkey", "-in", "sealing.key", "-pubout", "-outform",
                                                "der")[-65:]).digest()[:8], "kid")


def build_example():
    (HERE / "libsimtie.so.1").symlink_to(BUILD / "libsimtie.so")  # the name by which it is loaded
    output = subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-o",
                             HERE / "verify", f"-I{ROOT}/host/lib", f"-I{ROOT}/apdu-specs/gen",
                             ROOT / "tests/examples/verify.c", BUILD / "libsimtie.so", f"-Wl,-rpath,{HERE}"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=BOUND, check=False)
    same((output.returncode, output.stdout), (0, b""), "cc")


def verify(nonce=NONCE.hex(), audience=AUDIENCE):
    done = subprocess.run([HERE / "verify", audience, nonce, "issuer.pem", "signer.pem", "credential.der",
                           "status.jwt", "token"], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=BOUND, check=False)
    return done.returncode, done.stdout + done.stderr


def example_messenger_verifies_by_itself():
    build_example()
    (HERE / "credential.der").write_bytes(credential(index=9))
    (HERE / "status.jwt").write_text(status(bytes(2), 16))
    (HERE / "token").write_bytes(bytes.fromhex(VECTOR["token"]))
    same(verify(), (0, "the token is valid\n"))
    same(verify(nonce="00" * 16), (1, "the token answers another challenge\n"))
    code, said = verify(audience="talk.example")
    holds(code == 1 and "another audience" in said, said)
    (HERE / "status.jwt").write_text(status(bytes([0, 2]), 16))
    code, said = verify()
    holds(code == 1 and "revoked" in said, said)


if __name__ == "__main__":
    make_keys()
    sys.exit(run([openssl_reads_and_verifies_a_credential, python_unpacks_a_status_list, python_reads_a_notice,
                  openssl_and_python_open_a_sealed_number, example_messenger_verifies_by_itself]))
