"""Runs test functions and reports them in TAP (https://testanything.org)."""

import sys
import traceback


def run(tests):
    """Calls each function; its name is the test's. One that raises has failed. Returns the exit code."""
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            test()
            verdict = "ok"
        except Exception:  # whatever it is, the other tests still run
            verdict = "not ok"
            failed += 1
            for line in traceback.format_exc().splitlines():
                note(line)
        print(f"{verdict} {number} - {test.__name__}", flush=True)
    return 1 if failed else 0


def note(text):
    print(f"# {text}", flush=True)


def same(found, expected, what=""):
    if found != expected:
        raise AssertionError(f"{what}: found {found!r}, expected {expected!r}")


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


if __name__ == "__main__":
    sys.exit(__doc__)
