"""The fixtures that the suites of all languages read: recorded replies
(tests/fixtures/replies) and whole calls (tests/fixtures/calls)."""

import gc
import http.server
import json
import threading
from decimal import Decimal

import anthropic
import cohere
import openai
import pytest
from google import genai
from mistralai.client import Mistral

import llmlab
from conftest import SOURCE
from llmlab import span
from llmlab._native import lib

FIXTURES = SOURCE / "tests" / "fixtures"


def rows(name):
    text = (FIXTURES / "replies" / name).read_text()
    return {row["id"]: row for row in map(json.loads, text.splitlines())}


REPLIES, EXPECTED = rows("index.jsonl"), rows("expected.jsonl")
CALLS = {path.stem: json.loads(path.read_text())
         for path in sorted((FIXTURES / "calls").glob("*.json"))}


def test_they_are_here():
    assert len(REPLIES) > 50 and set(REPLIES) == set(EXPECTED)
    assert len(CALLS) >= 12


@pytest.mark.parametrize("name", REPLIES)
def test_replies(name):
    row, expected = REPLIES[name], EXPECTED[name]
    body = (FIXTURES / "replies" / row["response_file"]).read_bytes()
    found = llmlab.usage(body, provider=row["provider"], api=row["api"],
                         url=row.get("url"), headers=row.get("headers"))
    for member in ("model", "complete", "finish_reason", "service_tier"):
        if member in expected:
            told = found[member]
            assert ("" if told is None else told) == expected[member]
    if found["usage_source"] == "provider":
        usage = dict(expected["usage"])
        if "audio_seconds" in usage:  # there in millionths
            usage["audio_seconds"] /= 1e6
        assert found["usage"] == usage
    # A span that is given the reply says the same, and costs the same.
    with llmlab.testing.capture(strict=False) as captured:
        with span("call", kind="llm") as step:
            lib.llmlab_bind_set_response(step._handle, row["provider"],
                                         row["api"], body)
        step, = captured.spans
    alone = llmlab.usage(body, provider=row["provider"], api=row["api"])
    usage = step.get("usage", {})
    usage.pop("parts", None)  # by model, which is told beside
    assert usage == alone["usage"]
    cost = step.get("provider_cost") or step.get("cost")
    stated = alone["provider_cost_usd"]
    if stated is not None:  # and what the own key was charged
        stated += alone.get("upstream_cost_usd") or 0
    assert (cost and Decimal(cost)) == (
        stated if stated is not None else alone["cost_usd"])


def check(call, step, cut="cancelled"):
    expected = dict(call["expected"])
    outcome = expected.pop("outcome")
    assert step["status"] == (cut if outcome == "cancelled" else outcome)
    if "model" in expected:
        assert step["model"] == expected["model"]
    assert step["cost_detail"]["usage_source"] == expected.get(
        "usage_source", step["cost_detail"]["usage_source"])
    if "usage" in expected:
        assert step["usage"] == expected["usage"]
        assert Decimal(step["cost"]) == Decimal(expected["cost_usd"])
    for key, value in expected.get("error", {}).items():
        assert step["error"][key] == value
    assert "Bergen" not in str(step) and "Rain" not in str(step)


@pytest.mark.parametrize("name", [n for n in CALLS if "reply" in CALLS[n]])
def test_calls_by_hand(captured, name):
    call = CALLS[name]
    captured.client.strict = False  # no usage and no price are told
    with span("call", kind="llm") as step:
        step.set_request(call["request"], call["provider"], call["api"])
        step.set_response(call["reply"], call["provider"], call["api"])
    check(call, captured.spans[0])


class Server(http.server.ThreadingHTTPServer):
    """Answers with one fixture, in pieces of 37 bytes."""

    daemon_threads = True

    def __init__(self, call):
        super().__init__(("127.0.0.1", 0), Answer)
        self.call = call
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        call = self.server.call
        stream = call.get("stream")
        body = (stream or json.dumps(call["reply"])).encode()
        self.send_response(call["status"])
        self.send_header("Content-Type", "application/json" if stream is None
                         else "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(0, len(body), 37):
            piece = body[i:i + 37]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if stream is not None and not stream.endswith("\n\n"):
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")


def ask(call, url):
    """The call by its provider's SDK; what it raises is its own affair."""
    request = dict(call["request"])
    kind = call["provider"], call["api"]
    reply = None
    if kind[0] == "openai":
        client = openai.OpenAI(base_url=url + "/v1", api_key="x",
                               max_retries=0)
        reply = {"chat_completions": client.chat.completions.create,
                 "responses": client.responses.create,
                 "embeddings": client.embeddings.create}[kind[1]](**request)
    elif kind[0] == "anthropic":
        client = anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)
        reply = client.messages.create(**request)
    elif kind[0] == "gemini":
        client = genai.Client(api_key="x", http_options={"base_url": url})
        client.models.generate_content(**request)
    elif kind[0] == "mistral":
        client = Mistral(api_key="x", server_url=url)
        if request.pop("stream", False):
            reply = client.chat.stream(**request)
        else:
            client.chat.complete(**request)
    elif kind[0] == "cohere":
        cohere.ClientV2("x", base_url=url).chat(**request)
    else:
        raise NotImplementedError(kind)
    if "stream" in call:
        for _ in reply:
            pass


@pytest.mark.parametrize("name", CALLS)
def test_calls_by_their_sdks(captured, name):
    call = CALLS[name]
    llmlab.instrument()
    server = Server(call)
    threading.Thread(target=server.serve_forever, args=(0.05,),
                     daemon=True).start()
    try:
        ask(call, server.url)
    except NotImplementedError:
        raise
    except Exception:
        assert call["expected"]["outcome"] != "success"
    finally:
        server.shutdown()
        server.server_close()
    gc.collect()
    check(call, *captured.spans, cut="error")
