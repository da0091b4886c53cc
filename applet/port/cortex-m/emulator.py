"""The firmware under QEMU, as a process with a socket on its serial line.

The flash's image is a file of its own, which the firmware writes through by semihosting: whatever kills
QEMU, the file holds what flash would hold after a power cut.
"""

import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
BOARDS = ("mps2-an385", "mps2-an386", "microbit")
FLASH_SIZE = 32768
ENDS = {3: "the flash image is not there, or too short",
        4: "the records in the flash are damaged, or of another version",
        5: "the core refuses the board"}
PAINT = b"\x5A"  # of the stack (startup.c)
PR_SET_PDEATHSIG = 1


def elf(board, build):
    return ROOT / "build" / "firmware" / f"{board}-{build}" / "firmware.elf"


def symbols(program):
    """(address, size, kind, name) of what is in it; kinds `T` and `t` are code. A size may be missing (0), and
    names repeat themselves."""
    out = subprocess.run(["arm-none-eabi-nm", "-S", str(program)], check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in out.splitlines()]
    return [(int(row[0], 16), int(row[1], 16) if len(row) == 4 else 0, row[-2], row[-1])
            for row in rows if len(row) in (3, 4)]


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
        self.control, theirs_too = socket.socketpair()
        self.control_lines = None
        self.program = program
        self.image = os.open(image, os.O_RDWR)
        words = ["simtie", f"/dev/fd/{self.image}"] + ([seed] if seed else [])
        arguments = ",".join(f"arg={word.replace(',', ',,')}" for word in words)
        command = ["qemu-system-arm", "-M", board, "-display", "none", "-monitor", "none", "-kernel", str(program),
                   "-semihosting-config", f"enable=on,target=native,{arguments}",
                   "-chardev", f"socket,id=line,fd={theirs.fileno()}", "-serial", "chardev:line",
                   "-chardev", f"socket,id=control,fd={theirs_too.fileno()}",
                   "-mon", "chardev=control,mode=control", *more]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent,
                                        pass_fds=[theirs.fileno(), theirs_too.fileno(), self.image], env=env)
        theirs.close()
        theirs_too.close()

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
        if self.control_lines:
            self.control_lines.close()
        self.control.close()
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

    def monitor(self, execute, **arguments):
        """Has QEMU itself do something (QMP); returns what it answers."""
        if not self.control_lines:
            self.control_lines = self.control.makefile("r")
            self.control_lines.readline()  # its greeting
            self.monitor("qmp_capabilities")
        self.control.sendall(json.dumps({"execute": execute, "arguments": arguments}).encode())
        while "return" not in (answer := json.loads(self.control_lines.readline())):
            if "error" in answer:
                raise OSError(f"{execute}: {answer}")
        return answer["return"]

    def memory(self, start, size):
        """The board's memory as it is."""
        with tempfile.NamedTemporaryFile() as file:
            self.monitor("memsave", val=start, size=size, filename=file.name)
            return file.read()

    def deepest(self):
        """What was used at most since power came of (stack, pool): each bytes, and bytes that there are."""
        places = {name: (address, size) for address, size, _, name in symbols(self.program)}
        bottom, size = places["stack_bottom"][0], places["stack_top"][0] - places["stack_bottom"][0]
        stack = len(self.memory(bottom, size).lstrip(PAINT))
        pool = int.from_bytes(self.memory(*places["pool_deepest"]), "little")
        return (stack, size), (pool, places["pool"][1])
