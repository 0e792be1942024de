"""Promise 6: nothing accepted is lost by a crash. Short-lived processes die by
SIGKILL, abort, SIGSEGV and plain exits at random moments, two at a time on one
spool, and each span whose end had returned is in a real server's store once.

LLMLAB_KILLS says how many; LLMLAB_SEED repeats a run.
llmlab-test: timeout=900
llmlab-sabotage: spool_unwritten consumed_untold"""
import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"], "tests",
                                "support"))
import spooled  # noqa: E402

KILLS = int(os.environ.get("LLMLAB_KILLS", "300"))
SEED = int(os.environ.get("LLMLAB_SEED", "0")) or random.getrandbits(32)


class Kill(unittest.TestCase):
    def test_what_ended_is_stored_once(self):
        print(f"seed {SEED}, {KILLS} processes", flush=True)
        place = spooled.Place()
        self.addCleanup(place.close)
        place.start()
        children = {}
        rounds = max(2, KILLS // 1000)
        for i in range(rounds):
            share = str(KILLS // rounds // 2)
            lines = [place.begin("killed", place.url, place.key, name, share,
                                 str(SEED + 2 * i + offset))
                     for offset, name in enumerate((f"a{i}", f"b{i}"))]
            # The server is away for a while.
            time.sleep(0.2)
            if i % 2 == 0:
                place.server.stop()
                time.sleep(0.5)
                place.start()
            for process, name in zip(lines, (f"a{i}", f"b{i}")):
                for line in process.stdout:
                    child, thread, ends = map(int, line.split())
                    children[f"{name}-{child}-{thread}"] = ends
                process.stdout.close()
                self.assertEqual(process.wait(), 0)
            if i < rounds - 1:
                place.run("killed", place.url, place.key, "recover")
        print(place.run("killed", place.url, place.key, "recover"), end="")
        place.server.stop()

        names, numbers = place.stored()
        lost, twice, strange = spooled.judge(names, children)
        print(f"{sum(children.values())} ends returned, {len(names)} stored, "
              f"{len(lost)} lost, {len(twice)} twice, {len(strange)} strange; "
              f"{numbers} numbers")
        self.assertEqual((lost[:9], twice[:9], strange[:9]), ([], [], []))
        # Nor was one sent under two numbers.
        self.assertEqual(numbers, sum(names.values()))
        # But files that a killed process had not yet named, for a minute.
        self.assertEqual([n for n in place.left() if n[0] != "."], [])


if __name__ == "__main__":
    if not os.path.exists(spooled.serving.SERVER):
        print("SKIP test_kill: llmlab-server is not built")
        sys.exit(77)
    unittest.main()
