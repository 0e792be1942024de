"""docs/GUARANTEES.md is true: the tests it names are there, each switch it
names is in the library and is one that a named test is run with, and no switch
is missing from it."""
import os
import pathlib
import re
import unittest

TOP = pathlib.Path(os.environ["LLMLAB_SOURCE_DIR"])
TEXT = (TOP / "docs" / "GUARANTEES.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")]
        for line in TEXT.splitlines() if re.match(r"\| \d+ \|", line)]


def links(cell):
    return [TOP / "docs" / path
            for path in re.findall(r"\]\(([^)]+)\)", cell)]


def switches_of(path):
    """What a test says to be run with."""
    if not path.is_file():
        return set()
    found = re.search(r"llmlab-" r"sabotage:([^\n*\"]*)", path.read_text())
    return set(found.group(1).split()) - {"long"} if found else set()


class Guarantees(unittest.TestCase):
    def test_all_promises_are_there(self):
        self.assertEqual([int(row[0]) for row in ROWS], list(range(1, 13)))

    def test_named_tests_exist(self):
        for row in ROWS:
            for path in links(row[2]):
                self.assertTrue(path.exists(), path)

    def test_switches_are_real(self):
        known = set()
        for source in (TOP / "src").rglob("*.c"):
            known |= set(re.findall(r'llmlab__sabotaged\("(\w+)"\)',
                                    source.read_text()))
        named = set()
        for row in ROWS:
            switches = set(re.findall(r"`(\w+)`", row[3]))
            if not switches:
                self.assertIn("yet", row[3])
                continue
            run = set().union(*(switches_of(p) for p in links(row[2])))
            self.assertLessEqual(switches, run, row)
            named |= switches
        self.assertEqual(named, known)


if __name__ == "__main__":
    unittest.main()
