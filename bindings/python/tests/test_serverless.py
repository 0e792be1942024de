"""Functions that are frozen after they answered: AWS Lambda, Vercel."""

import asyncio
import http.client
import http.server
import inspect
import json
import threading
import time

import pytest

import llmlab
from llmlab import _client, span
from llmlab.serverless import lambda_handler, vercel_handler

PARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


class Context:
    function_name = "checkout"
    aws_request_id = "r-1"

    def __init__(self, left=30_000):
        self.left = left

    def get_remaining_time_in_millis(self):
        return self.left


@pytest.fixture
def written(tmp_path):
    """What has left the process, without asking for it."""
    path = tmp_path / "out.jsonl"
    llmlab.init(exporter="file", exporter_file=path)

    def steps():
        lines = path.read_text().splitlines() if path.exists() else []
        return [step for line in lines for trace in json.loads(line)["traces"]
                for step in trace["steps"]]
    return steps


def test_an_invocation_is_delivered_before_it_answers(written):
    @lambda_handler
    def handler(event, context):
        """Doc."""
        with span("work"):
            return {"statusCode": 200}

    assert handler({}, Context()) == {"statusCode": 200}
    work, root = written()
    assert root["name"] == root["agent"] == "checkout"
    assert work["parent_id"] == root["span_id"]
    assert root["status"] == "success"
    assert root["attributes"] == {
        "faas.coldstart": True, "faas.invocation_id": "r-1",
        "http.response.status_code": 200}
    handler({}, Context())
    assert written()[-1]["attributes"]["faas.coldstart"] is False
    assert handler.__name__ == "handler" and handler.__doc__ == "Doc."


def test_async_handlers_stay_async(written):
    @lambda_handler(user=lambda event: event["user"])
    async def handler(event, context):
        with span("work"):
            await asyncio.sleep(0)
        return "done"

    assert inspect.iscoroutinefunction(handler)
    assert asyncio.run(handler({"user": "anna"}, Context())) == "done"
    assert [(s["name"], s["user"]) for s in written()] == [
        ("work", "anna"), ("checkout", "anna")]


@pytest.mark.parametrize("sort", ["sync", "async"])
def test_errors_are_delivered_too(written, sort):
    if sort == "sync":
        @lambda_handler
        def handler(event, context):
            raise ZeroDivisionError
    else:
        @lambda_handler
        async def handler(event, context):
            raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        result = handler({}, Context())
        if sort == "async":
            asyncio.run(result)
    root, = written()
    assert root["status"] == "error"
    assert root["error"]["type"] == "ZeroDivisionError"


def test_answers_of_500_are_errors(written):
    lambda_handler(lambda event, context: {"statusCode": 502})({}, None)
    root, = written()
    assert root["error"] == {"type": "502", "http_status": 502}
    assert root["name"] == "<lambda>"


def test_a_header_of_the_event_goes_on_with_a_trace(written):
    handler = lambda_handler(lambda event, context: None)
    handler({"headers": {"TraceParent": PARENT}}, Context())
    handler({"headers": None}, Context())
    handler(["a list"], Context())
    handler(None, Context())
    first, *others = written()
    assert (first["trace_id"] if "trace_id" in first else None,
            first["parent_id"]) == (None, PARENT[36:52])
    assert all("parent_id" not in other for other in others)


@pytest.mark.parametrize("left,expected", [
    (30_000, 2.0), (1_100, 1.0), (100, 0.0), (-5, 0.0), ("x", 2.0)])
def test_the_deadline(monkeypatch, left, expected):
    asked = []
    monkeypatch.setattr(
        _client.LLMLab, "flush",
        lambda self, timeout=2.0: asked.append(timeout))
    llmlab.init(exporter="memory")
    lambda_handler(lambda event, context: None)({}, Context(left))
    assert asked == [pytest.approx(expected)]


def test_a_dead_server_takes_no_longer_than_there_is():
    llmlab.init(api_key="llmlab_sk_x", url="http://127.0.0.1:9")
    handler = lambda_handler(lambda event, context: 7)
    began = time.monotonic()
    assert handler({}, Context(400)) == 7
    assert time.monotonic() - began < 1.5


def test_off(monkeypatch):
    monkeypatch.setenv("LLMLAB_ENABLED", "0")
    assert lambda_handler(lambda event, context: 7)({}, Context()) == 7


class handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with span("work"):
            if self.path.startswith("/fail"):
                raise ZeroDivisionError
        self.send_response(503 if self.path == "/busy" else 200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


class Quiet(http.server.HTTPServer):
    def handle_error(self, *_):
        pass


def test_vercel_class(written):
    traced = vercel_handler(handler, user=lambda self: "anna")
    assert traced.__name__ == "handler"
    assert issubclass(traced, http.server.BaseHTTPRequestHandler)
    with Quiet(("127.0.0.1", 0), traced) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for path in ("/api/hello?q=1", "/busy", "/fail"):
            connection = http.client.HTTPConnection(
                "127.0.0.1", server.server_address[1], timeout=10)
            connection.request("GET", path, headers={"traceparent": PARENT})
            try:
                connection.getresponse().read()
            except http.client.RemoteDisconnected:
                pass
            connection.close()
        server.shutdown()
    roots = [s for s in written() if s["name"] != "work"]
    assert [s["name"] for s in roots] == [
        "GET /api/hello", "GET /busy", "GET /fail"]
    assert [s["status"] for s in roots] == ["success", "error", "error"]
    assert {s["parent_id"] for s in roots} == {PARENT[36:52]}
    assert {s["user"] for s in written()} == {"anna"}


def test_vercel_asgi(written):
    left_before_the_last_byte = []

    async def app(scope, receive, send):
        with span("work"):
            pass
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"a",
                    "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    async def send(message):
        if not message.get("more_body", True) or message.get("body") == b"b":
            left_before_the_last_byte.extend(s["name"] for s in written())

    asyncio.run(vercel_handler(app)(
        {"type": "http", "method": "GET", "path": "/", "headers": []}, None,
        send))
    assert left_before_the_last_byte == ["work", "GET"]


def test_vercel_wsgi(written):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"a"

    body = vercel_handler(app)({"REQUEST_METHOD": "GET", "PATH_INFO": "/"},
                               lambda *_: None)
    assert list(body) == [b"a"]
    body.close()
    assert [s["name"] for s in written()] == ["GET"]
