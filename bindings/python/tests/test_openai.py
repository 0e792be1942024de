import asyncio
import gc
from decimal import Decimal

import openai
import pytest

import llmlab
from llmlab import trace

CHAT = {"model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "hello"}]}
USAGE = {"input_tokens": 1200, "cache_read_tokens": 1024, "output_tokens": 80,
         "reasoning_tokens": 16}
# 176 and 1024 tokens in at 0.15 and 0.075, 80 out at 0.60 USD a million
COST = Decimal("0.0001512")


@pytest.fixture
def client(provider, captured):
    llmlab.instrument("openai")
    with openai.OpenAI(base_url=provider.url + "/v1", api_key="x",
                       max_retries=2) as client:
        yield client


@pytest.fixture
async def aclient(provider, captured):
    llmlab.instrument("openai")
    async with openai.AsyncOpenAI(base_url=provider.url + "/v1", api_key="x",
                                  max_retries=2) as client:
        yield client


def fake(what):
    return {"x-fake": what}


def the_step(captured, status="success"):
    gc.collect()
    step, = (s for s in captured.spans if s["type"] == "llm_call")
    assert step["status"] == status
    assert step["provider"] == "openai"
    assert step["request_model"] == "gpt-4o-mini"
    assert "hello" not in str(step) and "Bergen" not in str(step)
    return step


def priced(step, api="chat_completions"):
    assert step["usage"] == USAGE
    assert Decimal(step["cost"]) == COST
    assert step["api"] == api
    assert step["model"] == "gpt-4o-mini"
    return True


def test_chat(client, captured):
    with trace("agent"):
        reply = client.chat.completions.create(**CHAT)
    assert reply.choices[0].message.content.startswith("Rain")
    step = the_step(captured)
    assert priced(step)
    assert step["parent_id"] == captured.span("agent")["span_id"]
    assert step["response_id"] == "chatcmpl-1"
    assert step["finish_reason"] == "stop"
    assert captured.cost_usd == COST
    assert "attempt" not in step or step["attempt"] <= 1


def test_gzip(client, captured):
    client.chat.completions.create(**CHAT, extra_headers=fake("gzip"))
    assert priced(the_step(captured))


def text_of(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks)


def test_stream(client, captured, provider):
    chunks = list(client.chat.completions.create(**CHAT, stream=True))
    assert len(chunks) == 5  # what the program saw before
    assert text_of(chunks) == "Rain \u2614 over Bergen, \u00e5 yes."
    assert all(c.usage is None for c in chunks)
    assert provider.requests[0][1]["stream_options"] == {"include_usage": True}
    step = the_step(captured)
    assert priced(step) and step["stream"] is True
    assert step["ttft_ms"] > 0


def test_stream_that_asks_for_usage(client, captured):
    chunks = list(client.chat.completions.create(
        **CHAT, stream=True, stream_options={"include_usage": True}))
    assert len(chunks) == 6 and chunks[-1].usage.prompt_tokens == 1200
    assert priced(the_step(captured))


def estimated(step):
    """Nobody counted: what was said is measured, and marked so."""
    return (step["cost_detail"]["usage_source"] == "estimated"
            and 0 < step["usage"]["input_tokens"] < 20
            and 4 < step["usage"]["output_tokens"] < 20
            and not step["usage_complete"] and Decimal(step["cost"]) > 0)


def test_stream_that_refuses_usage(client, captured, provider):
    chunks = list(client.chat.completions.create(
        **CHAT, stream=True, stream_options={"include_usage": False}))
    assert len(chunks) == 5
    assert provider.requests[0][1]["stream_options"] == {
        "include_usage": False}
    assert estimated(the_step(captured))


def test_server_that_knows_no_stream_options(client, captured, provider):
    chunks = list(client.chat.completions.create(
        **CHAT, stream=True, extra_headers=fake("no-options")))
    assert len(chunks) == 5 and len(provider.requests) == 2
    the_step(captured)


def test_include_usage_is_an_option(client, captured, provider):
    llmlab.instrument("openai", include_usage=False)
    assert len(list(client.chat.completions.create(**CHAT, stream=True))) == 5
    assert "stream_options" not in provider.requests[0][1]
    the_step(captured)


def test_stream_helper(client, captured):
    with client.chat.completions.stream(**CHAT) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.content.startswith("Rain")
    assert priced(the_step(captured))


def test_stream_left_early(client, captured):
    stream = client.chat.completions.create(**CHAT, stream=True)
    for _ in stream:
        break
    stream.close()
    assert the_step(captured, "cancelled")["stream"] is True


def test_stream_dropped(client, captured):
    with client.chat.completions.create(**CHAT, stream=True) as stream:
        next(stream)
    the_step(captured, "cancelled")


def test_stream_never_read(client, captured):
    client.chat.completions.create(**CHAT, stream=True).close()
    the_step(captured, "cancelled")


def test_stream_cut(client, captured):
    with pytest.raises(Exception) as error:
        list(client.chat.completions.create(**CHAT, stream=True,
                                            extra_headers=fake("cut")))
    assert "peer closed" in str(error.value) or error.value
    step = the_step(captured, "error")
    assert step["error"]["type"]


def test_stream_with_an_error_event(client, captured):
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(
            **CHAT, stream=True, extra_headers=fake("error-event")))
    step = the_step(captured, "error")
    assert step["error"]["type"] == "server_error"
    assert "secret" not in str(step)


def test_refused(client, captured):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**CHAT, extra_headers=fake("400"))
    step = the_step(captured, "error")
    assert step["error"]["type"] == "invalid_request_error"
    assert step["error"]["http_status"] == 400
    assert "secret" not in str(step)


def test_retried(client, captured):
    client.chat.completions.create(**CHAT, extra_headers=fake("429-once-a"))
    step = the_step(captured)
    assert priced(step) and step["attempt"] == 2
    assert len(captured.spans) == 1


def test_retries_used_up(client, captured, provider, monkeypatch):
    monkeypatch.setattr("openai._base_client.SyncAPIClient._sleep_for_retry",
                        lambda *_, **__: None)
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(**CHAT, extra_headers=fake("500"))
    step = the_step(captured, "error")
    assert len(provider.requests) == 3 and step["attempt"] == 3


def test_no_connection(client, captured):
    lost = client.with_options(base_url="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(openai.APIConnectionError):
        lost.chat.completions.create(**CHAT)
    assert the_step(captured, "error")["error"]["type"] == "APIConnectionError"


def test_raw_response(client, captured):
    raw = client.chat.completions.with_raw_response.create(**CHAT)
    assert raw.parse().usage.prompt_tokens == 1200
    assert priced(the_step(captured))


def test_streaming_response(client, captured):
    with client.chat.completions.with_streaming_response.create(
            **CHAT) as raw:
        assert raw.parse().usage.prompt_tokens == 1200
    assert priced(the_step(captured))


def test_streaming_response_by_lines(client, captured):
    with client.chat.completions.with_streaming_response.create(
            **CHAT, stream=True) as raw:
        lines = [line for line in raw.iter_lines() if line]
    assert len(lines) == 6  # five chunks and [DONE]
    assert priced(the_step(captured))


def test_raw_stream(client, captured):
    raw = client.chat.completions.with_raw_response.create(**CHAT, stream=True)
    assert len(list(raw.parse())) == 5
    assert priced(the_step(captured))


def test_responses(client, captured):
    reply = client.responses.create(model="gpt-4o-mini", input="hello")
    assert reply.output_text.startswith("Rain")
    assert priced(the_step(captured), "responses")


def test_responses_stream(client, captured):
    events = list(client.responses.create(model="gpt-4o-mini", input="hello",
                                          stream=True))
    assert events[-1].type == "response.completed" and len(events) == 7
    assert priced(the_step(captured), "responses")


def test_embeddings(client, captured):
    client.embeddings.create(model="text-embedding-3-small", input="hello")
    step, = captured.spans
    assert step["type"] == "embedding"
    assert step["usage"] == {"input_tokens": 9}
    assert Decimal(step["cost"]) == Decimal("0.00000018")


def test_no_usage_is_not_zero(client, captured):
    client.chat.completions.create(**CHAT, extra_headers=fake("no-usage"))
    assert estimated(the_step(captured))


def test_fingerprints(provider):
    llmlab.instrument("openai")
    with llmlab.testing.capture(fingerprint="request") as captured:
        with openai.OpenAI(base_url=provider.url + "/v1",
                           api_key="x") as client:
            for _ in range(2):
                client.chat.completions.create(**CHAT)
            client.chat.completions.create(
                **{**CHAT, "messages": [{"role": "user", "content": "bye"}]})
    prints = [s["fingerprint"] for s in captured.spans]
    assert prints[0] == prints[1] != prints[2]
    assert "hello" not in str(captured.spans)


def test_other_calls_pass(client, captured):
    with pytest.raises(openai.APIStatusError):
        client.models.list()
    assert captured.spans == []


def test_content_is_captured_if_asked(provider):
    llmlab.instrument("openai")
    with llmlab.testing.capture(capture_content="full") as captured:
        with openai.OpenAI(base_url=provider.url + "/v1",
                           api_key="x") as client:
            client.chat.completions.create(**CHAT)
    step, = captured.spans
    assert "hello" in step["input"] and "Bergen" in step["output"]


# asyncio

async def test_async_chat(aclient, captured):
    async with trace("agent"):
        await asyncio.gather(*(aclient.chat.completions.create(**CHAT)
                               for _ in range(3)))
    agent = captured.span("agent")["span_id"]
    calls = [s for s in captured.spans if s["type"] == "llm_call"]
    assert len(calls) == 3
    assert all(priced(s) and s["parent_id"] == agent for s in calls)


async def test_async_stream(aclient, captured):
    stream = await aclient.chat.completions.create(**CHAT, stream=True)
    chunks = [chunk async for chunk in stream]
    assert len(chunks) == 5
    assert text_of(chunks) == "Rain \u2614 over Bergen, \u00e5 yes."
    assert priced(the_step(captured))


async def test_async_stream_left_early(aclient, captured):
    async with await aclient.chat.completions.create(
            **CHAT, stream=True) as stream:
        async for _ in stream:
            break
    the_step(captured, "cancelled")


async def test_async_stream_cut(aclient, captured):
    with pytest.raises(Exception):
        stream = await aclient.chat.completions.create(
            **CHAT, stream=True, extra_headers=fake("cut"))
        async for _ in stream:
            pass
    the_step(captured, "error")


async def test_async_stream_cancelled(aclient, captured):
    async def read():
        stream = await aclient.chat.completions.create(
            **CHAT, stream=True, extra_headers=fake("slow"))
        async for _ in stream:
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()
    await asyncio.sleep(0.01)
    the_step(captured, "cancelled")


async def test_async_errors(aclient, captured):
    with pytest.raises(openai.BadRequestError):
        await aclient.chat.completions.create(**CHAT,
                                              extra_headers=fake("400"))
    assert the_step(captured, "error")["error"]["http_status"] == 400


async def test_async_retried(aclient, captured):
    await aclient.chat.completions.create(**CHAT,
                                          extra_headers=fake("429-once-b"))
    assert the_step(captured)["attempt"] == 2


async def test_async_raw_and_streaming_response(aclient, captured):
    raw = await aclient.chat.completions.with_raw_response.create(**CHAT)
    assert raw.parse().usage
    async with aclient.chat.completions.with_streaming_response.create(
            **CHAT) as streamed:
        assert (await streamed.parse()).usage
    assert all(priced(s) for s in captured.spans)
    assert len(captured.spans) == 2


# The patch itself.

def test_uninstrument_restores(provider, captured):
    from openai._base_client import AsyncAPIClient, SyncAPIClient
    names = [(owner, name) for owner in (SyncAPIClient, AsyncAPIClient)
             for name in ("request", "_process_response")]
    before = [owner.__dict__[name] for owner, name in names]
    llmlab.instrument("openai")
    llmlab.instrument("openai")
    assert all(owner.__dict__[name] is not old
               for (owner, name), old in zip(names, before))
    llmlab.uninstrument()
    assert [owner.__dict__[name] for owner, name in names] == before
    with openai.OpenAI(base_url=provider.url + "/v1", api_key="x") as client:
        client.chat.completions.create(**CHAT)
    assert captured.spans == []


def test_patched_when_imported(run, provider):
    done = run("""
import sys, llmlab
with llmlab.testing.capture() as captured:
    llmlab.instrument()
    assert "openai" not in sys.modules and "anthropic" not in sys.modules
    import openai
    with openai.OpenAI(base_url=sys.argv[1] if len(sys.argv) > 1 else
                       __import__("os").environ["FAKE"], api_key="x") as c:
        c.embeddings.create(model="text-embedding-3-small", input="x")
    print(captured.spans[0]["name"])
    llmlab.uninstrument()
    assert not any("llmlab" in type(f).__module__ for f in sys.meta_path)
""", FAKE=provider.url + "/v1")
    assert done.stdout == "openai.embeddings\n"


def test_a_broken_tracer_does_not_break_the_call(client, captured,
                                                 monkeypatch):
    def broken(*_, **__): raise RuntimeError("ours")

    for name in ("body", "begin_stream", "feed", "end_stream", "fail",
                 "attempt"):
        monkeypatch.setattr(f"llmlab._instrument._call.Call.{name}", broken)
    assert client.chat.completions.create(**CHAT).usage
    assert len(list(client.chat.completions.create(**CHAT, stream=True))) == 5
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**CHAT, extra_headers=fake("400"))


def test_off(provider, monkeypatch):
    monkeypatch.setenv("LLMLAB_ENABLED", "0")
    llmlab.instrument("openai")
    with openai.OpenAI(base_url=provider.url + "/v1", api_key="x") as client:
        assert client.chat.completions.create(**CHAT).usage
        assert len(list(client.chat.completions.create(
            **CHAT, stream=True))) == 5
    assert "stream_options" not in provider.requests[1][1]
