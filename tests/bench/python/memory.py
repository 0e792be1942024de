"""memory.py: twice 300,000 spans as fast as they come: how much more memory the
process holds after the second than after the first, in which the queue grew to
its size; what was dropped, what the library counted."""

import json

import llmlab
from llmlab import span

SPANS = 300_000


def resident_kib():
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise SystemExit("no VmRSS")


def record(count):
    for i in range(count):
        with span("step", kind="tool") as step:
            step.set("docs", i)
            step.set("ok", True)
            step.set("name", "search")
            step.set("score", 0.5)


def main():
    client = llmlab.init(exporter="file", exporter_file="/dev/null",
                         queue_full="wait", queue_wait_ms=10000)
    record(SPANS)
    client.flush(10)
    before = resident_kib()
    record(SPANS)
    client.flush(10)
    stats = client.stats()
    print(json.dumps({"grown": resident_kib() - before,
                      "dropped": sum(stats["dropped"].values()),
                      "delivered": stats["delivered"],
                      "expected": 2 * SPANS}))


main()
