"""Prompts and replies: recorded where the program says so, and nowhere else.
Streams are put together."""

import gc
import json
import re

import anthropic
import cohere
import openai
import pytest
from google import genai
from mistralai.client import Mistral

import llmlab
from llmlab import span, trace

TEXT = "Rain \u2614 over Bergen, \u00e5 yes."
ASK = [{"role": "user", "content": "hello"}]


def chat(url, **more):
    with openai.OpenAI(base_url=url + "/v1", api_key="x") as client:
        yield from client.chat.completions.create(
            model="gpt-4o-mini", messages=ASK, stream=True, **more)


def responses(url):
    with openai.OpenAI(base_url=url + "/v1", api_key="x") as client:
        yield from client.responses.create(model="gpt-4o-mini", input="hello",
                                           stream=True)


def messages(url):
    with anthropic.Anthropic(base_url=url, api_key="x") as client:
        yield from client.messages.create(
            model="claude-opus-4-5", max_tokens=9, messages=ASK, stream=True)


def gemini(url):
    client = genai.Client(api_key="x", http_options={"base_url": url})
    yield from client.models.generate_content_stream(
        model="gemini-2.5-flash", contents="hello")


def mistral(url):
    with Mistral(api_key="x", server_url=url) as client:
        yield from client.chat.stream(model="mistral-small-latest",
                                      messages=ASK)


def cohere_v2(url):
    yield from cohere.ClientV2("x", base_url=url).chat_stream(
        model="command-a-03-2025", messages=ASK)


def cohere_v1(url):
    yield from cohere.Client("x", base_url=url).chat_stream(
        model="command-a-03-2025", message="hello")


async def achat(url):
    async with openai.AsyncOpenAI(base_url=url + "/v1",
                                  api_key="x") as client:
        async for _ in await client.chat.completions.create(
                model="gpt-4o-mini", messages=ASK, stream=True):
            pass


async def amessages(url):
    async with anthropic.AsyncAnthropic(base_url=url, api_key="x") as client:
        async with client.messages.stream(
                model="claude-opus-4-5", max_tokens=9, messages=ASK) as stream:
            async for _ in stream:
                pass


async def agemini(url):
    client = genai.Client(api_key="x", http_options={"base_url": url})
    async for _ in await client.aio.models.generate_content_stream(
            model="gemini-2.5-flash", contents="hello"):
        pass


async def amistral(url):
    async with Mistral(api_key="x", server_url=url) as client:
        async for _ in await client.chat.stream_async(
                model="mistral-small-latest", messages=ASK):
            pass


async def acohere(url):
    async for _ in cohere.AsyncClientV2("x", base_url=url).chat_stream(
            model="command-a-03-2025", messages=ASK):
        pass


SYNC = [chat, responses, messages, gemini, mistral, cohere_v2, cohere_v1]
ASYNC = [achat, amessages, agemini, amistral, acohere]


@pytest.fixture(autouse=True)
def instrumented():
    llmlab.instrument()


async def run(ask, url):
    if ask in SYNC:
        list(ask(url))
    else:
        await ask(url)


@pytest.mark.parametrize("ask", SYNC + ASYNC)
async def test_streams_are_put_together(provider, ask):
    with llmlab.testing.capture(capture_content="full") as captured:
        await run(ask, provider.url)
        step, = captured.spans
    assert step["output"] == TEXT
    assert "hello" in step["input"]
    assert step["usage"]["output_tokens"] == 80


@pytest.mark.parametrize("ask", SYNC + ASYNC)
@pytest.mark.parametrize("content", [None, "off", "metadata"])
async def test_nothing_leaks_otherwise(provider, ask, content):
    with llmlab.testing.capture(capture_content=content) as captured:
        with trace("agent"):
            await run(ask, provider.url)
        text = json.dumps(captured.batches, ensure_ascii=False)
    assert not re.search("hello|Rain|Bergen", text)
    assert "output_tokens" in text


@pytest.mark.parametrize("ask", [chat, messages, gemini, achat])
async def test_masked(provider, ask):
    """The text as a whole: what is masked may come in two chunks."""
    with llmlab.testing.capture(
            capture_content="full",
            mask=lambda text: text.replace("over Bergen", "[place]").replace(
                "hello", "[hi]")) as captured:
        await run(ask, provider.url)
        step, = captured.spans
    assert step["output"] == "Rain \u2614 [place], \u00e5 yes."
    assert "[hi]" in step["input"] and "hello" not in str(step)


async def test_a_mask_that_raises_drops_the_text(provider):
    def mask(text):
        raise RuntimeError("no")

    with llmlab.testing.capture(capture_content="full", strict=False,
                                mask=mask) as captured:
        assert len(list(chat(provider.url))) == 5
        step, = captured.spans
        assert captured.client.stats()["misuses"] >= 1
    assert "output" not in step and "input" not in step
    assert step["usage"]["output_tokens"] == 80


@pytest.mark.parametrize("size", [0, 1, 6, 7, 8, 12])
async def test_cut_between_characters(provider, size):
    with llmlab.testing.capture(capture_content="full",
                                capture_max_bytes=size) as captured:
        list(chat(provider.url))
        step, = captured.spans
    kept = step.get("output", "")
    assert TEXT.startswith(kept) and len(kept.encode()) <= size
    assert len(kept.encode()) > size - 3
    assert step["usage"]["output_tokens"] == 80


async def test_what_was_read_of_a_stream(provider):
    with llmlab.testing.capture(capture_content="full") as captured:
        stream = chat(provider.url)
        for _ in range(3):
            next(stream)
        stream.close()
        gc.collect()
        step, = captured.spans
    assert step["status"] == "cancelled"
    assert step["output"].startswith("Rain \u2614 over Bergen"[:len(
        step["output"])]) and step["output"]


async def test_calls_of_tools(provider):
    tools = [{"type": "function", "function": {"name": "weather"}}]
    with llmlab.testing.capture(capture_content="full") as captured:
        list(chat(provider.url, tools=tools))
        step, = captured.spans
    assert json.loads(step["output"]) == [
        {"name": "weather", "arguments": '{"city": "Bergen"}'}]


def feed(events):
    from llmlab._instrument._text import Text
    data = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n"
                    for e in events)
    results = set()
    for size in (1, 7, len(data)):
        text = Text()
        for i in range(0, len(data), size):
            text.feed(data[i:i + size])
        results.add(str(text))
    result, = results
    return result


@pytest.mark.parametrize("events, expected", [
    ([{"type": "content_block_start", "index": 1,
       "content_block": {"type": "tool_use", "name": "f"}},
      {"type": "content_block_delta", "index": 1,
       "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
      {"type": "content_block_delta", "index": 1,
       "delta": {"type": "input_json_delta", "partial_json": ":1}"}},
      {"type": "content_block_delta", "index": 0,
       "delta": {"type": "thinking_delta", "thinking": "hm"}}],
     '[{"name": "f", "arguments": "{\\"a\\":1}"}]'),
    ([{"type": "response.output_item.added", "output_index": 0,
       "item": {"type": "function_call", "name": "f"}},
      {"type": "response.function_call_arguments.delta", "output_index": 0,
       "delta": "{}"}], '[{"name": "f", "arguments": "{}"}]'),
    ([{"candidates": [{"content": {"parts": [
        {"text": "think", "thought": True}, {"text": "a"},
        {"functionCall": {"name": "f", "args": {"x": 1}}}]}}]}],
     'a\n[{"name": "f", "arguments": "{\\"x\\": 1}"}]'),
    ([{"type": "tool-call-start", "index": 0, "delta": {"message": {
        "tool_calls": {"function": {"name": "f", "arguments": ""}}}}},
      {"type": "tool-call-delta", "index": 0, "delta": {"message": {
          "tool_calls": {"function": {"arguments": "{}"}}}}}],
     '[{"name": "f", "arguments": "{}"}]'),
    ([{"choices": [{"index": 0, "delta": {"content": "a"}},
                   {"index": 1, "delta": {"content": "b"}}]},
      {"choices": [{"index": 0, "delta": {"content": [
          {"type": "text", "text": "c"}, {"type": "image"}]}}]}], "ac\nb"),
    ([{"choices": [{"text": "a"}]}, {"choices": [{"text": "b"}]}], "ab"),
    ([{"message": {"role": "assistant", "content": "a"}, "done": False},
      {"response": "b"}], "ab"),
    ([None, 1, "x", [], {}, {"choices": None}, {"choices": [None]},
      {"candidates": [{}]}, {"type": 1, "delta": 2}, {"type": "content-delta"},
      {"type": "content_block_delta", "delta": None},
      {"type": "response.output_text.delta", "delta": {"a": 1}},
      {"message": "x"}], ""),
])
def test_events(events, expected):
    assert feed(events) == expected


def test_own_spans():
    with llmlab.testing.capture(capture_content="full") as captured:
        with span("a") as step:
            step.set_input({"q": "\ud800"})
            step.set_output("r")

        @trace
        def agent(question):
            return "answer"

        agent("question")
    assert json.loads(captured.span("a")["input"]) == {"q": "?"}
    assert captured.span("agent")["output"] == "answer"
    assert "question" in captured.span("agent")["input"]
