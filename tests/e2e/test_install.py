#!/usr/bin/env python3
"""`make install`: what it puts where, that a program needs nothing else, that uninstall takes it away."""

import contextlib
import functools
import os
import pathlib
import re
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from tap import holds, run, same

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = os.environ.get("SIMTIE_BUILD", "build")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
HEADERS = ["simtie.h", "simtie-token.h", "simtie-service.h", "simtie-contract.h"]
MAN = {"1": [*ROOT.glob("host/tool/man/*.1"), *ROOT.glob("applet/port/vpcd/man/*.1")],
       "3": [*ROOT.glob("host/lib/man/*.3")],
       "8": [*ROOT.glob("host/service/man/*.8")]}
UNITS = [*ROOT.glob("host/service/systemd/*.service")]
CONFIGS = [*ROOT.glob("host/service/examples/*.conf")]
BOUND = 120.0


def output(*command, **run_options):
    """Standard output of a command that must succeed; its environment is ours, `env` added, without
    what an enclosing make or a user's shell says to make, pkg-config and the loader."""
    ours = {k: v for k, v in os.environ.items()
            if not k.startswith(("MAKE", "MFLAGS", "PKG_CONFIG", "LD_LIBRARY", "SIMTIE", "DESTDIR", "PREFIX"))}
    ours.update(run_options.pop("env", {}))
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=BOUND, env=ours, **run_options)
    if done.returncode:
        raise AssertionError(f"{' '.join(words)}: {done.returncode}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    return done.stdout


class Tree:
    """An installed tree; `pc` is what pkg-config needs to find it, and nothing else."""

    def __init__(self, destdir, prefix, pc):
        self.destdir, self.prefix = destdir, prefix
        self.root = pathlib.Path(f"{destdir}{prefix}")
        self.pc = {"PKG_CONFIG_LIBDIR": str(self.root / "lib/pkgconfig"), **pc}
        self.loader = {"LD_LIBRARY_PATH": str(self.root / "lib")}

    def make(self, target):
        """By somebody who keeps new files to himself: what is installed is for all the same."""
        output("make", "-s", f"B={BUILD}", target, f"DESTDIR={self.destdir}", f"PREFIX={self.prefix}",
               cwd=ROOT, umask=0o077)

    def pkg_config(self, *what):
        return output("pkg-config", *what, "simtie", env=self.pc).split()

    def files(self):
        """All that is not a folder, by its path from the prefix (../ where it is outside)."""
        top = pathlib.Path(self.destdir or self.prefix)
        return {os.path.relpath(p, self.root) for p in top.rglob("*") if p.is_symlink() or not p.is_dir()}

    @functools.cached_property
    def version(self):
        return self.pkg_config("--modversion")[0]


@contextlib.contextmanager
def staged():
    """As a packager installs."""
    with tempfile.TemporaryDirectory() as top:
        tree = Tree(top, "/usr", {"PKG_CONFIG_SYSROOT_DIR": top})
        tree.make("install")
        yield tree


@contextlib.contextmanager
def in_a_prefix():
    """As a user without rights installs."""
    with tempfile.TemporaryDirectory() as top:
        tree = Tree("", f"{top}/simtie", {})
        tree.make("install")
        yield tree


def everything_is_in_its_place_and_nothing_else():
    with staged() as tree:
        expected = {"bin/simtie", "bin/simtie-card", "sbin/simtied", "lib/libsimtie.so", "lib/libsimtie.so.1",
                    f"lib/libsimtie.so.{tree.version}", "lib/pkgconfig/simtie.pc",
                    "share/bash-completion/completions/simtie"}
        expected |= {f"include/{name}" for name in HEADERS}
        expected |= {f"lib/systemd/system/{unit.name}" for unit in UNITS}
        expected |= {f"share/doc/simtie/examples/{config.name}" for config in CONFIGS}
        expected |= {f"share/man/man{section}/{page.name}" for section, pages in MAN.items() for page in pages}
        same(tree.files(), expected)
        for path in tree.root.rglob("*"):
            runs = path.is_dir() or path.parent.name in ("bin", "sbin") or path.name.startswith("libsimtie.so")
            same(oct(stat.S_IMODE(path.stat().st_mode)), oct(0o755 if runs else 0o644), str(path))


def soname_leads_to_the_library():
    with staged() as tree:
        library = tree.root / "lib/libsimtie.so"
        same(re.findall(r"SONAME.*\[(.*)\]", output("readelf", "-d", library)), ["libsimtie.so.1"])
        same([os.readlink(library), os.readlink(library.with_name("libsimtie.so.1"))],
             ["libsimtie.so.1", f"libsimtie.so.{tree.version}"])
        same(library.resolve().name, f"libsimtie.so.{tree.version}")


def exports_what_the_headers_declare_and_nothing_else():
    with staged() as tree:
        declared = set()
        for name in HEADERS:
            text = (tree.root / "include" / name).read_text()
            declared.update(re.findall(r"^SIMTIE_API [^;]*?\b(simtie_\w+)\(", text, re.M))
        holds(len(declared) > 30, f"declared: {sorted(declared)}")
        rows = [line.split() for line in output("nm", "-D", "--defined-only",
                                                tree.root / "lib/libsimtie.so").splitlines()]
        same({row[2].split("@")[0] for row in rows if row[1] != "A"}, declared)


def each_header_stands_alone_in_c_and_in_cplusplus():
    with staged() as tree, tempfile.TemporaryDirectory() as folder:
        flags = tree.pkg_config("--cflags")
        for header in HEADERS:
            for compiler, language, standard in (("cc", "c", "c99"), ("cc", "c", "c11"), ("clang", "c", "c11"),
                                                 ("clang++", "c++", "c++11"), ("clang++", "c++", "c++20")):
                source = pathlib.Path(folder, "alone." + language)
                source.write_text(f"#include <{header}>\n#include <{header}>\n")
                output(compiler, f"-std={standard}", *STRICT, *flags, "-fsyntax-only", source, cwd=folder)


def example_reads_the_version_in(tree):
    """Builds and runs the example with nothing but the installed tree."""
    with tempfile.TemporaryDirectory() as folder:
        flags = tree.pkg_config("--cflags", "--libs")
        holds(not [f for f in flags if str(ROOT) in f], f"flags: {flags}")
        output("cc", "-std=c11", *STRICT, "-o", "version", ROOT / "tests/examples/version.c", *flags, cwd=folder)
        loaded = output("ldd", "./version", cwd=folder, env=tree.loader)
        holds(f"libsimtie.so.1 => {tree.root}/lib/libsimtie.so.1 " in loaded, loaded)
        holds("not found" not in loaded, loaded)
        same(output("./version", "loop:", cwd=folder, env=tree.loader), "1.0.0\n")


def example_builds_and_runs_in_a_packagers_tree():
    with staged() as tree:
        holds("prefix=/usr\n" in (tree.root / "lib/pkgconfig/simtie.pc").read_text(), "where it will be")
        example_reads_the_version_in(tree)


def example_builds_and_runs_in_a_prefix():
    with in_a_prefix() as tree:
        same(tree.pkg_config("--variable=prefix"), [tree.prefix])
        example_reads_the_version_in(tree)


def example_links_from_cplusplus():
    with in_a_prefix() as tree, tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "link.cc")
        source.write_text('#include <simtie.h>\nint main() { return simtie_version()[0] == 0; }\n')
        # -nostdlib++: this needs the C library alone, which is all that a builder must have.
        output("clang++", *STRICT, "-nostdlib++", "-o", "link", source, *tree.pkg_config("--cflags", "--libs"),
               cwd=folder)
        output("./link", cwd=folder, env=tree.loader)


def installed_programs_run():
    with staged() as tree, tempfile.TemporaryDirectory() as folder:
        simtie = tree.root / "bin/simtie"
        holds(tree.version in output(simtie, "--version", cwd=folder), "the version of simtie.pc")
        state = f"loop:{folder}/card.state"
        holds("factory" in output(simtie, "info", "--reader", state, cwd=folder), "a factory card")
        secrets = {"SIMTIE_PIN": "4711", "SIMTIE_PUK": "12345678"}
        output(simtie, "personalise", "--reader", state, "--record", "card.json", cwd=folder, env=secrets)
        holds("personalised" in output(simtie, "info", "--reader", state, cwd=folder), "personalised")
        holds("--state" in output(tree.root / "bin/simtie-card", "--help", cwd=folder), "simtie-card's help")
        holds(tree.version in output(tree.root / "sbin/simtied", "--version", cwd=folder), "simtied's version")


def units_start_what_was_installed():
    with in_a_prefix() as tree:
        for unit in UNITS:
            text = (tree.root / "lib/systemd/system" / unit.name).read_text()
            starts = re.findall(r"^ExecStart\w*=(\S+)", text, re.M)
            same(set(starts), {f"{tree.prefix}/sbin/simtied"}, unit.name)


def man_pages_render_without_a_warning():
    with staged() as tree:
        for page in sorted((tree.root / "share/man").rglob("*.[138]")):
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", page], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False, timeout=BOUND)
            same((done.returncode, done.stdout), (0, ""), page.name)


def installing_twice_changes_nothing():
    with staged() as tree:
        first = tree.files()
        tree.make("install")
        same(tree.files(), first)
        example_reads_the_version_in(tree)


def uninstall_leaves_nothing_of_ours_and_all_of_others():
    for place in (staged, in_a_prefix):
        with place() as tree:
            others = ["lib/libsimtie.so.0", "lib/pkgconfig/other.pc", "bin/simtied"]
            for name in others:
                (tree.root / name).write_text("not ours")
            tree.make("uninstall")
            same(tree.files(), set(others))
            tree.make("uninstall")


if __name__ == "__main__":
    sys.exit(run([
        everything_is_in_its_place_and_nothing_else, soname_leads_to_the_library,
        exports_what_the_headers_declare_and_nothing_else, each_header_stands_alone_in_c_and_in_cplusplus,
        example_builds_and_runs_in_a_packagers_tree, example_builds_and_runs_in_a_prefix,
        example_links_from_cplusplus, installed_programs_run, units_start_what_was_installed,
        man_pages_render_without_a_warning,
        installing_twice_changes_nothing, uninstall_leaves_nothing_of_ours_and_all_of_others]))
