"""Reads the contract's files and refuses what does not hold together."""

import pathlib
import tomllib

import example

ENTIRE = 0xFFFF


class SpecError(Exception):
    pass


class Status:
    def __init__(self, entry):
        digits = entry["value"].upper()
        self.name = entry["name"]
        self.digits = digits
        self.value = int(digits.replace("X", "0"), 16)
        self.mask = int("".join("0" if c == "X" else "F" for c in digits), 16)
        self.text = entry["text"]
        self.advice = entry.get("advice", "")

    def fits(self, pattern):
        """Whether an example's status word ('63C2', '63C?') is one of these."""
        for want, have in zip(self.digits, pattern):
            if want != "X" and have != want:
                return False
        return True


class Command:
    def __init__(self, path, spec, contract):
        head = spec["command"]
        self.file = path.name
        self.id = path.stem.upper().replace("-", "_")
        self.name = head["name"]
        self.ref = head["ref"]
        self.text = head["text"]
        self.handler = head["handler"]
        self.cla = head["cla"]
        self.ins = head["ins"]
        self.p1 = contract.parameters(path, head["p1"])
        self.p2 = contract.parameters(path, head["p2"])
        self.lc = self.lengths(head["lc"])
        self.flags = [flag for flag in ("chaining", "response", "own_mac", "any_class") if head.get(flag)]
        self.applications = ["card"] if head.get("scope") == "card" else head.get("applications", ["attestation"])
        self.flags += self.applications
        self.secret = head.get("secret", "none")
        self.secret_response = head.get("secret_response", "none")
        self.data = spec.get("data", [])
        self.response = spec.get("response", [])
        self.outcomes = spec.get("outcome", [])
        self.examples = [example.Example(e, self.id, contract) for e in spec.get("example", [])]

    def lengths(self, lc):
        """(min, max, step) of Lc."""
        if isinstance(lc, dict):
            return lc["min"], lc["max"], 1
        step = lc[1] - lc[0] if len(lc) > 1 else 1
        if list(lc) != list(range(lc[0], lc[-1] + 1, step)):
            raise SpecError(f"{self.file}: lc {lc} is not evenly spaced; give min and max")
        return lc[0], lc[-1], step

    def p2_values(self):
        """By which commands of one instruction are told apart; 'any' is by itself."""
        return ["any"] if self.p2 is None else [value for value, _ in self.p2]

    def answers(self, step, application):
        """Whether an example's step is addressed to this command, with that application selected."""
        cla, ins = step.command_bytes(0), step.command_bytes(1)
        if cla is None or ins != self.ins or cla == 0xFF:
            return False
        if application not in self.applications and "card" not in self.applications:
            return False
        return cla & 0x80 == self.cla or "any_class" in self.flags


class Contract:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        applet = self.load("applet.toml")
        attestation = self.load("attestation.toml")
        self.applet = applet["applet"]
        self.limits = applet["limits"]
        self.applications = applet["application"]
        self.cose = attestation["cose"]
        self.claims = attestation["claim"]
        self.derivation = attestation["derivation"]
        self.enums = applet["enum"] + attestation["enum"]
        self.statuses = [Status(s) for s in self.load("status-words.toml")["status"]]
        self.tags = self.load("tags.toml")["tag"]
        self.fixtures = example.fixtures(applet)
        self.preamble = {
            state: [example.Step(line, self.fixtures) for line in lines]
            for state, lines in applet["preamble"].items()
        }
        common = self.load("common.toml")
        self.common = common["outcome"]
        self.common_examples = [example.Example(e, "COMMON", self) for e in common["example"]]
        shared = {"applet.toml", "attestation.toml", "status-words.toml", "tags.toml", "common.toml"}
        self.commands = [
            Command(path, self.load(path.name), self)
            for path in sorted(self.folder.glob("*.toml"))
            if path.name not in shared
        ]
        self.check()

    def load(self, name):
        with open(self.folder / name, "rb") as file:
            return tomllib.load(file)

    def parameters(self, path, values):
        """P1 or P2: numbers, 'enum.VALUE' names, or 'any'; gives (number, text) pairs or None."""
        if values == "any":
            return None
        pairs = []
        for value in values:
            if isinstance(value, str):
                enum, _, name = value.partition(".")
                found = [e["value"][name] for e in self.enums if e["name"] == enum and name in e["value"]]
                if not found:
                    raise SpecError(f"{path.name}: no enum value {value}")
                pairs.append((found[0][0], found[0][1]))
            else:
                pairs.append((value, ""))
        return pairs

    def status(self, name, where):
        for status in self.statuses:
            if status.name == name:
                return status
        raise SpecError(f"{where}: no status word named {name}")

    def examples(self):
        yield from self.common_examples
        for command in self.commands:
            yield from command.examples

    def check(self):
        self.check_unique()
        self.check_tags()
        self.check_examples()
        self.check_reached()

    def check_unique(self):
        for what, names in (
            ("status word name", [s.name for s in self.statuses]),
            ("status word", [s.digits for s in self.statuses]),
            ("tag name", [t["name"] for t in self.tags]),
            ("instruction", [(c.cla, c.ins, a, p2) for c in self.commands for a in c.applications
                             for p2 in c.p2_values()]),
            ("example name", [e.name for e in self.examples()]),
            ("common outcome", [o["sw"] for o in self.common]),
        ):
            self.refuse_twice(what, names, "apdu-specs")
        for command in self.commands:
            self.refuse_twice("status word", [o["sw"] for o in command.outcomes], command.file)
        for tag in self.tags:
            if sum(t["value"] == tag["value"] and t.get("in") == tag.get("in") for t in self.tags) > 1:
                raise SpecError(f"tags.toml: {tag['name']}: its value stands twice in one template")

    @staticmethod
    def refuse_twice(what, names, where):
        for name in names:
            if names.count(name) > 1:
                raise SpecError(f"{where}: {what} {name} stands twice")

    def check_tags(self):
        names = {t["name"] for t in self.tags}
        places = names | {c.id for c in self.commands}
        formats = {"hex", "text", "uint", "template", "iccid", "version"} | {e["name"] for e in self.enums}
        for tag in self.tags:
            if tag.get("in", "") not in places | {""}:
                raise SpecError(f"tags.toml: {tag['name']}: no template or command {tag['in']}")
            if tag["format"] not in formats:
                raise SpecError(f"tags.toml: {tag['name']}: no format {tag['format']}")
        for command in self.commands:
            for entry in command.data + command.response:
                if "tag" in entry and entry["tag"] not in names:
                    raise SpecError(f"{command.file}: no tag named {entry['tag']}")

    def addressed(self, step, application):
        """The command that a step is addressed to, in a list; of several of one instruction, that of its P2."""
        known = [c for c in self.commands if c.answers(step, application)]
        exact = [c for c in known if c.p2 is None or step.command_bytes(3) in c.p2_values()]
        return (exact or known)[:1]

    def outcomes_of(self, step, application):
        """The outcomes that a step's command may have: its own, then the common ones."""
        return [o for c in self.addressed(step, application) for o in c.outcomes] + self.common

    def check_examples(self):
        for case in self.examples():
            if case.state not in self.preamble:
                raise SpecError(f"example {case.name}: no preamble {case.state}")
            for step in case.steps:
                outcomes = self.outcomes_of(step, case.application)
                if not any(self.status(o["sw"], case.name).fits(step.status) for o in outcomes):
                    raise SpecError(
                        f"example {case.name}: {step.status} is not among the outcomes of {step.command}")

    def check_reached(self):
        cases = list(self.examples())
        steps = [step for case in cases for step in case.steps]
        for command in self.commands:
            own = [s for case in cases for s in case.steps if command in self.addressed(s, case.application)]
            for outcome in command.outcomes:
                status = self.status(outcome["sw"], command.file)
                reached = [s for case in cases for s in case.steps if case.secure] \
                    if outcome.get("by_session") else own
                if not any(status.fits(s.status) for s in reached):
                    raise SpecError(f"{command.file}: no example reaches {outcome['sw']}")
        for outcome in self.common:
            status = self.status(outcome["sw"], "common.toml")
            if not any(status.fits(s.status) for s in steps):
                raise SpecError(f"common.toml: no example reaches {outcome['sw']}")
