#!/usr/bin/env python3
"""The generator refuses contracts that do not hold together. Each case breaks a copy in one place."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

SPECS = pathlib.Path(__file__).resolve().parents[2] / "apdu-specs"

# name, file, text to replace, replacement, what the refusal must say
CASES = [
    ("duplicate status word", "status-words.toml", 'value = "6A82"', 'value = "6A80"', "6A80 stands twice"),
    ("duplicate outcome", "select.toml", 'sw = "TERMINATED"', 'sw = "OK"', "OK stands twice"),
    ("outcome that no example reaches", "get-challenge.toml", '[[outcome]]\nsw = "OK"',
     '[[outcome]]\nsw = "BLOCKED"\nwhen = "never"\n\n[[outcome]]\nsw = "OK"', "no example reaches BLOCKED"),
    ("answer that is no outcome", "verify-pin.toml", "00 20 00 01 08 {pin} > 6985", "00 20 00 01 08 {pin} > 6A82",
     "6A82 is not among the outcomes"),
    ("outcome with an unknown status word", "select.toml", 'sw = "NOT_FOUND"', 'sw = "NOT_THERE"',
     "no status word named NOT_THERE"),
    ("two commands of one instruction", "get-challenge.toml", "ins = 0x84", "ins = 0x46", "stands twice"),
    ("two examples of one name", "get-challenge.toml", 'name = "random_bytes_without_a_number"',
     'name = "sixteen_random_bytes"', "stands twice"),
    ("unknown placeholder", "verify-pin.toml", "08 {wrong_pin} > 63C2", "08 {wrongpin} > 63C2",
     "nothing is called 'wrongpin'"),
    ("odd hex", "verify-pin.toml", "08 {wrong_pin} > 63C2", "08 {wrong_pin} 1 > 63C2", "not bytes in hex"),
    ("example without answer", "verify-pin.toml", "00 20 00 01 08 {pin} > 6985", "00 20 00 01 08 {pin}", "no ' > '"),
    ("unbalanced brackets", "store-data.toml", "( 84 08 3132330000000000 )", "( 84 08 3132330000000000",
     "unbalanced"),
    ("tag of an unknown template", "tags.toml", 'in = "PIN_STATE"', 'in = "PIN_STATES"', "no template or command"),
    ("one tag twice in a template", "tags.toml", 'name = "FCI_PUK_TRIES"\nvalue = 0x82', 'name = "FCI_PUK_TRIES"\nvalue = 0x81',
     "stands twice in one template"),
    ("unknown data object", "store-data.toml", 'tag = "ICCID"', 'tag = "ICC"', "no tag named ICC"),
    ("unknown parameter", "select.toml", '"select_by.AID"', '"select_by.NAME"', "no enum value select_by.NAME"),
    ("unevenly spaced lengths", "verify-pin.toml", "lc = [0, 8]", "lc = [0, 8, 9]", "not evenly spaced"),
    ("unknown state", "verify-pin.toml", 'state = "factory"', 'state = "fresh"', "no preamble fresh"),
    ("unknown fault", "verify-pin.toml", 'fault = "memory"', 'fault = "moon"', "unknown effect or fault"),
]


def generate(folder, *arguments):
    return subprocess.run([sys.executable, str(folder / "generate.py"), *arguments], capture_output=True, text=True,
                          check=False)


def broken(case, folder):
    """Whether the generator refuses the case, saying what it must, and writes nothing."""
    _, name, old, new, says = case
    path = folder / name
    text = path.read_text(encoding="utf-8")
    if old not in text:
        return f"{name} no longer has {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    before = {p: p.read_bytes() for p in (folder / "gen").iterdir()}
    done = generate(folder)
    after = {p: p.read_bytes() for p in (folder / "gen").iterdir()}
    path.write_text(text, encoding="utf-8")
    if done.returncode != 1 or not done.stderr.startswith("apdu-specs: "):
        return f"exit {done.returncode}: {done.stderr}"
    if says not in done.stderr:
        return f"says {done.stderr!r}"
    return "" if before == after else "it wrote"


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "apdu-specs"
        shutil.copytree(SPECS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        checks = [(case[0], lambda case=case: broken(case, folder)) for case in CASES]
        checks.append(("gen is current", lambda: generate(folder, "--check").stderr))

        def stale():
            with open(folder / "gen" / "contract.h", "a", encoding="utf-8") as file:
                file.write("\n")
            return "" if generate(folder, "--check").returncode == 1 else "a changed file passed"

        checks.append(("a hand-edited header is found", stale))
        print(f"1..{len(checks)}")
        for number, (name, check) in enumerate(checks, 1):
            problem = check()
            failures += bool(problem)
            print(f"{'not ok' if problem else 'ok'} {number} - {name}" + (f"\n# {problem}" if problem else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
