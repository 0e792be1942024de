#!/usr/bin/env python3
"""DESIGN's rules of merging a trace, under attack: random trees from several
senders in any order, with duplicates, late roots, late usage below a call,
values of the trace, deletions and re-pricing. After each, sums and traces are
those of an oracle, exactly, and llmlab-server check finds nothing.

llmlab-test: threads timeout=300
"""

import collections
import decimal
import json
import os
import random
import subprocess
import time

import serving
from serving import SERVER, Base, Sender, new_trace, rfc3339

SEED = int(os.environ.get("LLMLAB_SEED", "20260821"))
SECONDS = float(os.environ.get("LLMLAB_SECONDS", "15"))
DECIMAL = decimal.Decimal
LIST = {"gpt-4o-mini": (DECIMAL("0.15"), DECIMAL("0.60")),
        "gpt-4o": (DECIMAL("2.50"), DECIMAL("10.00"))}
CALLS = ("llm_call", "embedding")


class Trace:
    def __init__(self):
        self.id = new_trace()
        self.steps = {}  # span id: the step as it is stored

    def counted(self):
        """Usage counts where nothing below carries usage or a cost."""
        above = set()
        for step in self.steps.values():
            if "usage" in step or "provider_cost" in step:
                at = step["parent_id"]
                while at in self.steps and at not in above:
                    above.add(at)
                    at = self.steps[at]["parent_id"]
        return {span: span not in above for span in self.steps}


class Oracle:
    def __init__(self):
        self.traces = {}
        self.gone = []  # what deleted steps added
        self.rates = dict(LIST)

    def cost(self, step):
        """The effective cost; None: unpriced."""
        if "provider_cost" in step:
            return DECIMAL(step["provider_cost"])
        if "usage" not in step or step["model"] not in self.rates:
            return None
        rates = self.rates[step["model"]]
        return (step["usage"]["input_tokens"] * rates[0] +
                step["usage"]["output_tokens"] * rates[1]) / 10**6

    def rows(self, trace):
        rows = []
        for span, counted in trace.counted().items():
            step = trace.steps[span]
            call = (step["type"] in CALLS or "usage" in step or
                    "provider_cost" in step)
            row = {"agent": step["agent"], "user": step["user"],
                   "model": step.get("model"), "status": step["status"],
                   "session": step["session"], "tags": step["tags"],
                   "spans": 1, "calls": 0, "unpriced_calls": 0,
                   "input_tokens": 0, "output_tokens": 0,
                   "cost_usd": DECIMAL(0)}
            if counted and call:
                cost = step["paid"]
                usage = step.get("usage", {})
                row["calls"] = 1
                row["input_tokens"] = usage.get("input_tokens", 0)
                row["output_tokens"] = usage.get("output_tokens", 0)
                row["cost_usd"] = cost or DECIMAL(0)
                row["unpriced_calls"] = int(
                    cost is None and ("usage" in step or
                                      step["status"] == "success"))
            rows.append(row)
        return rows

    def all_rows(self):
        rows = list(self.gone)
        for trace in self.traces.values():
            rows += self.rows(trace)
        return rows

    def store(self, trace, steps, given):
        for step in steps:
            stored = dict(step, paid=self.cost(step))
            trace.steps.setdefault(step["span_id"], stored)
        for step in trace.steps.values():
            for name in ("agent", "user", "session"):
                if step[name] is None:
                    step[name] = given.get(name)

    def delete(self, trace):
        self.gone += self.rows(trace)
        trace.steps = {}

    def reprice(self):
        for trace in self.traces.values():
            for step in trace.steps.values():
                step["paid"] = self.cost(step)


NUMBERS = ("spans", "calls", "unpriced_calls", "input_tokens",
           "output_tokens", "cost_usd")


def add_up(rows):
    total = {name: 0 for name in NUMBERS}
    for row in rows:
        for name in NUMBERS:
            total[name] += row[name]
    return total


class Merge(Base):
    def api(self, method, path, body=None):
        status, _, reply = self.server.request(
            method, "/v1/projects/-/" + path, self.admin,
            None if body is None else json.dumps(body),
            {} if body is None else {"Content-Type": "application/json"})
        return status, json.loads(reply) if reply else None

    def random_step(self, trace, at):
        """A step below a known one, one that never comes, or one to come."""
        chance = self.chance
        step = {"span_id": "%016x" % chance.getrandbits(63),
                "parent_id": None,
                "type": chance.choice(("llm_call", "llm_call", "tool_call",
                                       "agent", "embedding")),
                "name": "n", "latency_ms": chance.randint(0, 9000),
                "start": rfc3339(at),
                "status": chance.choice(("success",) * 4 +
                                        ("error", "cancelled")),
                "agent": chance.choice((None, "a0", "a1")),
                "user": chance.choice((None, "u0", "u1", "u2")),
                "session": chance.choice((None, None, "s0", "s1")),
                "tags": chance.sample(("t0", "t1", "t2"),
                                      chance.randint(0, 3))}
        if step["type"] in CALLS:
            step["provider"] = "openai"
            step["model"] = chance.choice(("gpt-4o-mini", "gpt-4o",
                                           "nobody-knows"))
            if chance.random() < 0.8:
                step["usage"] = {"input_tokens": chance.randint(0, 10**6),
                                 "output_tokens": chance.randint(0, 10**5)}
            if chance.random() < 0.15:
                step["provider_cost"] = "0.%015d" % chance.randint(
                    0, 10**15 - 1)
        return step

    def plan_make(self):
        """A tree of steps, dealt to senders in any order."""
        chance = self.chance
        trace = Trace()
        base = time.time_ns() - chance.randint(1, 40 * 86400) * 10**9
        steps = []
        for i in range(chance.randint(1, 40)):
            step = self.random_step(trace, base + i * 10**9)
            kind = chance.random()
            if steps and kind < 0.85:
                step["parent_id"] = chance.choice(steps)["span_id"]
            elif kind > 0.95:
                step["parent_id"] = "%016x" % chance.getrandbits(63)
            steps.append(step)
        order = chance.choice((chance.shuffle, list.reverse, lambda s: None))
        order(steps)
        given = {}
        for name, value in (("agent", "ga"), ("user", "gu"),
                            ("session", "gs")):
            if chance.random() < 0.4:
                given[name] = value
        self.oracle.traces[trace.id] = trace
        return [trace, steps, given]

    def send(self, plan):
        chance, (trace, steps, given) = self.chance, plan
        count = min(len(steps), chance.randint(1, 8))
        part, steps[:] = steps[:count], steps[count:]
        sender = chance.choice(self.senders)
        sent = []
        for step in part:
            sent.append(dict({k: v for k, v in step.items()
                              if v is not None or k == "parent_id"},
                             n=sender.next))
            sender.next += 1
        if chance.random() < 0.3:
            self.chance.shuffle(sent)
        said = given if chance.random() < 0.5 else {}
        fields = {"agent_name" if k == "agent" else k: v
                  for k, v in said.items()}
        batch = sender.batch(sent, trace.id, **fields)
        self.accept(batch, accepted=count)
        self.oracle.store(trace, part, said)
        self.sent.append((batch, trace, said))
        if chance.random() < 0.3:  # the reply was lost
            self.accept(batch, accepted=0, duplicate=count)
        if chance.random() < 0.2 and trace.steps:  # another process has it too
            other = chance.choice(self.senders)
            again = chance.choice(sent)
            copy = dict(again, n=other.next)
            other.next += 1
            self.accept(other.batch([copy], trace.id), accepted=0,
                        duplicate=1)

    def compare(self):
        rows = self.oracle.all_rows()
        first = time.strftime("%Y-%m-%d", time.gmtime(time.time() -
                                                      60 * 86400))
        for group in (None, "agent", "user", "model", "status", "tag"):
            status, reply = self.server.get(
                self.read, "costs?granularity=total&start_date=" + first +
                ("&group_by=" + group if group else ""))
            self.assertEqual(status, 200, reply)
            expected = collections.defaultdict(list)
            for row in rows:
                keys = ((row["tags"] or [None] if group == "tag" else [row[group]])
                        if group else [None])
                for key in keys:
                    expected[key].append(row)
            got = ({row.get(group): row for row in reply["data"]}
                   if group else {None: reply["total"]})
            for key in sorted(set(got) | set(expected), key=str):
                want = add_up(expected.get(key, []))
                if key not in got and want["calls"] == 0 and group:
                    continue  # groups without a call are not shown
                have = got.get(key)
                have = {name: (DECIMAL(have[name]) if name == "cost_usd"
                               else have[name]) if have else 0
                        for name in NUMBERS}
                self.assertEqual(have, want, (group, key, sorted(got, key=str), self.where))
        for trace in self.oracle.traces.values():
            self.compare_trace(trace)

    def compare_trace(self, trace):
        status, detail = self.server.get(self.read, "traces/" + trace.id)
        if not trace.steps:
            self.assertEqual(status, 404, self.where)
            return
        self.assertEqual(status, 200, detail)
        total = add_up(self.oracle.rows(trace))
        for name in ("calls", "unpriced_calls", "input_tokens",
                     "output_tokens"):
            self.assertEqual(detail[name], total[name],
                             (name, trace.id, self.where))
        self.assertEqual(DECIMAL(detail["cost_usd"]), total["cost_usd"],
                         (trace.id, self.where))
        self.assertEqual(detail["steps"], len(trace.steps))
        self.assertEqual(detail["errors"], sum(
            s["status"] == "error" for s in trace.steps.values()))
        rows, cursor = [], ""
        while cursor is not None:
            status, page = self.server.get(
                self.read, "traces/%s/steps?limit=1000%s" % (trace.id, cursor))
            self.assertEqual(status, 200, page)
            rows += page["data"]
            cursor = page["next_cursor"]
        counted = trace.counted()
        for row in rows:
            step = trace.steps[row["span_id"]]
            for name in ("agent", "user", "session", "parent_id", "status"):
                self.assertEqual(row[name], step[name],
                                 (name, row["span_id"], self.where))
            cost = row["cost_usd"]
            self.assertEqual(None if cost is None else DECIMAL(cost),
                             step["paid"] if step["type"] in CALLS else None)
            if step["type"] in CALLS:
                self.assertEqual(row["counted"], counted[row["span_id"]],
                                 (row["span_id"], self.where))
        self.assertEqual({r["span_id"] for r in rows}, set(trace.steps))
        self.assertEqual(sum(DECIMAL(r["subtree_cost_usd"]) for r in rows
                             if r["depth"] == 0), total["cost_usd"])

    def delete(self):
        traces = [t for t in self.oracle.traces.values() if t.steps]
        if traces:
            trace = self.chance.choice(traces)
            self.assertEqual(self.api("DELETE", "traces/" + trace.id)[0], 204)
            self.oracle.delete(trace)
            batch, trace, said = self.chance.choice(self.sent)
            steps = batch["traces"][0]["steps"]
            self.accept(batch, accepted=0, duplicate=len(steps))
            self.oracle.store(trace, [], said)

    def reprice(self):
        model = self.chance.choice(sorted(LIST))
        rates = [DECIMAL(self.chance.randint(0, 10**6)) / 10**4
                 for _ in range(2)]
        status, price = self.api("POST", "prices", {
            "kind": "override", "model": model, "prices": {
                "rates": {"input": str(rates[0]), "output": str(rates[1])}}})
        self.assertEqual(status, 201, price)
        self.oracle.rates[model] = tuple(rates)
        # What came before is priced again now, and with what comes later the
        # same price holds.
        for _ in range(2):
            status, job = self.api("POST", "prices/reprice", {"apply": True})
            self.assertEqual(status, 202, job)
            deadline = time.monotonic() + 60
            while job["state"] not in ("done", "dead"):
                self.assertLess(time.monotonic(), deadline, job)
                time.sleep(0.02)
                status, job = self.api("GET", "jobs/%d" % job["id"])
            self.assertEqual(job["state"], "done", job)
        self.oracle.reprice()
        self.assertEqual(
            self.api("DELETE", "prices/%d" % price["id"])[0], 204)
        self.oracle.rates = dict(LIST)

    def test_any_order_gives_the_same_sums(self):
        end = time.monotonic() + SECONDS
        rounds = 0
        self.sent = []
        self.oracle = Oracle()
        while time.monotonic() < end:
            self.where = "LLMLAB_SEED=%d, round %d" % (SEED, rounds)
            self.chance = random.Random(SEED * 1000 + rounds)
            self.senders = [Sender() for _ in range(3)]
            plans = [self.plan_make() for _ in range(self.chance.randint(1,
                                                                         5))]
            while plans:
                plan = self.chance.choice(plans)
                self.send(plan)
                if not plan[1]:
                    plans.remove(plan)
                what = self.chance.random()
                if what < 0.05:
                    self.delete()
                elif what < 0.07:
                    self.reprice()
            self.compare()
            rounds += 1
        done = subprocess.run(
            [SERVER, "check", "--data", self.server.folder, "--json"],
            capture_output=True, text=True, timeout=120)
        result = json.loads(done.stdout)
        self.assertEqual((done.returncode, result["differences"]), (0, 0),
                         (result, done.stderr, self.where))
        print("%d rounds, %d traces, %d steps stored, seed %d" % (
            rounds, len(self.oracle.traces), sum(
                len(t.steps) for t in self.oracle.traces.values()), SEED))


if __name__ == "__main__":
    serving.main()
