"""Signed prices fetched by the library itself: what is taken, what is refused,
and that nobody waits for it."""
import ctypes
import datetime
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"],
                                "tests", "support"))
import e2e  # noqa: E402

if "LLMLAB_SANITIZE:STRING=\n" not in (
        e2e.BUILD / "CMakeCache.txt").read_text():
    e2e.skip("test_price_update", "Python cannot load a sanitizer's library")
    sys.exit(77)

P, LOG = ctypes.c_void_p, ctypes.CFUNCTYPE(
    None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
LIB = ctypes.CDLL(str(e2e.BUILD / "lib" / "libllmlab.so"))
for name, result, arguments in (
        ("config_new", P, ()),
        ("config_set", ctypes.c_int, (P, ctypes.c_char_p, ctypes.c_char_p)),
        ("config_set_log", None, (P, LOG, P)),
        ("config_destroy", None, (P,)),
        ("client_open", ctypes.c_int, (P, P)),
        ("client_flush", ctypes.c_int, (P, ctypes.c_int64, P)),
        ("client_close", ctypes.c_int, (P, ctypes.c_int64)),
        ("client_stats_json", ctypes.c_int, (P, P, P)),
        ("mock_take_batch", ctypes.c_int, (P, P, P)),
        ("span_start", P, (P, P, ctypes.c_char_p, ctypes.c_int)),
        ("span_set_model", ctypes.c_int, (P, ctypes.c_char_p,
                                          ctypes.c_char_p)),
        ("span_set_usage", ctypes.c_int, (P, P)),
        ("span_end", ctypes.c_int, (P,)),
        ("usage_set", None, (P, ctypes.c_int, ctypes.c_uint64)),
        ("status_detail", ctypes.c_char_p, ()),
        ("free", None, (P,))):
    function = getattr(LIB, "llmlab_" + name)
    function.restype, function.argtypes = result, arguments


def take(function, client):
    """The JSON that a function makes; None when there is none."""
    text = ctypes.c_char_p()
    function(client, ctypes.byref(text), None)
    if not text:
        return None
    value = json.loads(text.value)
    LIB.llmlab_free(text)
    return value


class Signer:
    """Ed25519 by libsodium: signs what `llmlab pricing sign` would not."""

    def __init__(self):
        self.sodium = ctypes.CDLL("libsodium.so.23")
        self.sodium.sodium_init()
        public = ctypes.create_string_buffer(32)
        self.secret = ctypes.create_string_buffer(64)
        self.sodium.crypto_sign_keypair(public, self.secret)
        self.public = public.raw.hex()

    def sign(self, prices):
        text = json.dumps(prices)
        mark = ctypes.create_string_buffer(64)
        self.sodium.crypto_sign_detached(
            mark, None, text.encode(), ctypes.c_ulonglong(len(text.encode())),
            self.secret)
        return json.dumps({"llmlab_signed_prices": 1, "prices": text,
                           "signature": mark.raw.hex()}).encode()


SIGNER = Signer()


def prices(version, usd="2", expires="2099-01-01", **more):
    return {"llmlab_prices": 1, "version": version, "expires": expires,
            "models": {"house": {"provider": "acme",
                                 "rates": {"input": usd}}}, **more}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # it was too large
            pass

    def do_GET(self):
        peer = self.server.peer
        peer.requests.append(dict(self.headers))
        status, body, headers = peer.answer
        if status == "hole":
            peer.released.wait(30)
            self.close_connection = True
            return
        if headers.get("ETag") and \
                self.headers.get("If-None-Match") == headers["ETag"]:
            status, body = 304, b""
            peer.unchanged += 1
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if int(headers["Content-Length"]) > len(body):
            self.wfile.flush()
            self.close_connection = True


class Peer:
    def __init__(self, context=None):
        self.answer = (404, b"", {})
        self.requests = []
        self.unchanged = 0
        self.released = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        self.server.peer = self
        scheme = "http"
        if context is not None:
            scheme = "https"
            self.server.socket = context.wrap_socket(self.server.socket,
                                                     server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/prices"
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()

    def serve(self, body, status=200, **headers):
        self.answer = (status, body, {name.replace("_", "-"): value
                                      for name, value in headers.items()})

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class Lab:
    def __init__(self, url, **settings):
        self.lines = []
        self.handle = P()
        self.log = LOG(lambda _level, line, _: self.lines.append(line.decode()))
        config = LIB.llmlab_config_new()
        LIB.llmlab_config_set_log(config, self.log, None)
        settings = {"exporter": "memory", "prices.url": url,
                    "prices.public_key": SIGNER.public,
                    "prices.interval_ms": 100, **settings}
        for name, value in settings.items():
            if value is not None and LIB.llmlab_config_set(
                    config, name.encode(), str(value).encode()) != 0:
                LIB.llmlab_config_destroy(config)
                raise ValueError(LIB.llmlab_status_detail().decode())
        status = LIB.llmlab_client_open(ctypes.byref(self.handle), config)
        LIB.llmlab_config_destroy(config)
        if status != 0:
            detail = LIB.llmlab_status_detail().decode()
            LIB.llmlab_client_close(self.handle, 0)
            raise ValueError(detail)
        self.record()

    def record(self):
        usage = ctypes.create_string_buffer(8 * 49)
        LIB.llmlab_usage_set(usage, 0, 1000000)
        span = LIB.llmlab_span_start(self.handle, None, b"x", 2)
        LIB.llmlab_span_set_model(span, b"acme", b"house")
        LIB.llmlab_span_set_usage(span, usage)
        LIB.llmlab_span_end(span)

    def batch(self):
        return take(LIB.llmlab_mock_take_batch, self.handle)

    def cost(self):
        """Of one more call, as recorded."""
        self.flush()
        while self.batch():
            pass
        self.record()
        self.flush()
        step = self.batch()["traces"][0]["steps"][0]
        return step.get("cost"), step["cost_detail"].get("table")

    def flush(self):
        return LIB.llmlab_client_flush(self.handle, 5000, None)

    def stats(self):
        return take(LIB.llmlab_client_stats_json, self.handle)

    def wait(self, test, what, seconds=20):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            stats = self.stats()
            if test(stats):
                return stats
            time.sleep(0.02)
        raise AssertionError(f"never {what}: {stats}, {self.lines}")

    def close(self):
        handle, self.handle = self.handle, P()
        return LIB.llmlab_client_close(handle, 1000)


class PriceUpdate(unittest.TestCase):
    def setUp(self):
        self.peer = Peer()
        self.addCleanup(self.peer.close)

    def open(self, **settings):
        lab = Lab(self.peer.url, **settings)
        self.addCleanup(lab.close)
        return lab

    def taken(self, lab, count=1):
        return lab.wait(lambda s: s["price_updates"] == count,
                        f"{count} updates")

    def refused(self, lab, status, why):
        """The book stays, one line tells, the reason is to be seen."""
        before = lab.stats()
        lab.lines.clear()
        stats = lab.wait(
            lambda s: s["price_refusals"] > before["price_refusals"] and
            s["price_status"] == status and why in s["price_detail"],
            f"refused for {why}")
        self.assertEqual(stats["price_updates"], before["price_updates"])
        self.assertEqual(stats["price_table"], before["price_table"])
        asked = len(self.peer.requests)
        lab.wait(lambda _: len(self.peer.requests) > asked + 2, "asked again")
        told = [line for line in lab.lines if "the prices stay" in line and
                stats["price_detail"] in line]
        # What is refused for the reason of the one before is not told again.
        same = stats["price_detail"] == before["price_detail"]
        self.assertEqual(len(told), 0 if same else 1, lab.lines)

    def test_a_good_file_is_taken_at_once(self):
        self.peer.serve(SIGNER.sign(prices("2026-11-01")), ETag='"1"')
        lab = self.open()
        stats = self.taken(lab)
        self.assertEqual(stats["price_table"], "2026-11-01")
        self.assertEqual(stats["price_status"], "LLMLAB_OK")
        self.assertGreater(stats["price_age_s"], 0)
        self.assertIsNotNone(stats["price_checked_at"])
        self.assertEqual(lab.cost(), ("2", "2026-11-01"))
        self.peer.serve(SIGNER.sign(prices("2026-11-02", "3")), ETag='"2"')
        self.taken(lab, 2)
        self.assertEqual(lab.cost(), ("3", "2026-11-02"))
        # Of one day: the hour tells which is newer.
        noon = "2026-11-03T12:00:00Z"
        self.peer.serve(SIGNER.sign(prices(noon)))
        self.taken(lab, 3)
        self.assertEqual(lab.cost(), ("2", noon))
        self.assertNotIn("Authorization", self.peer.requests[0])
        self.assertEqual(lab.lines, [])

    def test_304_and_the_same_again(self):
        self.peer.serve(SIGNER.sign(prices("2026-11-01")), ETag='"1"')
        lab = self.open()
        self.taken(lab)
        lab.wait(lambda _: self.peer.unchanged > 2, "304")
        # Without a validator the whole file comes again: it is the same.
        self.peer.serve(SIGNER.sign(prices("2026-11-01")))
        asked = len(self.peer.requests)
        lab.wait(lambda _: len(self.peer.requests) > asked + 3, "asked")
        stats = lab.stats()
        self.assertEqual((stats["price_updates"], stats["price_refusals"]),
                         (1, 0))
        self.assertEqual(lab.lines, [])

    def test_last_modified(self):
        date = "Sun, 01 Nov 2026 00:00:00 GMT"
        self.peer.serve(SIGNER.sign(prices("2026-11-01")), Last_Modified=date)
        lab = self.open()
        self.taken(lab)
        lab.wait(lambda _: self.peer.requests[-1].get("If-Modified-Since") ==
                 date, "conditional")

    def test_what_is_refused(self):
        good = SIGNER.sign(prices("2026-11-05"))
        stranger = Signer()
        self.peer.serve(good)
        lab = self.open()
        self.taken(lab)
        envelope = json.loads(good)
        envelope["prices"] = envelope["prices"].replace('"2"', '"3"')
        yesterday = (datetime.datetime.now(datetime.timezone.utc) -
                     datetime.timedelta(days=1)).strftime("%Y-%m-%d")
        absurd = prices("2026-11-06")
        absurd["models"]["gpt-4o"] = {"provider": "openai",
                                      "rates": {"input": "5000"}}
        known = prices("2026-11-06")
        known["models"]["gpt-4o"] = {"provider": "openai",
                                     "rates": {"input": "0.1",
                                               "output": "10"}}
        cases = (
            (json.dumps(envelope).encode(), "LLMLAB_EAUTH", "signature"),
            (stranger.sign(prices("2026-11-06")), "LLMLAB_EAUTH",
             "signature"),
            (SIGNER.sign(prices("2026-11-04")), "LLMLAB_EAUTH",
             "2026-11-04 is not above 2026-11-05"),
            (SIGNER.sign(prices("2026-11-06", expires=yesterday)),
             "LLMLAB_EAUTH", "expired on " + yesterday),
            (SIGNER.sign(prices("2026-11-06", "6.1")), "LLMLAB_EAUTH",
             "house: a change beyond 3 times"),
            (SIGNER.sign(prices("2026-11-06", "0.66")), "LLMLAB_EAUTH",
             "house: a change beyond 3 times"),
            (SIGNER.sign(known), "LLMLAB_EAUTH",
             "gpt-4o: a change beyond 3 times"),
            (SIGNER.sign(absurd), "LLMLAB_EAUTH", "gpt-4o"),
            (SIGNER.sign(prices("2026-11-06", discounts=[
                {"model": "house", "percent": "99"}])), "LLMLAB_EAUTH",
             "discount"),
            (SIGNER.sign({"llmlab_prices": 1, "version": "2026-11-06"}),
             "LLMLAB_EPARSE", "expires"),
            (good[:-30], "LLMLAB_EPARSE", ""),
            (b"", "LLMLAB_EPARSE", ""),
            (b"<html>log in</html>", "LLMLAB_EPARSE", ""),
            (b"\0" * 1000, "LLMLAB_EPARSE", ""),
            (b"x" * (9 << 20), "LLMLAB_ETOOBIG", "larger than"),
        )
        for number, (body, status, why) in enumerate(cases):
            with self.subTest(number=number, why=why):
                # A new tag, so that it is looked at; then it is not again.
                self.peer.serve(body, ETag=f'"{number}"')
                self.refused(lab, status, why)
        for status in (302, 404, 410):
            with self.subTest(status=status):
                self.peer.serve(b"moved", status,
                                Location=self.peer.url + "/elsewhere")
                self.refused(lab, "LLMLAB_EREJECTED", f"HTTP status {status}")
        self.assertEqual(lab.cost(), ("2", "2026-11-05"))
        # And a good one is still taken.
        self.peer.serve(SIGNER.sign(prices("2026-11-07", "4")), ETag='"z"')
        self.taken(lab, 2)
        self.assertEqual(lab.cost(), ("4", "2026-11-07"))
        self.assertEqual(lab.stats()["price_detail"], "")

    def test_outages_are_no_refusals(self):
        good = SIGNER.sign(prices("2026-11-01"))
        self.peer.serve(good, Content_Length=str(len(good) + 10))
        lab = self.open()
        stats = lab.wait(lambda s: s["price_status"] == "LLMLAB_ENETWORK",
                         "cut off")
        self.assertEqual(stats["price_refusals"], 0)
        self.assertEqual(stats["price_updates"], 0)
        for status in (500, 503, 429):
            self.peer.serve(b"", status)
            lab.wait(lambda s: s["price_detail"] == f"HTTP status {status}",
                     str(status))
        self.peer.serve(good)
        self.taken(lab)
        self.assertEqual(lab.stats()["price_status"], "LLMLAB_OK")

    def test_nobody_waits(self):
        """A server that never answers delays neither flush nor close."""
        self.peer.answer = ("hole", b"", {})
        lab = self.open()
        lab.wait(lambda _: len(self.peer.requests) > 0, "asked")
        for _ in range(5):
            lab.record()
            begin = time.monotonic()
            self.assertEqual(lab.flush(), 0)
            self.assertLess(time.monotonic() - begin, 1)
        begin = time.monotonic()
        lab.close()
        self.assertLess(time.monotonic() - begin, 1)

    def test_the_file_sets_the_floor(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "signed.json"
            file.write_bytes(SIGNER.sign(prices("2026-11-05")))
            self.peer.serve(SIGNER.sign(prices("2026-11-01", "3")))
            lab = self.open(**{"prices.file": str(file)})
            self.assertEqual(lab.stats()["price_table"], "2026-11-05")
            lab.wait(lambda s: s["price_refusals"] > 0, "refused")
            self.assertEqual(lab.cost(), ("2", "2026-11-05"))

    def test_a_child_of_fork_fetches_by_itself(self):
        self.peer.serve(SIGNER.sign(prices("2026-11-01")))
        lab = self.open()
        self.taken(lab)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                lab.record()
                lab.wait(lambda s: s["price_table"] == "2026-11-02", "child")
                code = 0
            finally:
                os._exit(code)
        self.peer.serve(SIGNER.sign(prices("2026-11-02", "3")))
        self.taken(lab, 2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_settings(self):
        for settings in ({"prices.public_key": None},
                         {"prices.public_key": "abc"},
                         {"prices.url": "ftp://127.0.0.1/"},
                         {"prices.url": "http://user:pw@127.0.0.1/"},
                         {"prices.interval_ms": 99}):
            with self.subTest(settings=settings), \
                    self.assertRaisesRegex(ValueError, "prices"):
                Lab(self.peer.url, **settings)

    def test_over_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            key, cert = f"{folder}/key.pem", f"{folder}/cert.pem"
            made = subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                 "-keyout", key, "-out", cert, "-days", "1", "-subj",
                 "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                capture_output=True, check=False)
            if made.returncode != 0:
                self.skipTest("no openssl")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            peer = Peer(context)
            self.addCleanup(peer.close)
            peer.serve(SIGNER.sign(prices("2026-11-01")))
            unknown = Lab(peer.url)
            self.addCleanup(unknown.close)
            stats = unknown.wait(
                lambda s: s["price_status"] == "LLMLAB_ENETWORK", "refused")
            self.assertEqual(stats["price_updates"], 0)
            trusting = Lab(peer.url, **{"tls.ca_file": cert})
            self.addCleanup(trusting.close)
            self.taken(trusting)


if __name__ == "__main__":
    unittest.main()
