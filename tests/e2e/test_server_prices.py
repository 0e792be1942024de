#!/usr/bin/env python3
"""What a project pays: /prices, and the calls that are priced with it.

llmlab-test: threads timeout=300
"""

import json
import threading

import serving
from serving import Base, Sender, new_trace

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


if __name__ == "__main__":
    serving.main()
