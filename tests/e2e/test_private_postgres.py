#!/usr/bin/env python3
"""lib/private-postgres: reached by nobody else, and gone when what started it is, however that ended."""

import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import tap

TOOL = ROOT / "tests" / "lib" / "private-postgres"
SHOWN = "SELECT current_setting('listen_addresses'), current_setting('fsync')"


def shell(script):
    return subprocess.run([TOOL, "--", "sh", "-c", script], stdout=subprocess.PIPE, text=True, check=False)


def folder_of(control):
    return pathlib.Path(control.strip()).parent


def runs(pid):
    """Not so when it has ended and nobody has asked for its exit code yet."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_private():
    done = shell(f'''echo "$POSTGRES_CTL"; stat -c %a "${{POSTGRES_CTL%/*}}"
                     psql -XAtc "{SHOWN}" "$SIMTIE_POSTGRES"; exit 7''')
    control, mode, shown = done.stdout.splitlines()
    tap.same(done.returncode, 7, "exit code")
    tap.same(mode, "700", "mode of the folder")
    tap.same(shown, "|on", "addresses, fsync")
    tap.holds(not folder_of(control).exists(), "the folder is left")


def test_killed():
    with subprocess.Popen([TOOL, "--", "sh", "-c", 'echo "$POSTGRES_CTL"; cat "${POSTGRES_CTL%/*}/data/postmaster.pid";'
                           'echo; exec cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        folder, pid = folder_of(server.stdout.readline()), int(server.stdout.readline())
        os.kill(pid, 0)
        server.send_signal(signal.SIGKILL)
        server.stdin.close()
    until = time.monotonic() + 60
    while (folder.exists() or runs(pid)) and time.monotonic() < until:
        time.sleep(0.05)
    tap.holds(not folder.exists(), "the folder is left")
    tap.holds(not runs(pid), "the server runs on")


def test_wrong_usage():
    for arguments in ([], ["--nonsense"], ["--"]):
        done = subprocess.run([TOOL, *arguments], stderr=subprocess.PIPE, text=True, check=False)
        tap.same(done.returncode, 2, "exit code")
        tap.holds("--help" in done.stderr, "no way out is named")


def test_does_not_start():
    environment = {**os.environ, "POSTGRES_SETTINGS": "nonsense = 3"}
    done = subprocess.run([TOOL, "--", "echo", "ran"], env=environment, capture_output=True, text=True, check=False)
    tap.same((done.returncode, done.stdout), (4, ""), "exit code, output")
    tap.holds("nonsense" in done.stderr, "the reason is not told")


if __name__ == "__main__":
    sys.exit(tap.run([test_private, test_killed, test_wrong_usage, test_does_not_start]))
