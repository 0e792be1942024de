"""llmlab spool list, check and send, against a real llmlab-server."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"], "tests",
                                "support"))
import spooled  # noqa: E402

LLMLAB = os.path.join(os.environ["LLMLAB_BUILD_DIR"], "bin", "llmlab")


class Spool(unittest.TestCase):
    def setUp(self):
        self.place = spooled.Place()
        self.addCleanup(self.place.close)
        self.place.start()

    def llmlab(self, *arguments, **more):
        return subprocess.run(
            [LLMLAB, "spool", *arguments], capture_output=True, text=True,
            timeout=60, env=self.place.environment(
                LLMLAB_URL=self.place.url, LLMLAB_API_KEY=self.place.key,
                **more))

    def leave(self, count=20):
        """The seed leaves segments and rings; none of them is delivered."""
        self.place.server.stop()
        lines = self.place.run("killed", self.place.url, self.place.key, "c",
                               str(count), "4711").splitlines()
        return sum(int(line.split()[2]) for line in lines)

    def test_list_send_list(self):
        ended = self.leave()
        listed = json.loads(self.llmlab("list", "--json").stdout)
        self.assertEqual(listed["directory"], self.place.spool)
        self.assertGreaterEqual(listed["calls"], ended)
        for instance in listed["instances"]:
            self.assertTrue(instance["yours"])
            self.assertFalse(instance["alive"])
        table = self.llmlab("list")
        self.assertIn(self.place.url, table.stdout)
        self.assertIn(f"{listed['calls']} calls in", table.stdout)
        self.assertNotIn(self.place.key, json.dumps(listed) + table.stdout)
        self.assertEqual(self.llmlab("check").returncode, 0)

        # Nobody is there.
        sent = self.llmlab("send", "--timeout", "1", "--json")
        self.assertEqual(sent.returncode, 1)
        self.assertGreaterEqual(json.loads(sent.stdout)["left"], 1)

        self.place.start()
        sent = self.llmlab("send", "--json")
        self.assertEqual(sent.returncode, 0, sent.stderr)
        told = json.loads(sent.stdout)
        self.assertEqual((told["left"], told["lost"]), (0, 0))
        listed = json.loads(self.llmlab("list", "--json").stdout)
        self.assertEqual((listed["calls"], listed["instances"]), (0, []))
        self.place.server.stop()
        names, _ = self.place.stored()
        self.assertGreaterEqual(sum(names.values()), ended)

    def test_another_key_sees_and_leaves_it(self):
        self.leave()
        other = self.place.server.key("two", "ingest")
        listed = json.loads(self.llmlab("list", "--json",
                                        "--key", other).stdout)
        self.assertTrue(listed["instances"])
        self.assertFalse(any(i["yours"] for i in listed["instances"]))
        self.place.start()
        sent = self.llmlab("send", "--json", "--key", other)
        self.assertEqual(json.loads(sent.stdout),
                         {"sent": 0, "left": 0, "lost": 0})
        after = json.loads(self.llmlab("list", "--json").stdout)
        self.assertEqual(after["calls"], listed["calls"])

    def test_check_tells_what_is_torn(self):
        self.leave()
        names = [n for n in os.listdir(self.place.spool)
                 if n.endswith(".seg")]
        name = max(names, key=lambda n: os.path.getsize(
            os.path.join(self.place.spool, n)))
        path = os.path.join(self.place.spool, name)
        os.truncate(path, os.path.getsize(path) - 5)
        checked = self.llmlab("check")
        self.assertEqual(checked.returncode, 1)
        self.assertIn("torn", checked.stderr)

    def test_misuse(self):
        self.assertEqual(self.llmlab().returncode, 2)
        self.assertEqual(self.llmlab("eat").returncode, 2)
        self.assertEqual(self.llmlab("send", "--timeout", "x").returncode, 2)
        self.assertEqual(self.llmlab("list", "--dir", "here").returncode, 1)
        empty = self.llmlab("list", "--dir", "/nowhere/at/all")
        self.assertEqual(empty.returncode, 0)
        self.assertIn("there is no spool", empty.stdout)


if __name__ == "__main__":
    if not os.path.exists(spooled.serving.SERVER):
        print("SKIP test_spool: llmlab-server is not built")
        sys.exit(77)
    unittest.main()
