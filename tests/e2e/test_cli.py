"""The llmlab command: options, help, exit codes, what garbage gets."""
import json
import os
import pathlib
import resource
import select
import signal
import subprocess
import tempfile
import time
import unittest

LLMLAB = os.path.join(os.environ["LLMLAB_BUILD_DIR"], "bin", "llmlab")
# No variable of the machine may decide a test.
ENVIRONMENT = {k: v for k, v in os.environ.items()
               if not k.startswith("LLMLAB_")}
# Nothing of a test in the user's own spool.
ENVIRONMENT["LLMLAB_SPOOL_MODE"] = "off"


def run(*arguments, stdin=b"", **more):
    return subprocess.run([LLMLAB, *arguments], input=stdin, timeout=60,
                          capture_output=True, env={**ENVIRONMENT, **more})


class Frame(unittest.TestCase):
    def test_nothing_asked(self):
        result = run()
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"usage: llmlab", result.stderr)
        self.assertEqual(result.stdout, b"")

    def test_help_lists_every_command_and_each_has_its_own(self):
        listing = run("help")
        self.assertEqual(listing.returncode, 0)
        names = [line.split()[0] for line in listing.stdout.decode().split("\n")
                 if line.startswith("  ") and not line.startswith("   ")]
        self.assertIn("replay", names)
        for name in set(names) - {"help"}:
            one = run(name, "--help")
            self.assertEqual(one.returncode, 0, name)
            self.assertTrue(one.stdout.startswith(
                f"usage: llmlab {name}".encode()), name)
            self.assertEqual(run("help", name).stdout, one.stdout, name)
            for line in one.stdout.decode().split("\n"):
                self.assertLessEqual(len(line), 100, line)

    def test_unknown_command_names_the_nearest(self):
        result = run("replya")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b'did you mean "replay"', result.stderr)

    def test_unknown_option_names_the_nearest(self):
        result = run("replay", "--sped", "1", "x.csv")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"did you mean --speed?", result.stderr)

    def test_bad_values_are_misuse(self):
        for arguments in (["replay"], ["replay", "a", "b"],
                          ["replay", "--speed", "fast", "x.csv"],
                          ["replay", "--speed", "-1", "x.csv"],
                          ["replay", "--traces", "0", "x.csv"],
                          ["replay", "--traces", "12x", "x.csv"],
                          ["replay", "--at-utc", "soon", "x.csv"],
                          ["replay", "--traces"],
                          ["replay", "--json=1", "x.csv"],
                          ["usage", "--at-utc", "2026-13-01"],
                          ["usage", "--jsonl", "file"],
                          ["usage", "--prices", "/nonexistent"]):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(b"llmlab: ", result.stderr, arguments)

    def test_a_full_disk_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([LLMLAB, "help"], stdout=full,
                                    stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"No space left", result.stderr)

    def test_a_file_that_may_not_grow_is_a_failure(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

        with tempfile.TemporaryFile() as small:
            result = subprocess.run([LLMLAB, "help"], stdout=small,
                                    stderr=subprocess.PIPE, timeout=60,
                                    preexec_fn=limit)
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"File too large", result.stderr)


class Usage(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        (self.root / "ok.json").write_text(
            '{"id":"c","object":"chat.completion","model":"gpt-4o-mini",'
            '"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,'
            '"total_tokens":15}}')

    def tearDown(self):
        self.folder.cleanup()

    def test_one_bad_line_does_not_stop_the_rest(self):
        good = (b'{"id":"a","provider":"openai","api":"chat_completions",'
                b'"status":200,"response_file":"ok.json"}\n')
        bad = [b"{", b"nonsense", b'"text"', b"[]", b"\xff\xfe\x00",
               b'{"id":1}', b'{"response_file":7}', b'{"a":1} trailing',
               b'{"response_file":"gone.json"}', b"[" * 100000,
               b'{"response_file":"' + b"x" * 5000 + b'"}']
        result = run("usage", "--jsonl", "--root", str(self.root),
                     stdin=good + b"\n".join(bad) + b"\n\n" + good)
        self.assertEqual(result.returncode, 1)
        lines = result.stdout.decode().splitlines()
        self.assertEqual(len(lines), 2 + len(bad))
        for line in lines[1:-1]:
            self.assertTrue(json.loads(line)["error"])
        self.assertEqual(lines[0], lines[-1])
        self.assertIn('"cost_usd":"0.0000045"', lines[0])
        for number in range(2, 2 + len(bad)):
            self.assertIn(f"line {number}: ".encode(), result.stderr)

    def test_each_line_is_answered_at_once(self):
        line = (b'{"id":"a","provider":"openai","api":"chat_completions",'
                b'"response_file":"ok.json"}\n')
        with subprocess.Popen(
                [LLMLAB, "usage", "--jsonl", "--root", str(self.root)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env=ENVIRONMENT) as process:
            for _ in range(3):
                process.stdin.write(line)
                process.stdin.flush()
                ready, _, _ = select.select([process.stdout], [], [], 20)
                self.assertTrue(ready)
                self.assertIn(b'"id":"a"', os.read(process.stdout.fileno(),
                                                   65536))
            process.stdin.close()
            self.assertEqual(process.wait(20), 0)

    def test_a_line_of_ten_megabytes(self):
        line = (b'{"id":"a","pad":"' + b"x" * 10_000_000 +
                b'","provider":"openai","api":"chat_completions",'
                b'"response_file":"ok.json"}\n')
        result = run("usage", "--jsonl", "--root", str(self.root), stdin=line)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b'"input_tokens":10', result.stdout)

    def test_for_people(self):
        result = run("usage", str(self.root / "ok.json"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"gpt-4o-mini", result.stdout)
        self.assertIn(b"0.0000045 USD", result.stdout)
        piped = run("usage", "-", stdin=(self.root / "ok.json").read_bytes())
        self.assertEqual(piped.stdout, result.stdout)

    def test_garbage_is_told(self):
        for body in (b"{", b"\x00" * 1000, b'{"usage":{"prompt_tokens":-1}}',
                     b'data: {"a":'):
            result = run("usage", "--provider", "openai", "--json", stdin=body)
            self.assertIn(result.returncode, (0, 1), body)
            self.assertIn(b'"cost_usd":null', result.stdout, body)


class Lines(unittest.TestCase):
    """cost, resolve and usage answer every line in one form."""
    COST = (b'{"id":"a","provider":"openai","model":"gpt-4o-mini",'
            b'"usage":{"input_tokens":10,"output_tokens":5}}')
    NAME = b'{"id":"a","provider":"openai","name":"gpt-4o-mini"}'

    def answers(self, command, stdin):
        result = run(command, "--jsonl", stdin=stdin)
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        return lines, result.stderr.decode(), result.returncode

    def test_a_byte_order_mark_and_foreign_line_ends_are_passed_over(self):
        for command, good in (("cost", self.COST), ("resolve", self.NAME)):
            lines, _, code = self.answers(
                command, b"\xef\xbb\xbf" + good + b"\r\n\r\n  \n" + good)
            self.assertEqual((len(lines), code), (2, 0), command)
            self.assertEqual(lines[0], lines[1])
        lines, _, _ = self.answers("cost", b"\xef\xbb\xbf\n" + self.COST)
        self.assertEqual(lines[0]["cost_usd"], "0.0000045")

    def test_a_bad_line_has_the_fields_of_a_good_one(self):
        for command, good in (("cost", self.COST), ("resolve", self.NAME)):
            lines, told, code = self.answers(
                command, good + b'\n{"id":\n[]\nnull\n{}\n"x"\n' + good)
            self.assertEqual((len(lines), code), (7, 1), command)
            for line in lines[1:-1]:
                self.assertLessEqual(set(lines[0]), set(line), command)
                self.assertTrue(line["error"])
                self.assertIsNone(line["id"])
            self.assertEqual(lines[0], lines[-1])
            self.assertIn("line 2: column 7: ", told)

    def test_a_reply_that_is_gone_has_the_fields_of_one_that_is_there(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "ok.json").write_text(
                '{"object":"chat.completion","model":"gpt-4o-mini","usage":'
                '{"prompt_tokens":1,"completion_tokens":1}}')
            result = run("usage", "--jsonl", "--root", folder,
                         stdin=b'{"id":1,"response_file":"ok.json"}\n'
                               b'{"id":2,"response_file":"gone.json"}\n{')
        good, gone, bad = map(json.loads, result.stdout.splitlines())
        for line in (gone, bad):
            self.assertLessEqual(set(good), set(line))
            self.assertIsNone(line["cost_usd"])
            self.assertEqual(line["usage"], {})
            self.assertEqual(line["usage_source"], "none")
            self.assertFalse(line["complete"])
        self.assertEqual((gone["id"], bad["id"]), (2, None))

    def test_counts_that_are_none_are_told_and_not_guessed(self):
        for count in (b'"10"', b"-1", b"1.5", b"true", b"[]", b"1e30"):
            lines, told, code = self.answers(
                "cost", self.COST.replace(b"10", count))
            self.assertEqual(code, 1, count)
            self.assertIsNone(lines[0]["cost_usd"], count)
            self.assertIn("input_tokens: is no number of 0 or more", told)
        for count in (b"10.0", b"1e1"):
            lines, _, _ = self.answers("cost",
                                       self.COST.replace(b"10", count))
            self.assertEqual(lines[0]["cost_usd"], "0.0000045", count)


class Replay(unittest.TestCase):
    def test_what_is_no_workload(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "bad.csv").write_text("a,b\n1,2\n")
            (root / "other.txt").write_text("")
            for name, said in (("gone.csv", b"No such file"),
                               ("bad.csv", b"the header must be"),
                               ("other.txt", b"neither a folder"),
                               (".", b"index.jsonl: No such file")):
                result = run("replay", str(root / name),
                             LLMLAB_EXPORTER="memory")
                self.assertEqual(result.returncode, 1, name)
                self.assertIn(said, result.stderr, name)
                self.assertEqual(result.stdout, b"", name)

    def test_an_interrupt_does_not_wait_for_the_next_call(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "slow.csv"
            path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n"
                            "2023-11-16 18:00:00,3,4\n"
                            "2023-11-16 18:30:00,3,4\n")
            with subprocess.Popen(
                    [LLMLAB, "replay", "--json", "--speed", "1", str(path)],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    env={**ENVIRONMENT, "LLMLAB_EXPORTER": "memory"}) as replay:
                time.sleep(1)
                replay.send_signal(signal.SIGINT)
                out, told = replay.communicate(timeout=30)
            self.assertEqual(replay.returncode, 1)
            self.assertIn(b"stopped before the end", told)
            self.assertEqual(json.loads(out)["traces"], 1)

    def test_no_key_is_told(self):
        result = run("replay", "x.csv")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"key", result.stderr)

    def test_bad_rows_are_told_and_the_rest_is_sent(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "some.csv"
            path.write_bytes(
                b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
                b"2023-11-16 18:15:46.6805900,374,44\r\n"
                b"2023-11-16 18:15:50.9951690,-3,109\n"
                b"yesterday,1,2\n"
                b"2023-11-16 18:15:51,99999999999999999999,2\n"
                b"2023-11-16 18:15:52,1\n"
                b"2023-11-16 18:15:53,5,6")
            result = run("replay", "--json", str(path),
                         LLMLAB_EXPORTER="memory")
            self.assertEqual(result.returncode, 1)
            for number in (3, 4, 5, 6):
                self.assertIn(f"line {number}: ".encode(), result.stderr)
            # Two calls and the root of their trace.
            self.assertIn(b'"attempted":3,"accepted":3', result.stdout)


if __name__ == "__main__":
    unittest.main()
