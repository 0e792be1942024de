"""summarize.py FOLDER: read the JUnit files that ctest wrote (one a build)
and end with one line: N passed, N failed, N skipped. A CMocka program, a
unittest script and a pytest run count by their cases, everything else counts
as one."""

import pathlib
import re
import sys
import xml.etree.ElementTree as ET

CMOCKA = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] (\S+?)\s*$", re.M)
CMOCKA_SUMMARY = re.compile(r"^\[==========\].*test\(s\) run\.", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n?OK(?:.*skipped=(\d+))?",
                      re.M)
UNITTEST_SKIPPED = re.compile(r"^(\w+) .*?\.\.\. skipped ['\"](.*)['\"]$",
                              re.M)
PYTEST = re.compile(r"^(\S+::.+?) (PASSED|FAILED|SKIPPED|ERROR)"
                    r"(?: \((.*)\))?\s*\[ *\d+%\]$", re.M)
REASON = re.compile(r"^SKIP (.+)$", re.M)


def cases(name, case):
    """Yield (name, outcome, reason) of what one ctest ran."""
    output = case.findtext("system-out") or ""
    reasons = REASON.findall(output)
    status = case.get("status")
    if status in ("notrun", "disabled") or case.find("skipped") is not None:
        why = case.find("skipped")
        why = "" if why is None else why.get("message", "")
        if status == "disabled" or "SKIP_RETURN_CODE" in why:
            yield name, "skipped", "; ".join(reasons)
        else:  # its program is not there
            yield name, "failed", "not run"
        return
    failed = status == "fail" or case.find("failure") is not None
    if case.get("name").startswith("sabotage_"):
        # Its cases are to fail: it is one that passes when one of them does.
        yield name, "failed" if failed else "passed", ""
        return

    found = []  # (word, name, why) of each CMocka case
    for part in CMOCKA_SUMMARY.split(output):
        # What follows a group's summary repeats the names of its failures.
        part = part[part.find("[ RUN"):] if "[ RUN" in part else ""
        end = 0
        for line in CMOCKA.finditer(part):
            why = REASON.findall(part[end:line.start()])
            found.append((*line.groups(), "; ".join(why)))
            end = line.end()
    if found:
        words = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}
        for word, inner, why in found:
            yield f"{name}: {inner}", words[word], why
        if failed and not any(word == "FAILED" for word, *_ in found):
            yield name, "failed", "crash, leak or time-out"
        return

    ran = UNITTEST.search(output)
    if ran and not failed:
        skipped = UNITTEST_SKIPPED.findall(output)
        silent = int(ran.group(2) or 0) - len(skipped)
        skipped += [("case", "; ".join(reasons) or "no reason told")] * silent
        for _ in range(int(ran.group(1)) - len(skipped)):
            yield name, "passed", ""
        for inner, why in skipped:
            yield f"{name}: {inner}", "skipped", why
        return

    found = PYTEST.findall(output)
    for inner, word, why in found:
        word = {"PASSED": "passed", "SKIPPED": "skipped"}.get(word, "failed")
        yield f"{name}: {inner}", word, why
    if not found or failed and not any(word in ("FAILED", "ERROR")
                                       for _, word, _ in found):
        yield name, "failed" if failed else "passed", ""


def main():
    folder = pathlib.Path(sys.argv[1])
    outcomes = {"passed": [], "failed": [], "skipped": []}
    for path in sorted(folder.glob("*.xml")):
        for case in ET.parse(path).getroot().iter("testcase"):
            name = f"{path.stem}: {case.get('name')}"
            for inner, outcome, reason in cases(name, case):
                outcomes[outcome].append(
                    f"{inner} ({reason})" if reason else inner)
    for path in sorted(folder.glob("*.failed")):
        outcomes["failed"].append(path.read_text().strip())
    for path in sorted(folder.glob("*.skipped")):
        outcomes["skipped"].append(path.read_text().strip())

    for outcome in ("skipped", "failed"):
        for name in sorted(set(outcomes[outcome])):
            print(f"{outcome}: {name}")
    print(", ".join(f"{len(names)} {outcome}"
                    for outcome, names in outcomes.items()))
    sys.exit(1 if outcomes["failed"] or not outcomes["passed"] else 0)


main()
