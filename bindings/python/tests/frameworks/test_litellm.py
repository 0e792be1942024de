import asyncio
import gc
from decimal import Decimal

import litellm
import pytest

import llmlab
from llmlab import trace

TEXT = "Rain \u2614 over Bergen, \u00e5 yes."
ASK = {"messages": [{"role": "user", "content": "hello"}], "api_key": "x",
       "num_retries": 0}
OPENAI = {"input_tokens": 1200, "cache_read_tokens": 1024,
          "output_tokens": 80, "reasoning_tokens": 16}
ANTHROPIC = {"input_tokens": 1200, "cache_read_tokens": 1024,
             "cache_write_5m_tokens": 0, "output_tokens": 80}

# What LiteLLM calls by the openai SDK, and what by its own handlers:
# model -> base address, and what the span says.
MODELS = {
    "openai/gpt-4o-mini": ("/v1", "openai", "chat_completions", OPENAI),
    "anthropic/claude-opus-4-5": ("", "anthropic", "messages", ANTHROPIC),
    "gemini/gemini-2.5-flash": ("", "gemini", "generate_content", OPENAI),
    "mistral/mistral-small-latest": (
        "/v1", "mistral", "chat_completions",
        {"input_tokens": 1200, "output_tokens": 80}),
}


@pytest.fixture(autouse=True)
def instrumented(captured):
    llmlab.instrument()


def ask(provider, model, **more):
    return {"model": model, "api_base": provider.url + MODELS[model][0],
            **ASK, **more}


def fake(what):
    return {"extra_headers": {"x-fake": what}}


def the_step(captured, model, status="success"):
    gc.collect()
    step, = (s for s in captured.spans if s["type"] == "llm_call")
    assert step["status"] == status
    assert step["provider"] == MODELS[model][1]
    assert "hello" not in str(step) and "Bergen" not in str(step)
    assert "secret" not in str(step)
    return step


def priced(step, model):
    _, provider, api, usage = MODELS[model]
    assert step["usage"] == usage and step["api"] == api
    assert Decimal(step["cost"]) == llmlab.cost(
        model.split("/")[1], provider=provider, usage=usage)["cost_usd"] > 0
    return True


@pytest.mark.parametrize("model", MODELS)
def test_completion(provider, captured, model):
    with trace("agent"):
        reply = litellm.completion(**ask(provider, model))
    assert reply.choices[0].message.content == TEXT
    step = the_step(captured, model)
    assert priced(step, model)
    assert step["parent_id"] == captured.span("agent")["span_id"]


def text_of(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks
                   if c.choices)


@pytest.mark.parametrize("model", MODELS)
def test_stream(provider, captured, model):
    llmlab.uninstrument()
    before = list(litellm.completion(**ask(provider, model, stream=True)))
    llmlab.instrument()
    chunks = list(litellm.completion(**ask(provider, model, stream=True)))
    assert text_of(chunks) == TEXT and len(chunks) == len(before)
    step = the_step(captured, model)
    assert priced(step, model) and step["stream"] is True
    assert step["ttft_ms"] > 0


@pytest.mark.parametrize("model", MODELS)
async def test_async(provider, captured, model):
    async with trace("agent"):
        await asyncio.gather(*(litellm.acompletion(**ask(provider, model))
                               for _ in range(3)))
        stream = await litellm.acompletion(**ask(provider, model, stream=True))
        chunks = [chunk async for chunk in stream]
    gc.collect()
    await asyncio.sleep(0.05)
    assert text_of(chunks) == TEXT
    agent = captured.span("agent")["span_id"]
    calls = [s for s in captured.spans if s["type"] == "llm_call"]
    assert len(calls) == 4
    assert all(priced(s, model) and s["parent_id"] == agent and
               s["status"] == "success" for s in calls)


@pytest.mark.parametrize("model", MODELS)
def test_refused(provider, captured, model):
    with pytest.raises(litellm.BadRequestError):
        litellm.completion(**ask(provider, model, **fake("400")))
    step = the_step(captured, model, "error")
    assert step["error"]["http_status"] == 400
    assert step["error"]["type"] in ("invalid_request_error",
                                     "INVALID_ARGUMENT")


@pytest.mark.parametrize("model", MODELS)
def test_stream_left_early(provider, captured, model):
    stream = litellm.completion(**ask(provider, model, stream=True))
    for _ in stream:
        break
    # LiteLLM keeps its last stream: what is open is told when the client ends.
    for prepare in llmlab._client.closing:
        prepare(captured.client)
    the_step(captured, model, "cancelled")


@pytest.mark.parametrize("model", MODELS)
def test_stream_cut(provider, captured, model):
    with pytest.raises(Exception):
        list(litellm.completion(**ask(provider, model, stream=True,
                                      **fake("cut"))))
    assert the_step(captured, model, "error")["error"]["type"]


def test_retried(provider, captured):
    """Each request of LiteLLM's own retries is a call."""
    model = "anthropic/claude-opus-4-5"
    options = ask(provider, model, **fake("429-once-l"))
    options["num_retries"] = 1
    litellm.completion(**options)
    refused, answered = captured.spans
    assert refused["status"] == "error"
    assert refused["error"]["http_status"] == 429
    assert answered["status"] == "success" and priced(answered, model)


def test_embedding(provider, captured):
    litellm.embedding(model="openai/text-embedding-3-small", input=["hello"],
                      api_key="x", api_base=provider.url + "/v1")
    step, = captured.spans
    assert step["type"] == "embedding"
    assert step["usage"] == {"input_tokens": 9}


def test_router_falls_back(provider, captured):
    router = litellm.Router(model_list=[
        {"model_name": "first", "litellm_params": ask(
            provider, "openai/gpt-4o-mini", **fake("500"), max_retries=0)},
        {"model_name": "second", "litellm_params": ask(
            provider, "anthropic/claude-opus-4-5")}],
        fallbacks=[{"first": ["second"]}], num_retries=0)
    reply = router.completion("first", messages=ASK["messages"])
    assert reply.choices[0].message.content == TEXT
    assert [(s["provider"], s["status"]) for s in captured.spans] == [
        ("openai", "error"), ("anthropic", "success")]


def test_a_mocked_reply_is_no_call(captured):
    litellm.completion(model="gpt-4o-mini", messages=ASK["messages"],
                       mock_response="Rain")
    assert captured.spans == []


def test_alone_it_brings_what_it_calls_through(provider, captured):
    from openai._base_client import SyncAPIClient
    llmlab.uninstrument()
    before = SyncAPIClient.request
    llmlab.instrument("litellm")
    litellm.completion(**ask(provider, "openai/gpt-4o-mini"))
    assert len(captured.spans) == 1
    llmlab.uninstrument("litellm")
    assert SyncAPIClient.request is before


def test_uninstrument_restores():
    from litellm.llms.custom_httpx.http_handler import (AsyncHTTPHandler,
                                                        HTTPHandler)
    llmlab.uninstrument()
    before = [dict(c.__dict__) for c in (HTTPHandler, AsyncHTTPHandler)]
    llmlab.instrument("litellm")
    assert HTTPHandler.post is not before[0]["post"]
    llmlab.uninstrument("litellm")
    assert [dict(c.__dict__)
            for c in (HTTPHandler, AsyncHTTPHandler)] == before
