import asyncio
import gc
from decimal import Decimal

import pytest

import llmlab
from llmlab import trace

try:
    from mistralai.client import Mistral
    from mistralai.client.basesdk import BaseSDK
    from mistralai.client.errors import SDKError
    from mistralai.client.utils import BackoffStrategy, RetryConfig
except ImportError:  # 1.x
    from mistralai import Mistral
    from mistralai.basesdk import BaseSDK
    from mistralai.models import SDKError
    from mistralai.utils import BackoffStrategy, RetryConfig

CHAT = {"model": "mistral-small-latest",
        "messages": [{"role": "user", "content": "hello"}]}
USAGE = {"input_tokens": 1200, "output_tokens": 80}
TEXT = "Rain \u2614 over Bergen, \u00e5 yes."
RETRIES = RetryConfig("backoff", BackoffStrategy(1, 5, 1.0, 5000), True)


@pytest.fixture
def client(provider, captured):
    llmlab.instrument("mistralai")
    with Mistral(api_key="x", server_url=provider.url) as client:
        yield client


def fake(what):
    return {"http_headers": {"x-fake": what}}


def the_step(captured, status="success"):
    gc.collect()
    step, = captured.spans
    assert step["status"] == status
    assert step["provider"] == "mistral"
    assert step["request_model"] == "mistral-small-latest"
    assert "hello" not in str(step) and "Bergen" not in str(step)
    assert "secret" not in str(step)
    return step


def priced(step):
    assert step["usage"] == USAGE
    assert Decimal(step["cost"]) == llmlab.cost(
        "mistral-small-latest", provider="mistral", usage=USAGE)["cost_usd"]
    assert step["api"] == "chat_completions"
    return True


def text_of(chunks):
    return "".join(c.data.choices[0].delta.content or "" for c in chunks)


def test_chat(client, captured):
    with trace("agent"):
        reply = client.chat.complete(**CHAT)
    assert reply.choices[0].message.content == TEXT
    step = captured.span("mistral.chat_completions")
    assert priced(step)
    assert step["parent_id"] == captured.span("agent")["span_id"]


def test_gzip(client, captured):
    client.chat.complete(**CHAT, **fake("gzip"))
    assert priced(the_step(captured))


def test_stream(client, captured):
    with client.chat.stream(**CHAT) as stream:
        chunks = list(stream)
    assert len(chunks) == 5 and text_of(chunks) == TEXT
    step = the_step(captured)
    assert priced(step) and step["stream"] is True and step["ttft_ms"] > 0


def test_stream_without_with(client, captured):
    assert len(list(client.chat.stream(**CHAT))) == 5
    assert priced(the_step(captured))


def test_stream_left_early(client, captured):
    for _ in client.chat.stream(**CHAT):
        break
    the_step(captured, "cancelled")


def test_stream_closed(client, captured):
    with client.chat.stream(**CHAT) as stream:
        next(stream)
    the_step(captured, "cancelled")


def test_stream_cut(client, captured):
    with pytest.raises(Exception):
        list(client.chat.stream(**CHAT, **fake("cut")))
    assert the_step(captured, "error")["error"]["type"]


def test_stream_with_an_error_event(client, captured):
    with pytest.raises(Exception):
        list(client.chat.stream(**CHAT, **fake("error-event")))
    the_step(captured, "error")


@pytest.mark.parametrize("stream", [False, True])
def test_refused(client, captured, stream):
    with pytest.raises(SDKError):
        if stream:
            client.chat.stream(**CHAT, **fake("400"))
        else:
            client.chat.complete(**CHAT, **fake("400"))
    step = the_step(captured, "error")
    assert step["error"]["http_status"] == 400
    assert step["error"]["type"] == "invalid_request_error"


def test_retried(client, captured):
    client.chat.complete(**CHAT, retries=RETRIES, **fake("429-once-m"))
    step = the_step(captured)
    assert priced(step) and step["attempt"] == 2


def test_no_connection(captured):
    llmlab.instrument("mistralai")
    with Mistral(api_key="x", server_url="http://127.0.0.1:9") as client:
        with pytest.raises(Exception):
            client.chat.complete(**CHAT)
    the_step(captured, "error")


def test_fim_and_embeddings(client, captured):
    client.fim.complete(model="codestral-latest", prompt="def f(")
    client.embeddings.create(model="mistral-embed", inputs=["hello"])
    fim, embedding = captured.spans
    assert fim["usage"] == USAGE and Decimal(fim["cost"]) > 0
    assert embedding["type"] == "embedding"
    assert embedding["usage"] == {"input_tokens": 9}
    assert Decimal(embedding["cost"]) == Decimal("0.0000009")


def test_other_calls_pass(client, captured):
    with pytest.raises(Exception):
        client.models.list()
    assert captured.spans == []


async def test_async(provider, captured):
    llmlab.instrument("mistralai")
    async with Mistral(api_key="x", server_url=provider.url) as client:
        async with trace("agent"):
            await asyncio.gather(*(client.chat.complete_async(**CHAT)
                                   for _ in range(3)))
            stream = await client.chat.stream_async(**CHAT)
            chunks = [chunk async for chunk in stream]
            await client.chat.complete_async(**CHAT, retries=RETRIES,
                                             **fake("429-once-n"))
    assert len(chunks) == 5 and text_of(chunks) == TEXT
    agent = captured.span("agent")["span_id"]
    calls = [s for s in captured.spans if s["type"] == "llm_call"]
    assert len(calls) == 5
    assert all(priced(s) and s["parent_id"] == agent and
               s["status"] == "success" for s in calls)
    assert calls[-1]["attempt"] == 2


async def test_async_left_early_and_cancelled(provider, captured):
    llmlab.instrument("mistralai")
    async with Mistral(api_key="x", server_url=provider.url) as client:
        async with await client.chat.stream_async(**CHAT) as stream:
            async for _ in stream:
                break

        async def read():
            async for _ in await client.chat.stream_async(**CHAT,
                                                          **fake("slow")):
                pass

        task = asyncio.create_task(read())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gc.collect()
        await asyncio.sleep(0.01)
        with pytest.raises(SDKError):
            await client.chat.complete_async(**CHAT, **fake("400"))
    assert [s["status"] for s in captured.spans] == [
        "cancelled", "cancelled", "error"]


def test_uninstrument_restores():
    before = dict(BaseSDK.__dict__)
    llmlab.instrument("mistralai")
    assert BaseSDK.do_request is not before["do_request"]
    llmlab.uninstrument("mistralai")
    assert dict(BaseSDK.__dict__) == before
