#!/usr/bin/env python3
"""What a project pays: /prices, and the calls that are priced with it.

llmlab-test: threads timeout=300
"""

import decimal
import json
import os
import subprocess
import threading
import time

import serving
from serving import Base, Sender, new_trace, rfc3339

# 1,000 input and 100 output tokens of gpt-4o-mini by the built-in table.
LIST_PRICE = "0.00021"
RATES = {"rates": {"input": "1", "output": "2"}}


class Prices(Base):
    def api(self, method, path, body=None, key=None, headers=None):
        sent = dict(headers or {})
        if body is not None:
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        status, got, reply = self.server.request(
            method, path, key or self.admin, body, sent)
        self.headers = got
        return status, json.loads(reply) if reply else None

    def add(self, **body):
        status, price = self.api("POST", "/v1/projects/-/prices", body)
        self.assertEqual(status, 201, price)
        self.addCleanup(self.api, "DELETE",
                        "/v1/projects/-/prices/%d" % price["id"])
        return price

    def drop(self, price):
        path = "/v1/projects/-/prices/%d" % price["id"]
        status, body = self.api("DELETE", path)
        self.assertEqual(status, 204, body)

    def cost(self, **members):
        """Send one call; what the server says it cost, and whose price."""
        sender = Sender()
        trace = new_trace()
        status, echo = self.server.post(
            self.admin, sender.batch([sender.step(**members)], trace))
        self.assertEqual((status, echo["rejected"]), (200, []))
        status, body = self.server.get(self.admin, "traces/" + trace)
        self.assertEqual(status, 200, body)
        step = body["tree"][0]
        return step["cost_usd"], step["price_key"]

    def test_a_change_keeps_no_connection(self):
        body = {"kind": "discount", "provider": "groq", "percent": "5"}
        files = []
        for _ in range(24):
            status, price = self.api("POST", "/v1/projects/-/prices", body)
            self.assertEqual(status, 201, price)
            self.drop(price)
            files.append(len(os.listdir("/proc/%d/fd" %
                                        self.server.process.pid)))
        self.assertLessEqual(files[-1], files[3] + 8, files)

    def test_an_override_prices_what_comes(self):
        self.assertEqual(self.cost()[0], LIST_PRICE)
        price = self.add(kind="override", model="gpt-4o-mini", prices=RATES,
                         note="contract 17")
        self.assertEqual((price["provider"], price["model"], price["from"],
                          price["prices"], price["note"]),
                         ("openai", "gpt-4o-mini", None, RATES, "contract 17"))
        self.assertEqual(self.cost()[0], "0.0012")
        path = "/v1/projects/-/prices/%d" % price["id"]
        status, same = self.api("GET", path)
        self.assertEqual((status, same), (200, price))
        tag = self.headers["ETag"]
        status, changed = self.api("PATCH", path, {
            "prices": {"rates": {"input": 2, "output": "2"}}},
            headers={"If-Match": tag})
        self.assertEqual(status, 200, changed)
        self.assertEqual(self.cost()[0], "0.0022")
        self.refused(412, "changed-meanwhile", self.api(
            "PATCH", path, {"note": ""}, headers={"If-Match": tag}))
        self.drop(price)
        self.assertEqual(self.cost()[0], LIST_PRICE)
        self.refused(404, "no-such-price", self.api("GET", path))
        self.refused(404, "no-such-price", self.api("DELETE", path))
        status, audit = self.api("GET", "/v1/projects/-/audit")
        self.assertEqual([e["action"] for e in audit["data"][:3]],
                         ["price.delete", "price.update", "price.create"])

    def test_dates(self):
        june = "2026-06-01T00:00:00.000000000Z"
        early = {"start": "2026-05-31T23:59:59Z"}
        late = {"start": june}
        override = self.add(kind="override", model="gpt-4o-mini", prices=RATES,
                            **{"from": "2026-06-01"})
        self.assertEqual(override["from"], june)
        self.assertEqual(self.cost(**early)[0], LIST_PRICE)
        self.assertEqual(self.cost(**late)[0], "0.0012")
        second = self.add(
            kind="override", model="gpt-4o-mini",
            prices={"rates": {"input": "3", "output": "0"}},
            **{"from": "2026-06-01T12:00:00Z"})
        self.assertEqual(self.cost(**late)[0], "0.0012")
        self.assertEqual(self.cost(start="2026-06-01T12:00:00Z")[0], "0.003")
        discount = self.add(kind="discount", provider="openai", percent="50",
                            **{"from": "2026-06-02"})
        self.assertEqual(self.cost(start="2026-06-01T12:00:00Z")[0], "0.003")
        self.assertEqual(self.cost(start="2026-06-02T00:00:00Z")[0], "0.0015")
        for price in (override, second, discount):
            self.drop(price)

    def test_aliases_and_unknown_models(self):
        call = {"provider": "acme", "model": "our-llama"}
        self.assertEqual(self.cost(**call)[0], None)
        problem = self.refused(400, "missing-field", self.api(
            "POST", "/v1/projects/-/prices",
            {"kind": "override", "model": "our-llama", "prices": RATES}))
        self.assertEqual(problem["field"], "provider")
        ours = self.add(kind="override", model="our-llama", provider="acme",
                        prices=RATES)
        alias = self.add(kind="alias", alias="house", model="our-llama")
        self.assertEqual(self.cost(**call)[0], "0.0012")
        self.assertEqual(self.cost(provider="x", model="house")[0], "0.0012")
        # What an alias leads to must stay.
        self.refused(400, "bad-field", self.api(
            "DELETE", "/v1/projects/-/prices/%d" % ours["id"]))
        self.assertEqual(self.cost(**call)[0], "0.0012")
        self.drop(alias)
        self.drop(ours)
        self.assertEqual(self.cost(**call)[0], None)

    def test_bad_prices(self):
        for body, field in (
                ({"kind": "alias", "alias": "a", "model": "no-model"},
                 "model"),
                ({"kind": "discount", "percent": "101"}, "percent"),
                ({"kind": "discount", "percent": "a"}, "percent"),
                ({"kind": "discount", "percent": "1", "alias": "x"}, "alias"),
                ({"kind": "gift"}, "kind"),
                ({"kind": "override", "model": "gpt-4o", "prices": {}},
                 "prices"),
                ({"kind": "override", "model": "gpt-4o",
                  "prices": {"rates": {"input": "-1"}}}, "prices"),
                ({"kind": "override", "model": "gpt-4o",
                  "prices": {"rates": {"inptu": "1"}}}, "prices"),
                ({"kind": "override", "model": "gpt-4o",
                  "prices": {"from": "2026-01-01"}}, "prices"),
                ({"kind": "override", "model": "gpt-4o",
                  "prices": {"rates": {"input": "9" * 20000}}}, "prices"),
                ({"kind": "override", "model": "gpt-4o", "prices": RATES,
                  "from": "soon"}, "from")):
            problem = self.refused(400, "bad-field", self.api(
                "POST", "/v1/projects/-/prices", body))
            self.assertEqual(problem["field"], field, body)
        for body in ({"kind": "discount"}, {"kind": "alias", "alias": "a"},
                     {"kind": "override", "model": "gpt-4o"}, {}):
            self.refused(400, "missing-field", self.api(
                "POST", "/v1/projects/-/prices", body))
        self.refused(403, "forbidden", self.api(
            "POST", "/v1/projects/-/prices",
            {"kind": "discount", "percent": "1"}, self.read))
        self.assertEqual(self.cost()[0], LIST_PRICE)
        status, page = self.api("GET", "/v1/projects/-/prices")
        self.assertEqual((status, page["data"]), (200, []))

    def test_one_of_a_kind(self):
        first = self.add(kind="discount", provider="openai", percent="10")
        self.refused(409, "price-exists", self.api(
            "POST", "/v1/projects/-/prices",
            {"kind": "discount", "provider": "openai", "percent": "20"}))
        more = [self.add(kind="alias", alias="a%d" % i, model="gpt-4o")
                for i in range(5)]
        status, page = self.api("GET", "/v1/projects/-/prices?limit=4")
        self.assertEqual([p["id"] for p in page["data"]],
                         [p["id"] for p in [first] + more[:3]])
        status, page = self.api("GET", "/v1/projects/-/prices?limit=4&cursor="
                                + page["next_cursor"])
        self.assertEqual([p["id"] for p in page["data"]],
                         [p["id"] for p in more[3:]])
        self.assertEqual(page["next_cursor"], None)
        for price in [first] + more:
            self.drop(price)

    def test_what_clients_get(self):
        status, config = self.api("GET", "/v1/sdk/config", key=self.key)
        self.assertEqual((status, config["prices"]), (200, None))
        made = [self.add(kind="override", model="gpt-4o-mini", prices=RATES),
                self.add(kind="discount", percent="12.5"),
                self.add(kind="alias", alias="azure/prod",
                         model="azure/gpt-4o")]
        status, config = self.api("GET", "/v1/sdk/config", key=self.key)
        prices = config["prices"]
        self.assertEqual(prices["models"], {"gpt-4o-mini": {
            "provider": "openai", "prices": [RATES]}})
        self.assertEqual(prices["aliases"], {"azure/prod": "azure/gpt-4o"})
        self.assertEqual(prices["discounts"], [{"percent": "12.5"}])
        status, file = self.api("GET", "/v1/projects/-/prices/file",
                                key=self.read)
        self.assertEqual((status, file), (200, prices))
        for price in reversed(made):
            self.drop(price)

    def test_others_pay_the_list_price(self):
        price = self.add(kind="override", model="gpt-4o-mini", prices=RATES)
        other = self.server.key("other", "admin")
        sender = Sender()
        trace = new_trace()
        self.server.post(other, sender.batch([sender.step()], trace))
        status, body = self.server.get(other, "traces/" + trace)
        self.assertEqual(body["tree"][0]["cost_usd"], LIST_PRICE)
        self.refused(404, "no-such-price", self.api(
            "GET", "/v1/projects/-/prices/%d" % price["id"], key=other))
        self.drop(price)

    def test_changes_under_load(self):
        """Each call costs what a price that held while it was sent says."""
        stop = threading.Event()
        allowed = {LIST_PRICE} | {
            "0.00%d" % n for n in range(1, 10)}
        seen = []

        def send():
            while not stop.is_set():
                seen.append(self.cost()[0])

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for n in range(1, 10):
                price = self.add(
                    kind="override", model="gpt-4o-mini",
                    prices={"rates": {"input": str(n), "output": "0"}})
                # It holds for who has seen that it is there.
                self.assertEqual(self.cost()[0], "0.00%d" % n)
                self.drop(price)
                self.assertEqual(self.cost()[0], LIST_PRICE)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertLessEqual(set(seen), allowed)

    def reprice(self, key=None, **body):
        status, job = self.api("POST", "/v1/projects/-/prices/reprice", body,
                               key)
        self.assertEqual(status, 202, job)
        path = "/v1/projects/-/jobs/%d" % job["id"]
        deadline = time.monotonic() + 120
        while job["state"] not in ("done", "dead"):
            self.assertLess(time.monotonic(), deadline, job)
            time.sleep(0.02)
            status, job = self.api("GET", path, key=key)
            self.assertEqual(status, 200, job)
        self.assertEqual((job["state"], job["error"]), ("done", None))
        return job["result"]

    def check(self, folder):
        """The sums are what the spans say."""
        found = subprocess.run(
            [serving.SERVER, "check", "--data", folder, "--json"],
            capture_output=True, text=True)
        self.assertEqual(found.returncode, 0, found.stdout + found.stderr)

    def test_stored_calls_are_priced_again(self):
        key = self.server.key("again", "admin")
        sender = Sender()
        day = 86400 * 10**9
        now = time.time_ns()
        calls = []
        for i in range(1000):
            calls.append(sender.step(
                start=rfc3339(now - i % 10 * day - 10**9),
                agent="a%d" % (i % 3), user="u%d" % (i % 7),
                tags=["t%d" % (i % 2), "all"],
                model=("gpt-4o-mini", "gpt-4o", "no-such-model")[i % 3],
                usage={"input_tokens": 1000 + i, "output_tokens": i}))
        calls += [sender.step(provider_cost="0.5"),
                  sender.step(type="tool_call", usage=..., model=...,
                              provider=...)]
        for i in range(0, len(calls), 100):
            status, echo = self.server.post(key, sender.batch(
                calls[i:i + 100], new_trace()))
            self.assertEqual((status, echo["rejected"]), (200, []))

        def costs(query=""):
            status, body = self.server.get(key, "costs?" + query)
            self.assertEqual(status, 200, body)
            return body

        before = costs()["total"]
        self.assertEqual(before["unpriced_calls"], 333)
        same = self.reprice(key)
        self.assertEqual((same["calls"], same["changed"], same["applied"]),
                         (1000, 0, False))
        self.assertEqual(same["before_usd"], same["after_usd"])

        for body in ({"kind": "override", "model": "gpt-4o-mini",
                      "prices": RATES},
                     {"kind": "override", "model": "no-such-model",
                      "provider": "openai", "prices": RATES}):
            status, price = self.api("POST", "/v1/projects/-/prices", body,
                                     key)
            self.assertEqual(status, 201, price)
        dry = self.reprice(key)
        self.assertEqual((dry["changed"], dry["newly_priced"],
                          dry["newly_unpriced"], dry["unreadable"]),
                         (667, 333, 0, 0))
        self.assertEqual({m["model"]: m["changed"] for m in dry["by_model"]},
                         {"gpt-4o-mini": 334, "no-such-model": 333})
        self.assertEqual(costs()["total"], before)

        def exact(wanted):
            """In 1e-6 USD, by the rates above: whole numbers."""
            return sum(1000 + i + 2 * i for i in range(1000) if wanted(i))

        # Three days of ten first; the others stay as they are.
        some = self.reprice(key, apply=True,
                            start=rfc3339(now - 3 * day))
        self.assertLess(some["changed"], 667)
        done = self.reprice(key, apply=True)
        self.assertEqual(done["changed"] + some["changed"], 667)
        self.assertEqual(done["after_usd"], dry["after_usd"])
        after = costs()["total"]
        self.assertEqual(after["unpriced_calls"], 0)
        self.assertEqual(
            decimal.Decimal(after["cost_usd"]),
            decimal.Decimal(dry["after_usd"]) + decimal.Decimal("0.5"))
        for model, rest in (("gpt-4o-mini", 0), ("no-such-model", 2)):
            status, body = self.server.get(key, "costs?model=" + model)
            self.assertEqual(
                decimal.Decimal(body["total"]["cost_usd"]),
                decimal.Decimal(exact(lambda i: i % 3 == rest)) / 10**6 +
                (decimal.Decimal("0.5") if rest == 0 else 0))
        again = self.reprice(key, apply=True)
        self.assertEqual(again["changed"], 0)
        self.check(self.server.folder)
        status, audit = self.api("GET", "/v1/projects/-/audit", key=key)
        self.assertEqual(audit["data"][0]["action"], "job.create")
        self.refused(403, "forbidden", self.api(
            "POST", "/v1/projects/-/prices/reprice", {}, self.read))
        self.refused(400, "bad-field", self.api(
            "POST", "/v1/projects/-/prices/reprice",
            {"start": rfc3339(now), "end": rfc3339(now)}, key))

    def test_pricing_again_while_calls_come(self):
        key = self.server.key("busy", "admin")
        stop = threading.Event()
        counts = []

        def send():
            sender = Sender()
            while not stop.is_set():
                self.server.post(key, sender.batch(
                    [sender.step() for _ in range(20)], new_trace()))
                counts.append(20)

        threads = [threading.Thread(target=send) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for n in range(1, 6):
                status, price = self.api("POST", "/v1/projects/-/prices", {
                    "kind": "override", "model": "gpt-4o-mini",
                    "prices": {"rates": {"input": str(n), "output": "0"}}},
                    key)
                self.assertEqual(status, 201, price)
                self.reprice(key, apply=True)
                if n < 5:
                    self.api("DELETE", "/v1/projects/-/prices/%d"
                             % price["id"], key=key)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.reprice(key, apply=True)
        status, body = self.server.get(key, "costs")
        self.assertEqual(decimal.Decimal(body["total"]["cost_usd"]),
                         decimal.Decimal(sum(counts)) * 5 / 1000)
        self.check(self.server.folder)


if __name__ == "__main__":
    serving.main()
