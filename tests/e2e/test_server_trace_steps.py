#!/usr/bin/env python3
"""The steps of a trace page by page: trees, rings, orphans, long traces, steps
that come late and in any order.

llmlab-test: threads timeout=600
"""

import decimal
import random
import statistics
import time

import serving
from serving import Base, Sender, new_trace, rfc3339

PRICE = decimal.Decimal("0.00000015")  # an input token of gpt-4o-mini
OUTPUT = decimal.Decimal("0.0000006")


def plain(value):
    return format(value.normalize(), "f")


class Steps(Base):
    def page(self, trace, **query):
        text = "&".join("%s=%s" % item for item in query.items())
        return self.server.get(self.read, "traces/%s/steps?%s" % (trace, text))

    def walk(self, trace, limit=50):
        rows, cursor = [], {}
        while True:
            status, page = self.page(trace, limit=limit, **cursor)
            self.assertEqual(status, 200, page)
            self.assertLessEqual(len(page["data"]), limit)
            rows += page["data"]
            if page["next_cursor"] is None:
                return rows
            cursor = {"cursor": page["next_cursor"]}

    def expected(self, steps):
        """(span, depth, children, steps, cost) in the order of the tree."""
        steps = sorted(steps, key=lambda s: (
            s["start"], int.from_bytes(bytes.fromhex(s["span_id"]), "big",
                                       signed=True)))
        known = {s["span_id"] for s in steps}
        children, roots = {}, []
        for step in steps:
            parent = step["parent_id"]
            if parent in known and parent != step["span_id"]:
                children.setdefault(parent, []).append(step)
            else:
                roots.append(step)
        rows, seen = [], set()

        def visit(root):
            stack = [(root, 0, None)]
            while stack:
                step, depth, above = stack.pop()
                if step["span_id"] in seen:
                    continue
                seen.add(step["span_id"])
                cost = decimal.Decimal(0)
                if step["type"] == "llm_call":
                    cost = (PRICE * step["usage"]["input_tokens"] +
                            OUTPUT * step["usage"]["output_tokens"])
                rows.append([step["span_id"], depth, 0, 1, cost, above])
                row = len(rows) - 1
                for child in reversed(children.get(step["span_id"], [])):
                    stack.append((child, depth + 1, row))

        for step in roots + steps:
            if step["span_id"] not in seen:
                visit(step)
        for row in reversed(rows):
            if row[5] is not None:
                above = rows[row[5]]
                above[2] += 1
                above[3] += row[3]
                above[4] += row[4]
        return [tuple(row[:4]) + (plain(row[4]),) for row in rows]

    def got(self, rows):
        return [(r["span_id"], r["depth"], r["child_count"],
                 r["subtree_steps"], r["subtree_cost_usd"]) for r in rows]

    def make(self, sender, count, parent_of, now=None):
        now = now or time.time_ns() - 3600 * 10**9
        steps = []
        for i in range(count):
            parent = parent_of(i, steps)
            steps.append(sender.step(
                parent_id=parent, start=rfc3339(now + i * 1000),
                type="llm_call" if i % 3 else "tool_call",
                **({"usage": {"input_tokens": random.randint(1, 10**6),
                              "output_tokens": random.randint(1, 9)}}
                   if i % 3 else {"usage": ..., "model": ...,
                                  "provider": ...})))
        # Usage counts on leaves alone.
        parents = {s["parent_id"] for s in steps}
        for step in steps:
            if step["span_id"] in parents and step["type"] == "llm_call":
                step["type"] = "agent"
                for name in ("usage", "model", "provider"):
                    del step[name]
        return steps

    def send(self, sender, steps, trace, size=1000):
        for at in range(0, len(steps), size):
            part = steps[at:at + size]
            self.accept(sender.batch(part, trace), accepted=len(part))

    def check(self, trace, steps, limit=50):
        rows = self.walk(trace, limit)
        self.assertEqual(self.got(rows), self.expected(steps))
        status, detail = self.server.get(self.read, "traces/" + trace)
        self.assertEqual(status, 200)
        total = sum((decimal.Decimal(r["subtree_cost_usd"])
                     for r in rows if r["depth"] == 0), decimal.Decimal(0))
        self.assertEqual(decimal.Decimal(detail["cost_usd"]), total)
        return rows, detail

    def test_trees_of_any_shape(self):
        shapes = {
            "flat": lambda i, s: s[0]["span_id"] if i else None,
            "chain": lambda i, s: s[-1]["span_id"] if i else None,
            "random": lambda i, s: random.choice(s)["span_id"] if i else None,
            "roots": lambda i, s: None,
            "orphans": lambda i, s: "%016x" % random.getrandbits(64),
        }
        for name, parent_of in shapes.items():
            with self.subTest(name):
                sender, trace = Sender(), new_trace()
                steps = self.make(sender, 120, parent_of)
                self.send(sender, steps, trace)
                rows, detail = self.check(trace, steps, limit=17)
                flat = []

                def walk(tree, depth):
                    for step in tree:
                        flat.append((step["span_id"], depth))
                        walk(step["children"], depth + 1)

                walk(detail["tree"], 0)
                self.assertEqual(
                    flat, [(r["span_id"], r["depth"]) for r in rows])

    def test_rings_of_parents(self):
        sender, trace = Sender(), new_trace()
        ids = ["%016x" % random.getrandbits(64) for _ in range(9)]
        now = time.time_ns() - 10**9
        steps = [sender.step(span_id=ids[i], start=rfc3339(now + i),
                             parent_id=ids[(i + 1) % 5], type="tool_call",
                             usage=..., model=..., provider=...)
                 for i in range(5)]
        # Its own parent, a ring of two, and a leaf below the ring.
        for i, parent in ((5, 5), (6, 7), (7, 6), (8, 2)):
            steps.append(sender.step(
                span_id=ids[i], start=rfc3339(now + i), parent_id=ids[parent],
                type="llm_call" if i == 8 else "tool_call",
                usage={"input_tokens": 10, "output_tokens": 1}
                if i == 8 else ..., model="gpt-4o-mini" if i == 8 else ...,
                provider="openai" if i == 8 else ...))
        random.shuffle(steps)
        self.accept(sender.batch(steps, trace), accepted=9)
        self.check(trace, steps, limit=2)

    def test_late_steps_between_pages(self):
        sender, trace = Sender(), new_trace()
        steps = self.make(sender, 60, lambda i, s: random.choice(s)["span_id"]
                          if i else None)
        held = steps[0], steps[30]  # the root is late
        parts = [s for s in steps if s not in held]
        random.shuffle(parts)
        self.accept(sender.batch(parts, trace, first=1, count=60),
                    accepted=None)
        self.check(trace, parts)
        late = Sender()
        for number, step in enumerate(held):
            step["n"] = number + 1
        self.accept(late.batch(list(held), trace), accepted=2)
        self.check(trace, steps, limit=7)
        # What comes between two pages makes nothing appear twice.
        status, first = self.page(trace, limit=20)
        new = late.step(n=3, parent_id=steps[5]["span_id"], type="tool_call",
                        usage=..., model=..., provider=...)
        self.accept(late.batch([new], trace), accepted=1)
        status, second = self.page(trace, limit=1000,
                                   cursor=first["next_cursor"])
        self.assertEqual(status, 200)
        seen = [r["span_id"] for r in first["data"] + second["data"]]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual({s["span_id"] for s in steps}, set(seen))

    def test_deletion_and_bad_questions(self):
        sender, trace = Sender(), new_trace()
        steps = self.make(sender, 5, lambda i, s: None)
        self.send(sender, steps, trace)
        status, page = self.page(trace, limit=2)
        cursor = page["next_cursor"]
        other = new_trace()
        self.accept(Sender().batch([Sender().step()], other), accepted=1)
        self.refused(400, "bad-parameter", self.page(other, cursor=cursor))
        self.refused(400, "bad-parameter", self.page(trace, cursor="00"))
        self.refused(400, "bad-parameter", self.page(trace, limit=1001))
        self.refused(400, "bad-parameter", self.page("xyz"))
        self.refused(404, "no-such-trace", self.page(new_trace()))
        status, _, _ = self.server.request(
            "DELETE", "/v1/projects/-/traces/" + trace, self.admin)
        self.assertEqual(status, 204)
        self.refused(404, "no-such-trace", self.page(trace, cursor=cursor))

    def memory(self):
        with open("/proc/%d/status" % self.server.process.pid) as file:
            for line in file:
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) // 1024

    def long(self, count):
        sender, trace = Sender(), new_trace()
        steps = self.make(sender, count,
                          lambda i, s: s[random.randrange(max(0, i - 50), i)]
                          ["span_id"] if i else None)
        for at in range(0, count, 5000):
            part = steps[at:at + 5000]
            random.shuffle(part)
            body = sender.batch(part, trace)
            status, reply = self.server.post(self.key, body)
            self.assertEqual((status, reply.get("accepted")),
                             (200, len(part)), reply)
        before = self.memory()
        rows, detail = self.check(trace, steps, limit=1000)
        self.assertEqual(detail["tree"] is None, count > 5000)
        times = []
        cursor = {}
        for _ in range(100):
            begin = time.perf_counter()
            status, page = self.page(trace, limit=50, **cursor)
            times.append(1000 * (time.perf_counter() - begin))
            cursor = ({"cursor": page["next_cursor"]}
                      if page["next_cursor"] else {})
        times.sort()
        print("%d steps: a page of 50 takes %.1f ms (median), %.1f (p99); "
              "peak memory %d -> %d MiB" % (
                  count, statistics.median(times), times[98], before,
                  self.memory()))
        return times[98]

    def test_3000_steps(self):
        self.long(3000)

    def test_100000_steps(self):
        self.long(100000)


if __name__ == "__main__":
    serving.main()
