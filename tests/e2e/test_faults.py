"""What goes wrong between client and server, and what is told then."""
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"],
                                "tests", "support"))
import e2e  # noqa: E402

# Well-formed, known to no server.
STRANGE_KEY = "llmlab_sk_0000000000000000000000000000003BhUX8"


def write_workload(path, calls, seconds):
    with open(path, "w", encoding="ascii") as file:
        file.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for i in range(calls):
            at = seconds * i / calls
            file.write(f"2023-11-16 18:{int(at) // 60:02}:"
                       f"{at % 60:010.7f},{i % 997},{i % 89}\n")


class Faults(unittest.TestCase):
    def setUp(self):
        self.server = e2e.Server()
        self.addCleanup(self.server.close)
        self.workload = self.server.path / "workload.csv"

    def start_replay(self, *options, **env):
        return subprocess.Popen(
            [e2e.LLMLAB, "replay", "--json", str(self.workload), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**e2e.ENVIRONMENT, **self.server.env, **env})

    def test_server_killed_again_and_again(self):
        self.check_killed_server("1")

    def test_server_killed_while_sampling(self):
        # Unsampled calls go up as sums, which must not be added twice.
        self.check_killed_server("0.3")

    def test_server_killed_while_nothing_is_sampled(self):
        self.check_killed_server("0")

    def check_killed_server(self, sample_rate):
        write_workload(self.workload, 6000, 300)
        replay = self.start_replay(
            "--speed", "75", LLMLAB_LIVE="true", LLMLAB_RETRY_BASE_MS="50",
            LLMLAB_RETRY_MAX_MS="200", LLMLAB_SAMPLE_RATE=sample_rate)
        for _ in range(4):
            time.sleep(0.6)
            self.server.kill()
            time.sleep(0.1)
            self.server.start()
        out, err = replay.communicate(timeout=60)
        self.assertEqual(replay.returncode, 0, err.decode())
        summary = json.loads(out)
        self.assertEqual(summary["attempted"], 6000 + 1500)
        self.assertEqual(summary["delivered"], 7500)
        total = self.server.total()
        self.assertEqual(total["spans"], 7500)
        self.assertEqual(total["calls"], 6000)
        self.assertEqual(total["cost_usd"], summary["cost_usd"])
        self.assertEqual(total["input_tokens"],
                         sum(i % 997 for i in range(6000)))

    def test_ctrl_c_ends_in_order(self):
        write_workload(self.workload, 6000, 300)
        replay = self.start_replay("--speed", "10")
        time.sleep(1)
        replay.send_signal(signal.SIGINT)
        out, err = replay.communicate(timeout=30)
        self.assertEqual(replay.returncode, 1)
        self.assertIn(b"stopped before the end", err)
        summary = json.loads(out)
        self.assertGreater(summary["attempted"], 0)
        self.assertLess(summary["attempted"], 7500)
        self.assertEqual(summary["delivered"], summary["attempted"])
        self.assertEqual(self.server.total()["spans"], summary["attempted"])

    def replay_fails(self, said, *options, **env):
        write_workload(self.workload, 10, 1)
        began = time.monotonic()
        replay = self.start_replay("--timeout", "2", *options, **env)
        out, err = replay.communicate(timeout=30)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(replay.returncode, 1)
        self.assertIn(said, err)
        return json.loads(out) if out else None

    def costs_fail(self, said, *options, **env):
        result = e2e.llmlab("costs", *options,
                            env={**self.server.env, **env})
        self.assertEqual(result.returncode, 1)
        self.assertIn(said, result.stderr)
        self.assertEqual(result.stdout, b"")

    def test_wrong_key(self):
        summary = self.replay_fails(b"401", LLMLAB_API_KEY=STRANGE_KEY)
        self.assertEqual(summary["accepted"], 13)  # counted, not lost
        self.assertEqual(summary["delivered"], 0)
        self.assertEqual(summary["dropped"], 0)
        self.costs_fail(b"check --key or LLMLAB_API_KEY",
                        LLMLAB_API_KEY=STRANGE_KEY)
        self.assertEqual(self.server.total()["spans"], 0)

    def test_mistyped_key(self):
        self.assertIsNone(self.replay_fails(
            b"api_key", LLMLAB_API_KEY=STRANGE_KEY[:-1] + "9"))

    def test_unknown_project(self):
        self.replay_fails(b"404", "--project", "nowhere")
        self.costs_fail(b"404", "--project", "nowhere")

    def test_read_key_cannot_write(self):
        key = self.server.make_key("demo", "read")
        self.replay_fails(b"403", LLMLAB_API_KEY=key)
        result = e2e.llmlab("costs", env={**self.server.env,
                                          "LLMLAB_API_KEY": key})
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_nobody_listens(self):
        self.server.stop()
        self.replay_fails(b"cannot be reached")
        self.costs_fail(b"no reply from http://127.0.0.1")

    def test_disabled(self):
        write_workload(self.workload, 10, 1)
        replay = self.start_replay(LLMLAB_ENABLED="0")
        _, err = replay.communicate(timeout=30)
        self.assertEqual(replay.returncode, 1)
        self.assertIn(b"disabled", err)

    def test_bad_url(self):
        self.replay_fails(b"url", LLMLAB_URL="ftp://127.0.0.1/")

    def test_questions_that_the_server_refuses(self):
        self.costs_fail(b"granularity", "--granularity", "weekly")
        self.costs_fail(b"group_by", "--group-by", "planet")
        self.costs_fail(b"tz", "--tz", "Mars/Olympus")
        self.costs_fail(b"start_date", "--start", "tomorrow")
        result = e2e.llmlab("trace", "0" * 32, env=self.server.env)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"404", result.stderr)


class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers what the test wrote into the server's script."""

    def do_GET(self):
        status, headers, body = self.server.script.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Answers(unittest.TestCase):
    """The questions of `llmlab costs`, to a server that misbehaves."""

    def ask(self, *script):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
        server.script = list(script)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        began = time.monotonic()
        result = e2e.llmlab("costs", env={
            "LLMLAB_URL": f"http://127.0.0.1:{server.server_port}/",
            "LLMLAB_API_KEY": STRANGE_KEY})
        self.assertEqual(server.script, [])
        return result, time.monotonic() - began

    GOOD = (200, {}, b'{"granularity":"total","group_by":["model"],"data":'
                     b'[{"model":"a\\u001b[31m","calls":2,"unpriced_calls":2,'
                     b'"cost_usd":"0"}],"total":{"calls":2,"cost_usd":"0"}}')

    def test_busy_then_fine(self):
        result, took = self.ask((429, {"Retry-After": "1"}, b""),
                                (503, {}, b"no"), self.GOOD)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreaterEqual(took, 1)
        self.assertIn(b"busy (429)", result.stderr)
        # No name may steer the terminal, and unpriced is not zero.
        self.assertIn(b"a?[31m", result.stdout)
        self.assertRegex(result.stdout.decode(), r"a\?\[31m .* -\n")

    def test_no_json(self):
        for body in (b"<html>login</html>", b"", b"{", b"[1,2]", b"{}",
                     b'{"group_by":[1],"data":[],"total":{}}',
                     b'{"group_by":"model","data":[],"total":{}}',
                     b"[" * 100000):
            result, _ = self.ask((200, {}, body))
            self.assertEqual(result.returncode, 1, body[:80])
            self.assertIn(b"llmlab: ", result.stderr, body[:80])

    def test_redirects_are_not_followed(self):
        result, _ = self.ask((302, {"Location": "http://127.0.0.1:1/"}, b""))
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"302", result.stderr)


if __name__ == "__main__":
    unittest.main()
