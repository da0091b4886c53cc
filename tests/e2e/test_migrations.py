#!/usr/bin/env python3
"""What embed_migrations.py makes of a migration for each engine, and what it refuses."""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import tap

GOOD = """-- A comment; with a semicolon, and INTEGER.
CREATE TABLE wide (
	hi INTEGER NOT NULL,    -- hi
	data BYTEA,
	PRIMARY KEY (hi, data)
);
CREATE TABLE narrow (id INTEGER PRIMARY KEY);
CREATE INDEX narrow_id ON narrow (id) WHERE id = 1;
"""


def embed(files):
    with tempfile.TemporaryDirectory() as folder:
        for role in ("operator", "messenger"):
            (pathlib.Path(folder) / role).mkdir()
        for name, text in files.items():
            (pathlib.Path(folder) / "operator" / name).write_text(text, encoding="utf-8")
        return subprocess.run([sys.executable, ROOT / "host/registry/embed_migrations.py", folder],
                              capture_output=True, text=True, check=False)


def test_dialects():
    made = embed({"001_first.sql": GOOD})
    tap.same(made.returncode, 0, made.stderr)
    sqlite, postgresql = made.stdout.split("(const char *const[])")[1:3]
    for part in ("hi INTEGER NOT NULL, data BLOB, PRIMARY KEY (hi, data) ) STRICT, WITHOUT ROWID\"",
                 "CREATE TABLE narrow (id INTEGER PRIMARY KEY) STRICT\""):
        tap.holds(part in sqlite, part)
    for part in ("hi BIGINT NOT NULL, data BYTEA, PRIMARY KEY (hi, data) )\"", "narrow (id BIGINT PRIMARY KEY)\""):
        tap.holds(part in postgresql, part)
    tap.holds("comment" not in made.stdout, "a comment went along")


def test_refusals():
    for what, files, word in (("a hole", {"001_a.sql": GOOD, "003_b.sql": GOOD}, "002_NAME"),
                              ("a number twice", {"001_a.sql": GOOD, "001_b.sql": GOOD}, "002_NAME"),
                              ("a name", {"first.sql": GOOD}, "001_NAME"),
                              ("a quote", {"001_a.sql": "INSERT INTO a VALUES ('x;y');"}, "quotes"),
                              ("an end", {"001_a.sql": "CREATE TABLE a (b INTEGER)"}, "semicolon")):
        made = embed(files)
        tap.holds(made.returncode != 0 and word in made.stderr, f"{what}: {made.stderr}")


if __name__ == "__main__":
    sys.exit(tap.run([test_dialects, test_refusals]))
