#!/usr/bin/env python3
"""Where the tool takes PINs and PUKs from, and that they stay out of everything else."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import tool
from tap import holds, run, same
from tool import (AUDIENCE, BOUND, DONE, IO, NEW_PIN, NONCE, PIN, PUK, REFUSED, SECRETS, USAGE, WRONG_PIN,
                  Terminal, folder, issued, simtie)

ASK = ("pin", "verify")
TIOCGPTN = 0x80045430  # number of a pseudo-terminal; os.ptsname() comes with Python 3.13


@contextlib.contextmanager
def descriptor(content):
    """A descriptor that a secret can be read from, once."""
    reader, writer = os.pipe()
    os.write(writer, content.encode())
    os.close(writer)
    try:
        yield reader
    finally:
        os.close(reader)


def each_source():
    with issued() as card:
        for content in (PIN, PIN + "\n", PIN + "\r\n"):
            card(*ASK, "--pin-file", card.file("source", content))
            card(*ASK, "--pin-file", "-", stdin=content)
            with descriptor(content) as fd:
                card(*ASK, "--pin-fd", fd, pass_fds=(fd,))
        card(*ASK, env={"SIMTIE_PIN": PIN})
        card(*ASK, "--pin-fd", 0, stdin=PIN)
        terminal = Terminal(*ASK, "-r", f"loop:{card.state}")
        terminal.expect("PIN: ")
        terminal.type(PIN + "\n")
        same(terminal.end(), DONE)


def several_secrets_from_one_input():
    with folder() as card:
        card.info()
        simtie("personalise", "-r", f"loop:{card.state}", "--record", card.record, "--pin-file", "-",
               "--puk-file", "-", stdin=f"{PIN}\n{PUK}\n")
        card("pin", "change", "--pin-file", "-", "--new-pin-file", "-", stdin=f"{PIN}\n{NEW_PIN}")
        with descriptor(f"{PUK}\n{PIN}\n") as fd:
            card("pin", "unblock", "--puk-fd", fd, "--new-pin-fd", fd, pass_fds=(fd,))
        card(*ASK, env={"SIMTIE_PIN": PIN})
        card("pin", "change", env={"SIMTIE_PIN": PIN, "SIMTIE_NEW_PIN": NEW_PIN})
        card("pin", "unblock", env={"SIMTIE_PUK": PUK, "SIMTIE_NEW_PIN": PIN})
        card(*ASK, "--pin-file", card.pin)


def what_is_named_comes_before_the_environment():
    with issued() as card:
        card(*ASK, "--pin-file", card.pin, env={"SIMTIE_PIN": WRONG_PIN})
        card(*ASK, "--pin-file", card.file("wrong", WRONG_PIN), env={"SIMTIE_PIN": PIN}, code=REFUSED)


def malformed_ones_reach_no_card():
    with issued() as card:
        for content in ("", "\n", "123", "123456789", "1234567890123", "12a4", " 1234", "12 34", "-1234",
                        "1234\n\n", "1234\n5678\n", "1234\0", "\uff11\uff12\uff13\uff14"):
            refused = card(*ASK, "--pin-file", card.file("bad", content), code=USAGE)
            holds("not 4 to 8 decimal digits" in refused.err, refused.err)
            holds(content.strip() == "" or content.strip() not in refused.err, refused.err)
        for content in ("1234567", "123456789"):
            refused = card("pin", "unblock", "--puk-file", card.file("bad", content), code=USAGE)
            holds("PUK is not 8 decimal digits" in refused.err, refused.err)
        card(*ASK, "--pin-file", "-", stdin="1" * 100000, code=USAGE)
        card(*ASK, env={"SIMTIE_PIN": ""}, code=USAGE)
        card(*ASK, env={"SIMTIE_PIN": "1" * 5000}, code=USAGE)
        same(card.info()["pinTries"], 3, "no try was charged")


def sources_that_fail():
    with issued() as card:
        for source in (("--pin-file", card.folder / "missing"), ("--pin-file", card.folder), ("--pin-fd", 99)):
            failed = card(*ASK, *source, code=IO)
            holds(source[0] in failed.err and str(card.folder) not in failed.err, failed.err)
        both = card(*ASK, "--pin-file", card.pin, "--pin-fd", 0, code=USAGE)
        holds("--pin-file and --pin-fd exclude each other" in both.err, both.err)
        for action, option in (("status", "--pin-file"), ("verify", "--puk-file"), ("unblock", "--pin-file"),
                               ("change", "--puk-file"), ("verify", "--new-pin-file")):
            stray = card("pin", action, option, card.pin, code=USAGE)
            holds(option in stray.err, stray.err)
        alone = card(*ASK, code=USAGE, start_new_session=True)
        holds("no terminal" in alone.err and "--pin-file" in alone.err, alone.err)


def a_pin_where_none_belongs_is_not_repeated():
    with issued() as card:
        for arguments in (("pin", "verify", "--pin", PIN), ("pin", "verify", f"--pin={PIN}"),
                          ("pin", "unblock", f"--puk={PUK}"), ("pin", "change", f"--new-pin={NEW_PIN}"),
                          ("pin", "verify", PIN), ("pin", PIN), ("attest", "--pin", PIN),
                          ("pin", "verify", f"--pin-f={PIN}"), ("pin", "verify", f"--pin-fd={PIN}"),
                          ("info", PIN), ("log", "--json=" + PIN), ("attest", "--nonce", PIN),
                          ("attest", "--purpose", PIN), ("personalise", "--iccid", PIN, "--record", "x"),
                          ("readers", PIN), ("inspect", PIN, PUK)):
            refused = simtie(*arguments, code=USAGE)
            for secret in SECRETS:
                holds(secret not in refused.err, f"{arguments}: {refused.err}")
        refused = simtie("pin", "verify", "--pin", PIN, code=USAGE)
        holds("--pin-file" in refused.err, refused.err)
        failed = card(*ASK, "--pin-file", PIN, code=IO)
        holds(PIN not in failed.err, failed.err)


def prompt_shows_nothing_and_leaves_the_terminal_as_it_was():
    with issued() as card:
        terminal = Terminal(*ASK, "-r", f"loop:{card.state}")
        before = termios.tcgetattr(terminal.fd)
        terminal.expect("PIN: ")
        holds(not termios.tcgetattr(terminal.fd)[3] & termios.ECHO, "echo is off")
        terminal.type(PIN + "\n")
        terminal.expect("right")
        holds(PIN.encode() not in terminal.seen, terminal.seen)
        same(termios.tcgetattr(terminal.fd), before, "terminal")
        same(terminal.end(), DONE)
        for typed in ("12\n", "1" * 20 + "\n", "\x04"):
            terminal = Terminal(*ASK, "-r", f"loop:{card.state}")
            terminal.expect("PIN: ")
            terminal.type(typed)
            same(terminal.end(), USAGE, repr(typed))


def signals_at_the_prompt_give_the_echo_back():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        terminal = Terminal(*ASK, "-r", "loop:")
        # Only the master is left when it has ended: another slave keeps the terminal's state alive.
        pts, = struct.unpack("i", fcntl.ioctl(terminal.fd, TIOCGPTN, bytes(4)))
        slave = os.open(f"/dev/pts/{pts}", os.O_RDWR | os.O_NOCTTY)
        before = termios.tcgetattr(slave)
        terminal.expect("PIN: ")
        os.kill(terminal.pid, number)
        _, status = os.waitpid(terminal.pid, 0)
        same(os.waitstatus_to_exitcode(status), -number)
        same(termios.tcgetattr(slave), before, "terminal")
        os.close(slave)
        os.close(terminal.fd)


def stopped_at_the_prompt_it_asks_anew():
    with issued() as card:
        terminal = Terminal(*ASK, "-r", f"loop:{card.state}")
        terminal.expect("PIN: ")
        # A session's leader without a shell is not stopped by SIGTSTP; it must go on all the same.
        os.kill(terminal.pid, signal.SIGTSTP)
        terminal.expect("PIN: ", times=2)
        holds(not termios.tcgetattr(terminal.fd)[3] & termios.ECHO, "echo is off again")
        terminal.type(PIN + "\n")
        same(terminal.end(), DONE)


@contextlib.contextmanager
def halted(card, *arguments, env=None):
    """A run that waits for its new PIN from a pipe. Gets it at the end."""
    fifo = card.folder / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [tool.PROGRAM, "pin", "change", "-r", f"loop:{card.state}", *arguments, "--new-pin-file", fifo],
        env=tool.environment(**(env or {})), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + BOUND
    while True:
        try:
            writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:  # nobody reads yet
            holds(time.monotonic() < until, "it never came to read the new PIN")
            time.sleep(0.005)
    try:
        yield process, pathlib.Path(f"/proc/{process.pid}")
        if process.poll() is None:
            os.write(writer, NEW_PIN.encode())
    finally:
        os.close(writer)
        process.communicate(timeout=BOUND)


def proc_shows_no_pin():
    with issued() as card:
        holds(PIN in subprocess.run(["cat", "/proc/self/environ"], capture_output=True, text=True,
                                    env={"SIMTIE_PIN": PIN}).stdout, "the test can see it elsewhere")
        with halted(card, env={"SIMTIE_PIN": PIN}) as (process, proc):
            for name in ("cmdline", "comm", "status") + (("environ",) if os.geteuid() == 0 else ()):
                holds(not tool.leaks(proc.joinpath(name).read_bytes(), PIN), name)
        same(process.returncode, DONE)


def no_core_file_and_no_looking_in():
    with issued() as card:
        with halted(card, "--pin-file", card.pin) as (process, proc):
            limits = proc.joinpath("limits").read_text()
            core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
            same(core.split()[4:6], ["0", "0"])
            # What may not be dumped belongs to root in /proc, whoever runs it, and nobody else may trace
            # it. For root itself there is nothing to see of that from outside.
            if os.geteuid() != 0:
                same(proc.joinpath("environ").stat().st_uid, 0)
            process.send_signal(signal.SIGABRT)
            process.wait(BOUND)
        same(process.returncode, -signal.SIGABRT)


def traces_hold_no_secret():
    with folder() as card:
        for name in ("trace.txt", "trace.pcapng"):
            trace = ("--trace", card.folder / name)
            if card.info()["lifecycle"] == "factory":
                card.personalise(*trace)
            card.attest(*trace)
            card.attest(*trace, pin=card.file("wrong", WRONG_PIN), code=REFUSED)
            card("log", "--pin-file", card.pin, *trace)
            card("pin", "change", "--pin-file", card.pin, "--new-pin-file", card.file("new", NEW_PIN), *trace)
            card("pin", "unblock", "--puk-file", card.puk, "--new-pin-file", card.pin, *trace)
            data = (card.folder / name).read_bytes()
            holds(len(data) > 1000, "something was traced")
            for secret in SECRETS:
                holds(not tool.leaks(data, secret), f"{name}: {secret}")
            chain_code = json.loads(card.record.read_text())["chainCode"]
            holds(bytes.fromhex(chain_code) not in data and chain_code.upper().encode() not in data, name)


def trace_with_secrets_says_so():
    with issued() as card:
        path = card.folder / "trace.txt"
        card(*ASK, "--pin-file", card.pin, "--trace", path, "--trace-secrets")
        data = path.read_bytes()
        holds(tool.leaks(data, PIN), "the PIN is there")
        holds(any(b"PINs and keys stand below in clear" in line for line in data.splitlines()[:2]), data[:300])


def nothing_printed_holds_a_secret():
    same(tool.forget_nothing(), [])


if __name__ == "__main__":
    sys.exit(run([
        each_source, several_secrets_from_one_input, what_is_named_comes_before_the_environment,
        malformed_ones_reach_no_card, sources_that_fail, a_pin_where_none_belongs_is_not_repeated,
        prompt_shows_nothing_and_leaves_the_terminal_as_it_was, signals_at_the_prompt_give_the_echo_back,
        stopped_at_the_prompt_it_asks_anew, proc_shows_no_pin, no_core_file_and_no_looking_in,
        traces_hold_no_secret, trace_with_secrets_says_so, nothing_printed_holds_a_secret]))
