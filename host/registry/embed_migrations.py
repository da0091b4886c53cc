#!/usr/bin/env python3
"""Writes the migrations as C: embed_migrations.py FOLDER > migrations.c

FOLDER/ROLE/NNN_name.sql, numbered from 001 without gaps, in SQL with the types INTEGER, BYTEA and
TEXT. For PostgreSQL INTEGER becomes BIGINT. For SQLite BYTEA becomes BLOB, every table is STRICT,
and one with a key of several columns is WITHOUT ROWID: its rows lie in the order of that key.
"""

import pathlib
import re
import sys

ROLES = ("operator", "messenger")


def statements(text, name):
    """Without comments, one a string. The migrations' SQL has no quotes; that is seen to here."""
    text = re.sub(r"--[^\n]*", "", text)
    if re.search(r"['\"$]", text):
        sys.exit(f"{name}: quotes and $ are not expected in a migration")
    found = [re.sub(r"\s+", " ", s).strip() for s in text.split(";")]
    if found.pop():
        sys.exit(f"{name}: the last statement does not end in a semicolon")
    return found


def postgresql(statement):
    return re.sub(r"\bINTEGER\b", "BIGINT", statement)


def sqlite(statement):
    if statement.startswith("CREATE TABLE"):
        rowid = "" if not re.search(r"PRIMARY KEY \(", statement) else ", WITHOUT ROWID"
        statement += " STRICT" + rowid
    return re.sub(r"\bBYTEA\b", "BLOB", statement)


def array(lines):
    return "(const char *const[]){\n" + "".join(f'\t\t "{line}",\n' for line in lines) + "\t\t NULL}"


def migrations(folder):
    """(number, name, statements) of one role, in order."""
    found = []
    for number, path in enumerate(sorted(folder.glob("*.sql")), 1):
        if not re.fullmatch(r"%03d_[a-z_]+" % number, path.stem):
            sys.exit(f"{path}: expected {number:03d}_NAME.sql")
        found.append((number, path.stem, statements(path.read_text(encoding="utf-8"), path)))
    return found


def emit(folder):
    print("/* Made by embed_migrations.py. */\n#include \"migrate_internal.h\"")
    for role in ROLES:
        found = migrations(folder / role)
        print(f"\nconst struct migration migrate_{role}[] = {{")
        for number, name, lines in found:
            print(f'\t{{{number}, "{name}",')
            print(f"\t {array(map(sqlite, lines))},\n\t {array(map(postgresql, lines))}}},")
        print("\t{0, NULL, NULL, NULL},\n};")


if __name__ == "__main__":
    emit(pathlib.Path(sys.argv[1]))
