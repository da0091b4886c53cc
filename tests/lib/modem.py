"""simtie-modem, the simulated modem, as a process."""

import os
import pathlib
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("SIMTIE_BUILD", "build")
BOUND = 10.0


class Modem:
    """`words` say what kind it is and what goes wrong: tests/modem/simtie_modem.c. `with` ends it."""

    def __init__(self, *words):
        self.process = subprocess.Popen([str(BUILD / "simtie-modem"), *words], stdout=subprocess.PIPE, text=True)
        self.port = self.process.stdout.readline().strip()
        self.reader = f"at:{self.port}"
        self.last = ""  # line that it printed
        self._drain = threading.Thread(target=self._read, daemon=True)
        self._drain.start()

    def _read(self):
        for line in self.process.stdout:
            self.last = line.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Ends it; what it says of its guests."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(BOUND)
        self._drain.join(BOUND)
        self.process.stdout.close()
        return self.last
