"""The examples' small language, brought into the flat form that the runners read.

A step is "COMMAND > RESPONSE STATUS". Both sides are bytes in hex; besides:

    {name}      a fixture, a value that the runner supplies, or one captured before
    {name:N}    response only: any N bytes, captured under that name
    ?           response only: any one byte; within a byte (4?) any digit
    **          response only: any bytes to the end
    AB*N        the byte AB, N times
    !           at the very beginning: sent as it stands, whatever session is open
    ( ... )     the bytes between, with Lc before them (short, or extended over 255)
    [ ... ]     the bytes between, with a BER length before them

The flat form has no blanks, fixtures or lengths left: "0020000108{wrong_pin}>63C2".
"""

import re

RUNTIME = {"pin": 8, "wrong_pin": 8, "puk": 8, "wrong_puk": 8, "new_pin": 8, "put_key_31": 70, "put_key_32": 70,
           "put_key_33": 70}
EFFECTS = ("none", "tries", "counts", "lasting")
FAULTS = ("", "memory", "memory_later", "read", "full", "random")


def fixtures(applet):
    named = {"aid": applet["applet"]["aid"],
             "version": "".join(f"{v:02X}" for v in applet["applet"]["version"]),
             "profile": applet["applet"]["profile"].encode().hex().upper()}
    for name, text in applet["fixtures"].items():
        named[name] = "".join(repeat(token) for token in text.split())
    return named


def repeat(token):
    byte, star, count = token.partition("*")
    return byte.upper() * int(count) if star else byte.upper()


def ber_length(length):
    if length < 0x80:
        return f"{length:02X}"
    if length < 0x100:
        return f"81{length:02X}"
    return f"82{length:04X}"


def lc(length):
    return f"{length:02X}" if length < 0x100 else f"00{length:04X}"


class Flat:
    """Bytes under way: their text, and how many they are."""

    def __init__(self):
        self.text = ""
        self.size = 0

    def add(self, text, size):
        self.text += text
        self.size += size


class Step:
    def __init__(self, line, named):
        command, arrow, response = line.partition(" > ")
        if not arrow:
            raise ValueError(f"no ' > ' in {line!r}")
        self.captured = {}
        bare = "!" if command.startswith("!") else ""
        self.command = self.flatten(command.removeprefix("!"), named, False)
        answer = self.flatten(response, named, True)
        self.response, self.status = answer[:-4], answer[-4:]
        if not re.fullmatch("[0-9A-F?]{4}", self.status):
            raise ValueError(f"no status word at the end of {line!r}")
        self.flat = f"{bare}{self.command}>{answer}"

    def command_bytes(self, index):
        digits = self.command[2 * index:2 * index + 2]
        return int(digits, 16) if re.fullmatch("[0-9A-F]{2}", digits) else None

    def flatten(self, text, named, response):
        stack = [Flat()]
        spaced = re.sub(r"([()\[\]])", r" \1 ", text)
        for token in spaced.split():
            if token in "([":
                stack.append(Flat())
            elif token in ")]":
                inner = stack.pop()
                head = lc(inner.size) if token == ")" else ber_length(inner.size)
                stack[-1].add(head + inner.text, len(head) // 2 + inner.size)
            else:
                stack[-1].add(*self.token(token, named, response))
        if len(stack) != 1:
            raise ValueError(f"unbalanced brackets in {text!r}")
        return stack[0].text

    def token(self, token, named, response):
        if token.startswith("{"):
            return self.placeholder(token, named, response)
        if response and token == "**":
            return "**", 0
        if response and token == "?":
            return "??", 1
        digits = repeat(token)
        allowed = "[0-9A-F?]+" if response else "[0-9A-F]+"
        if not re.fullmatch(allowed, digits) or len(digits) % 2:
            raise ValueError(f"not bytes in hex: {token!r}")
        return digits, len(digits) // 2

    def placeholder(self, token, named, response):
        match = re.fullmatch(r"\{([a-z_0-9]+)(?::([0-9]+))?\}", token)
        if not match:
            raise ValueError(f"not a placeholder: {token!r}")
        name, size = match.groups()
        if size:
            if not response:
                raise ValueError(f"{token!r}: only a response can be captured")
            self.captured[name] = int(size)
            return token, int(size)
        if name in named:
            return named[name], len(named[name]) // 2
        sizes = RUNTIME | self.captured
        if name not in sizes:
            raise ValueError(f"nothing is called {name!r}")
        return token, sizes[name]


class Example:
    def __init__(self, entry, owner, contract):
        self.name = entry["name"]
        self.owner = owner
        self.state = entry.get("state", "personalised")
        self.effect = entry.get("effect", "none")
        self.fault = entry.get("fault", "")
        self.raw = entry.get("raw", False)
        self.select = entry.get("select", True)
        self.protocol = entry.get("protocol", "")
        self.application = entry.get("application", "attestation")
        self.secure = entry.get("secure", 0)
        if self.effect not in EFFECTS or self.fault not in FAULTS:
            raise ValueError(f"example {self.name}: unknown effect or fault")
        self.steps = [Step(line, contract.fixtures) for line in entry["exchange"]]

    def needs(self):
        """The runner's values that it uses; a card whose PIN is unknown is spared these."""
        text = "".join(step.flat for step in self.steps)
        return [name for name in RUNTIME if "{" + name + "}" in text]
