import asyncio
import gc
from decimal import Decimal

import cohere
import pytest

import llmlab
from llmlab import trace

MODEL = "command-a-03-2025"
V2 = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
V1 = {"model": MODEL, "message": "hello"}
USAGE = {"input_tokens": 1200, "output_tokens": 80}
TEXT = "Rain \u2614 over Bergen, \u00e5 yes."


@pytest.fixture
def v2(provider, captured):
    llmlab.instrument("cohere")
    return cohere.ClientV2("x", base_url=provider.url)


@pytest.fixture
def v1(provider, captured):
    llmlab.instrument("cohere")
    return cohere.Client("x", base_url=provider.url)


@pytest.fixture
def av2(provider, captured):
    llmlab.instrument("cohere")
    return cohere.AsyncClientV2("x", base_url=provider.url)


def fake(what, **more):
    return {"request_options": {"additional_headers": {"x-fake": what},
                                **more}}


def the_step(captured, status="success"):
    gc.collect()
    step, = captured.spans
    assert step["status"] == status
    assert step["provider"] == "cohere"
    assert step["request_model"] == MODEL
    assert "hello" not in str(step) and "Bergen" not in str(step)
    assert "secret" not in str(step)
    return step


def priced(step):
    assert step["usage"] == USAGE
    assert Decimal(step["cost"]) == llmlab.cost(
        MODEL, provider="cohere", usage=USAGE)["cost_usd"] > 0
    assert step["api"] == "chat"
    return True


def test_chat(v2, captured):
    with trace("agent"):
        reply = v2.chat(**V2)
    assert reply.message.content[0].text == TEXT
    step = captured.span("cohere.chat")
    assert priced(step)
    assert step["parent_id"] == captured.span("agent")["span_id"]


def test_chat_v1(v1, captured):
    assert v1.chat(**V1).text == TEXT
    assert priced(the_step(captured))


def test_gzip(v2, captured):
    v2.chat(**V2, **fake("gzip"))
    assert priced(the_step(captured))


def test_stream(v2, captured):
    events = list(v2.chat_stream(**V2))
    assert len(events) == 7
    assert "".join(e.delta.message.content.text for e in events
                   if e.type == "content-delta") == TEXT
    step = the_step(captured)
    assert priced(step) and step["stream"] is True and step["ttft_ms"] > 0


def test_stream_v1(v1, captured):
    events = list(v1.chat_stream(**V1))
    assert len(events) == 5
    assert "".join(e.text for e in events
                   if e.event_type == "text-generation") == TEXT
    step = the_step(captured)
    assert priced(step) and step["stream"] is True and step["ttft_ms"] > 0


def test_stream_left_early(v2, captured):
    for _ in v2.chat_stream(**V2):
        break
    the_step(captured, "cancelled")


def test_stream_closed(v1, captured):
    stream = v1.chat_stream(**V1)
    next(stream)
    stream.close()
    the_step(captured, "cancelled")


def test_stream_cut(v2, captured):
    with pytest.raises(Exception):
        list(v2.chat_stream(**V2, **fake("cut")))
    assert the_step(captured, "error")["error"]["type"]


@pytest.mark.parametrize("stream", [False, True])
def test_refused(v2, captured, stream):
    with pytest.raises(cohere.BadRequestError):
        if stream:
            list(v2.chat_stream(**V2, **fake("400")))
        else:
            v2.chat(**V2, **fake("400"))
    step = the_step(captured, "error")
    assert step["error"]["http_status"] == 400


def test_retried(v2, captured):
    v2.chat(**V2, **fake("429-once-co"))
    step = the_step(captured)
    assert priced(step) and step["attempt"] == 2


def test_raw(v2, captured):
    raw = v2.with_raw_response.chat(**V2)
    assert raw.data.usage.tokens.input_tokens == 1230
    assert priced(the_step(captured))


def test_raw_stream(v2, captured):
    with v2.with_raw_response.chat_stream(**V2) as raw:
        assert len(list(raw.data)) == 7
    assert priced(the_step(captured))


def test_embed_in_batches(v1, captured):
    with trace("agent"):
        reply = v1.embed(texts=["hello"] * 200, model="embed-english-v3.0",
                         input_type="search_document")
    assert len(reply.embeddings) == 200
    steps = [s for s in captured.spans if s["type"] == "embedding"]
    assert len(steps) == 3  # of at most 96 texts, on threads of its own
    agent = captured.span("agent")["span_id"]
    for step in steps:
        assert step["parent_id"] == agent
        assert step["usage"] == {"input_tokens": 9}
        assert Decimal(step["cost"]) == Decimal("0.0000009")


def test_rerank(v2, captured):
    v2.rerank(model="rerank-v3.5", query="hello", documents=["a"])
    step, = captured.spans
    assert step["type"] == "rerank" and step["usage"] == {"queries": 1}
    assert Decimal(step["cost"]) == Decimal("0.002")


def test_other_calls_pass(v2, captured):
    with pytest.raises(Exception):
        v2.tokenize(text="hello", model=MODEL)
    assert captured.spans == []


async def test_async(av2, captured):
    async with trace("agent"):
        await asyncio.gather(*(av2.chat(**V2) for _ in range(3)))
        events = [event async for event in av2.chat_stream(**V2)]
        await av2.chat(**V2, **fake("429-once-ca"))
    assert len(events) == 7
    agent = captured.span("agent")["span_id"]
    calls = [s for s in captured.spans if s["type"] == "llm_call"]
    assert len(calls) == 5
    assert all(priced(s) and s["parent_id"] == agent and
               s["status"] == "success" for s in calls)
    assert calls[-1]["attempt"] == 2


async def test_async_left_early_and_cancelled(av2, captured):
    stream = av2.chat_stream(**V2)
    async for _ in stream:
        break
    await stream.aclose()

    async def read():
        async for _ in av2.chat_stream(**V2, **fake("slow")):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(cohere.BadRequestError):
        await av2.chat(**V2, **fake("400"))
    assert [s["status"] for s in captured.spans] == [
        "cancelled", "cancelled", "error"]


def test_uninstrument_restores():
    from cohere.core.http_client import AsyncHttpClient, HttpClient
    before = [dict(c.__dict__) for c in (HttpClient, AsyncHttpClient)]
    llmlab.instrument("cohere")
    assert HttpClient.request is not before[0]["request"]
    llmlab.uninstrument("cohere")
    assert [dict(c.__dict__) for c in (HttpClient, AsyncHttpClient)] == before
