#!/usr/bin/env python3
"""Fingerprints as docs/FINGERPRINTS.md defines them, independently of the C
code: prints those of tests/fixtures/requests/fingerprints.jsonl.

    fingerprint.py FILE      one {"project","secret","body"} a line
"""
import hashlib
import json
import sys
from decimal import Decimal

SKIPPED = {"cache_control", "cachePoint"}
TEXT_TYPES = {"text", "input_text", "output_text"}


class Pairs(list):
    """An object, its repeated keys included."""


class Number(str):
    pass


class Digester:
    def __init__(self):
        self.read = 0
        self.most = 65536

    def text(self, text):
        data = text.encode("utf-16", "surrogatepass").decode(
            "utf-16", "replace").encode()
        if len(data) <= self.most:
            self.read += len(data)
            return hashed(b"s" + data)
        half = self.most // 2
        self.read += 2 * half
        return hashed(b"S" + len(data).to_bytes(8, "little") +
                      data[:half] + data[-half:])

    def member(self, key, value):
        return hashed(b"m" + self.text(key) + value)

    def value(self, value):
        if isinstance(value, Number):
            return hashed(b"n" + value.encode())
        if isinstance(value, str):
            return self.text(value)
        if value is None:
            return hashed(b"z")
        if isinstance(value, bool):
            return hashed(b"t" if value else b"f")
        if isinstance(value, Pairs):
            total = 0
            for key, inner in value:
                if key not in SKIPPED:
                    total = add(total, self.member(key, self.value(inner)))
            return hashed(b"o" + total.to_bytes(16, "little"))
        if type(value) is list:
            chain = bytes(16)
            for inner in value:
                chain = hashed(b"e" + chain + self.value(inner))
            return hashed(b"a" + chain)
        raise TypeError(value)

    def content(self, value):
        chain = bytes(16)
        if value is None:
            return chain
        parts = value if type(value) is list else [value]
        for part in parts:
            if type(value) is list and isinstance(part, Pairs):
                left = [(k, v) for k, v in part if k not in SKIPPED]
                named = dict(left)
                plain = ("text" in named and type(named["text"]) is str
                         and set(named) <= {"text", "type"}
                         and named.get("type", "text") in TEXT_TYPES)
                if not left:
                    continue
                whole = self.value(Pairs(left))
                one = Digester()
                one.most = self.most
                part = one.text(named["text"]) if plain else whole
            else:
                part = self.value(part)
            chain = hashed(b"e" + chain + part)
        return chain

    def message(self, value, told=None):
        role, content, rest = "user", bytes(16), 0
        if isinstance(value, Pairs):
            for key, inner in value:
                if key in SKIPPED:
                    continue
                if key in ("content", "parts"):
                    content = self.content(inner)
                elif key == "role" and isinstance(inner, str):
                    role = inner
                elif (key, inner) != ("type", "message"):
                    rest = add(rest, self.member(key, self.value(inner)))
        else:
            content = self.content(value)
        role = told or {"model": "assistant", "developer": "system"}.get(
            role, role)
        return hashed(b"M" + role.encode() + content +
                      rest.to_bytes(16, "little"))


def hashed(data):
    return hashlib.blake2b(data, digest_size=16).digest()


def add(total, part):
    return (total + int.from_bytes(part, "little")) % (1 << 128)


def number(text):
    """A whole number as such, anything else as it is written."""
    value = Decimal(text)
    if value == value.to_integral_value() and -2**63 <= value < 2**63:
        return str(int(value))
    return text


def parse(text):
    def mark(value):
        return Number(number(value))
    return json.loads(text, object_pairs_hook=Pairs, parse_int=mark,
                      parse_float=mark)


def fingerprint(project, secret, body):
    key = hashlib.blake2b(b"llmlab-fingerprint-1\0" + project.encode() +
                          b"\0" + secret.encode() + b"\0",
                          digest_size=32).digest()
    tools, system, messages = [], None, None
    for name, value in parse(body):
        if value is None:
            continue
        if name in ("messages", "input", "contents", "prompt"):
            messages = value
        elif name in ("system", "instructions", "systemInstruction",
                      "system_instruction"):
            system = value
        elif name == "tools":
            tools = value
        elif name == "toolConfig":
            tools = dict(value).get("tools", [])
    digester = Digester()
    chain, prefix = bytes(16), []

    def block(make):
        nonlocal chain
        digester.most = 65536 if digester.read < 65536 else 128
        chain = hashlib.blake2b(chain + make(), digest_size=16,
                                key=key).digest()
        prefix.append(chain[:8].hex())

    for tool in tools:
        block(lambda: hashed(b"T" + digester.value(tool)))
    if system is not None:
        block(lambda: digester.message(system, "system"))
    if messages is not None:
        for message in messages if type(messages) is list else [messages]:
            block(lambda: digester.message(message))
    return chain.hex(), prefix[:64]


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            whole, prefix = fingerprint(case["project"], case["secret"],
                                        case["body"])
            print(whole, " ".join(prefix))


if __name__ == "__main__":
    main()
