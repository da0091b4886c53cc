#!/usr/bin/env python3
"""Writes apdu-specs/gen from the contract: headers, examples, vectors, reference.

    generate.py            rewrite gen/
    generate.py --check    write nothing; fail if gen/ is not what would be written

Standard library only. What a file may contain is explained in README.md beside this.
"""

import pathlib
import sys
import tomllib

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from contract import Contract, SpecError  # noqa: E402
import emit_c  # noqa: E402
import emit_docs  # noqa: E402

HERE = pathlib.Path(__file__).parent


def outputs(contract):
    return {
        "contract.h": emit_c.card_header(contract),
        "simtie-contract.h": emit_c.public_header(contract),
        "examples.h": emit_c.examples_header(contract),
        "vectors.json": emit_docs.vectors(contract),
        "reference.md": emit_docs.reference(contract),
    }


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        wanted = outputs(Contract(HERE))
    except (SpecError, ValueError, KeyError) as error:
        print(f"apdu-specs: {error}", file=sys.stderr)
        return 1
    stale = []
    for name, text in wanted.items():
        path = HERE / "gen" / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if check and stale:
        print("apdu-specs: stale in gen/: " + ", ".join(stale) + "; run `make spec`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
