"""Replays through libllmlab into the real server: nothing is lost, and the
server's total is the sum of the effective costs, to the last digit."""
import datetime
import decimal
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"],
                                "tests", "support"))
import e2e  # noqa: E402


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


class Replay(unittest.TestCase):
    def setUp(self):
        self.server = e2e.Server()
        self.addCleanup(self.server.close)

    def replay(self, path, *options):
        """The summary; attempted = accepted = stored holds afterwards."""
        before = self.server.total()["spans"]
        result = e2e.llmlab("replay", "--json", path, *options,
                            env=self.server.env, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        summary = json.loads(result.stdout)
        stored = self.server.total()["spans"] - before
        self.assertEqual(summary["attempted"], summary["accepted"])
        self.assertEqual(summary["attempted"], summary["delivered"])
        self.assertEqual(summary["attempted"], stored)
        for name in ("rejected", "dropped", "duplicates"):
            self.assertEqual(summary[name], 0, name)
        return summary

    def check_replies(self, folder):
        at = now()
        rows = e2e.usage(folder, "--at-utc", at)
        summary = self.replay(folder, "--at-utc", at)
        total = self.server.total()
        expected = e2e.effective_sum(rows)
        self.assertEqual(decimal.Decimal(total["cost_usd"]), expected)
        self.assertEqual(decimal.Decimal(summary["cost_usd"]), expected)
        self.assertEqual(total["calls"], len(rows))
        self.assertEqual(summary["calls"], len(rows))
        self.assertEqual(total["unpriced_calls"], summary["unpriced_calls"])
        self.assertEqual(total["estimated_calls"], summary["estimated_calls"])
        # The store sums disjoint classes: a part that a provider states
        # above its whole counts up to the whole.
        for name, whole in (("input_tokens", "input_tokens"),
                            ("cache_read_tokens", "input_tokens"),
                            ("output_tokens", "output_tokens"),
                            ("reasoning_tokens", "output_tokens")):
            self.assertEqual(total[name],
                             sum(min(row["usage"].get(name, 0),
                                     row["usage"].get(whole, 0))
                                 for row in rows), name)
        self.check_groups(rows)

    def check_groups(self, rows):
        """Each provider's and model's sum, too."""
        groups = {}
        for row in rows:
            groups.setdefault((row["provider"], row["model"]), []).append(row)
        stored = self.server.get("costs?group_by=provider,model")["data"]
        for row in stored:
            # Labels above the server's cap a day are stored as "other".
            if row["model"] != "other":
                mine = groups.pop((row["provider"], row["model"]))
                self.assertEqual(decimal.Decimal(row["cost_usd"]),
                                 e2e.effective_sum(mine), row)
                self.assertEqual(row["calls"], len(mine), row)

    def test_fixtures(self):
        self.check_replies(e2e.FIXTURES)
        data = self.server.get("costs?group_by=provider,model")["data"]
        priced = [row for row in data if row["cost_usd"] != "0"]
        self.assertGreaterEqual(len({r["model"] for r in priced}), 5)
        self.assertGreaterEqual(len({r["provider"] for r in priced}), 3)

    def test_recorded_replies(self):
        if not (e2e.SHARED / "responses").exists():
            e2e.skip("test_recorded_replies", "../shared/data is not here")
            self.skipTest("../shared/data is not here")
        self.check_replies(e2e.SHARED / "responses")

    def test_production_workloads(self):
        folder = e2e.SHARED / "workloads"
        if not folder.exists():
            e2e.skip("test_production_workloads", "../shared/data is not here")
            self.skipTest("../shared/data is not here")
        for name in ("azure_llm_2023_conv.csv",
                     "mooncake_conversation_trace.jsonl"):
            path = folder / name
            lines = path.read_bytes().strip().count(b"\n") + 1
            calls = lines - (1 if name.endswith(".csv") else 0)
            summary = self.replay(path)
            self.assertEqual(summary["calls"], calls)
            self.assertEqual(summary["unpriced_calls"], 0)
        self.assertEqual(self.server.total()["unpriced_calls"], 0)

    def test_a_second_replay_adds_up(self):
        first = self.replay(e2e.FIXTURES)
        second = self.replay(e2e.FIXTURES)
        total = decimal.Decimal(self.server.total()["cost_usd"])
        self.assertEqual(total, decimal.Decimal(first["cost_usd"]) +
                         decimal.Decimal(second["cost_usd"]))

    def test_days_and_long_traces(self):
        # Steps of a trace lie up to 17 minutes apart here.
        self.replay(e2e.FIXTURES, "--days", "7", "--steps", "1000")
        self.replay(e2e.FIXTURES, "--days", "7")
        days = self.server.get("costs?granularity=daily")["data"]
        self.assertGreaterEqual(len(days), 7)
        self.assertEqual(sum(decimal.Decimal(day["cost_usd"])
                             for day in days),
                         decimal.Decimal(self.server.total()["cost_usd"]))

    def test_sampled_totals_stay_exact(self):
        at = now()
        result = e2e.llmlab("replay", "--json", "--at-utc", at, e2e.FIXTURES,
                            env={**self.server.env,
                                 "LLMLAB_SAMPLE_RATE": "0.4"})
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        rows = e2e.usage(e2e.FIXTURES, "--at-utc", at)
        total = self.server.total()
        self.assertEqual(decimal.Decimal(total["cost_usd"]),
                         e2e.effective_sum(rows))
        self.assertEqual(total["calls"], len(rows))
        self.assertEqual(total["spans"],
                         json.loads(result.stdout)["attempted"])
        traces = self.server.get("traces?limit=1000")["data"]
        self.assertLess(sum(t["steps"] for t in traces), total["spans"])
        self.check_groups(rows)

    def test_speed_and_traces(self):
        summary = self.replay(e2e.FIXTURES, "--speed", "1000", "--traces", "3",
                              "--steps", "2")
        self.assertEqual(summary["traces"], 3)
        self.assertEqual(summary["attempted"], 9)

    def test_recorded_times_are_refused_for_an_ingest_key(self):
        # Only an admin key may send calls older than the retention.
        old = self.server.path / "old.csv"
        old.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n"
                       "2023-11-16 18:15:46.6805900,374,44\n")
        self.replay(old, "--keep-times")
        key = self.server.make_key("other", "ingest")
        result = e2e.llmlab("replay", "--json", "--keep-times", old,
                            env={**self.server.env, "LLMLAB_API_KEY": key})
        self.assertEqual(result.returncode, 1)
        self.assertEqual(json.loads(result.stdout)["rejected"], 2)

    def test_questions(self):
        self.replay(e2e.FIXTURES)
        env = self.server.env
        total = self.server.total()
        for group_by in ("provider", "model", "agent", "status",
                         "environment", "key", "provider,model,agent"):
            table = e2e.llmlab("costs", "--group-by", group_by, env=env)
            self.assertEqual(table.returncode, 0, table.stderr)
            self.assertIn(total["cost_usd"].encode(),
                          table.stdout.splitlines()[-1])
        csv = e2e.llmlab("costs", "--csv", "--granularity", "daily",
                         "--tz", "Asia/Kathmandu", env=env)
        self.assertEqual(csv.stdout.split(b"\r\n")[0],
                         b"start,provider,model,calls,unpriced,input,"
                         b"cache read,output,cost USD")
        answer = json.loads(e2e.llmlab("costs", "--json", env=env).stdout)
        self.assertEqual(answer["total"]["cost_usd"], total["cost_usd"])
        dearest = json.loads(e2e.llmlab("traces", "--dearest", "--json",
                                        "--limit", "1000", env=env).stdout)
        costs = [decimal.Decimal(t["cost_usd"]) for t in dearest["data"]]
        self.assertEqual(costs, sorted(costs, reverse=True))
        self.assertEqual(sum(costs), decimal.Decimal(total["cost_usd"]))
        one = e2e.llmlab("trace", dearest["data"][0]["trace_id"], env=env)
        self.assertEqual(one.returncode, 0, one.stderr)
        self.assertIn(str(costs[0]).encode(), one.stdout)
        self.assertIn(b"llm_call", one.stdout)


if __name__ == "__main__":
    unittest.main()
