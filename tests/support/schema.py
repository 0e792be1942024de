"""A validator for the JSON Schema keywords that docs/wire.schema.json uses.

Needs nothing but the standard library, so that the wire is checked on every
machine. A keyword it does not know is an error, never ignored.
"""
import json
import re

_ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description"}

_TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: (isinstance(v, (int, float))
                         and not isinstance(v, bool)),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


class Invalid(Exception):
    """Where and why a value does not follow the schema."""


class Schema:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.root = json.load(file)

    def check(self, value):
        self._check(value, self.root, "$")

    def _resolve(self, reference):
        node = self.root
        if not reference.startswith("#/"):
            raise NotImplementedError(reference)
        for part in reference[2:].split("/"):
            node = node[part]
        return node

    def _check(self, value, schema, at):
        if schema is True:
            return
        if schema is False:
            raise Invalid(f"{at}: nothing may stand here")
        for keyword, argument in schema.items():
            if keyword in _ANNOTATIONS:
                continue
            check = getattr(self, "_" + keyword.lstrip("$"), None)
            if check is None:
                raise NotImplementedError(f"keyword {keyword}")
            check(value, argument, schema, at)

    def _ref(self, value, reference, _, at):
        self._check(value, self._resolve(reference), at)

    def _type(self, value, types, _, at):
        types = [types] if isinstance(types, str) else types
        if not any(_TYPES[name](value) for name in types):
            raise Invalid(f"{at}: {value!r:.60} is no {' or '.join(types)}")

    def _const(self, value, wanted, _, at):
        if value != wanted:
            raise Invalid(f"{at}: {value!r:.60} is not {wanted!r}")

    def _enum(self, value, choices, _, at):
        if value not in choices:
            raise Invalid(f"{at}: {value!r:.60} is none of {choices}")

    def _anyOf(self, value, schemas, _, at):
        faults = []
        for schema in schemas:
            try:
                return self._check(value, schema, at)
            except Invalid as fault:
                faults.append(str(fault))
        raise Invalid("; ".join(faults))

    def _properties(self, value, schemas, _, at):
        if isinstance(value, dict):
            for name in value.keys() & schemas.keys():
                self._check(value[name], schemas[name], f"{at}.{name}")

    def _additionalProperties(self, value, rest, schema, at):
        if isinstance(value, dict):
            for name in value.keys() - schema.get("properties", {}).keys():
                self._check(value[name], rest, f"{at}.{name}")

    def _required(self, value, names, _, at):
        if isinstance(value, dict):
            for name in names:
                if name not in value:
                    raise Invalid(f"{at}: {name} is missing")

    def _items(self, value, schema, _, at):
        if isinstance(value, list):
            for i, item in enumerate(value):
                self._check(item, schema, f"{at}[{i}]")

    def _minItems(self, value, least, _, at):
        if isinstance(value, list) and len(value) < least:
            raise Invalid(f"{at}: fewer than {least} items")

    def _maxItems(self, value, most, _, at):
        if isinstance(value, list) and len(value) > most:
            raise Invalid(f"{at}: more than {most} items")

    def _minimum(self, value, least, _, at):
        if _TYPES["number"](value) and value < least:
            raise Invalid(f"{at}: {value} is below {least}")

    def _maximum(self, value, most, _, at):
        if _TYPES["number"](value) and value > most:
            raise Invalid(f"{at}: {value} is above {most}")

    def _minLength(self, value, least, _, at):
        if isinstance(value, str) and len(value) < least:
            raise Invalid(f"{at}: shorter than {least}")

    def _maxLength(self, value, most, _, at):
        if isinstance(value, str) and len(value) > most:
            raise Invalid(f"{at}: longer than {most}")

    def _pattern(self, value, pattern, _, at):
        if isinstance(value, str) and not re.search(pattern, value):
            raise Invalid(f"{at}: {value!r:.60} does not match {pattern}")
