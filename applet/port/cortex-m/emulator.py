"""The firmware under QEMU, as a process with a socket on its serial line.

The flash's image is a file of its own, which the firmware writes through by semihosting: whatever kills
QEMU, the file holds what flash would hold after a power cut.
"""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
BOARDS = ("mps2-an385", "mps2-an386", "microbit")
FLASH_SIZE = 32768
ENDS = {3: "the flash image is not there, or too short",
        4: "the records in the flash are damaged, or of another version",
        5: "the core refuses the board"}
PR_SET_PDEATHSIG = 1


def elf(board, build):
    return ROOT / "build" / "firmware" / f"{board}-{build}" / "firmware.elf"


def blank(path):
    """Makes the image that of a chip as it comes; the file stays the same one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as image:
        image.write(b"\xFF" * FLASH_SIZE)


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Emulator:
    """Boots at once; `line` is its serial line. `with` kills it."""

    def __init__(self, board, program, image, seed=None, more=(), env=None):
        self.line, theirs = socket.socketpair()
        self.image = os.open(image, os.O_RDWR)
        words = ["simtie", f"/dev/fd/{self.image}"] + ([seed] if seed else [])
        arguments = ",".join(f"arg={word.replace(',', ',,')}" for word in words)
        command = ["qemu-system-arm", "-M", board, "-display", "none", "-monitor", "none", "-kernel", str(program),
                   "-semihosting-config", f"enable=on,target=native,{arguments}",
                   "-chardev", f"socket,id=line,fd={theirs.fileno()}", "-serial", "chardev:line", *more]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent,
                                        pass_fds=[theirs.fileno(), self.image], env=env)
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Kills it, as a power cut does; returns its exit code."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.image >= 0:
            os.close(self.image)
            self.image = -1
        self.line.close()
        return self.process.returncode

    def send(self, body):
        self.line.sendall(len(body).to_bytes(2, "big") + body)

    def answer(self):
        return self._take(int.from_bytes(self._take(2), "big"))

    def _take(self, size):
        data = b""
        while len(data) < size:
            part = self.line.recv(size - len(data))
            if not part:
                raise ConnectionError(ENDS.get(self.process.wait(), "the emulator has gone"))
            data += part
        return data

    def ask(self, body):
        self.send(body)
        return self.answer()
