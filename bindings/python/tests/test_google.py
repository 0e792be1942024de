from decimal import Decimal

import pytest
from google import genai
from google.genai import errors, types

import llmlab
from llmlab import trace

ASK = {"model": "gemini-2.5-flash", "contents": "hello"}
USAGE = {"input_tokens": 1200, "cache_read_tokens": 1024, "output_tokens": 80,
         "reasoning_tokens": 16}


def make(provider, **headers):
    return genai.Client(api_key="x", http_options=types.HttpOptions(
        base_url=provider.url, headers=headers))


@pytest.fixture(autouse=True)
def instrumented():
    llmlab.instrument("google-genai")


def priced(step):
    assert step["usage"] == USAGE
    assert Decimal(step["cost"]) > 0
    assert step["provider"] == "gemini" and step["api"] == "generate_content"
    assert step["model"] == "gemini-2.5-flash"
    assert "hello" not in str(step) and "Bergen" not in str(step)
    return True


def test_generate(provider, captured):
    client = make(provider)
    reply = client.models.generate_content(**ASK)
    assert reply.text.startswith("Rain")
    step, = captured.spans
    assert priced(step) and step["status"] == "success"


def test_stream(provider, captured):
    client = make(provider)
    chunks = list(client.models.generate_content_stream(**ASK))
    assert "".join(c.text for c in chunks).startswith("Rain \u2614 over")
    step, = captured.spans
    assert priced(step) and step["status"] == "success"
    assert step["stream"] is True and step["ttft_ms"] > 0


def test_stream_left_early(provider, captured):
    client = make(provider)
    stream = client.models.generate_content_stream(**ASK)
    next(stream)
    stream.close()
    step, = captured.spans
    assert step["status"] == "cancelled"


def test_refused(provider, captured):
    client = make(provider, **{"x-fake": "400"})
    with pytest.raises(errors.ClientError):
        client.models.generate_content(**ASK)
    with pytest.raises(errors.ClientError):
        list(client.models.generate_content_stream(**ASK))
    assert len(captured.spans) == 2
    for step in captured.spans:
        assert step["status"] == "error"
        assert step["error"]["http_status"] == 400
        assert step["error"]["type"] == "INVALID_ARGUMENT"


def test_embeddings(provider, captured):
    client = make(provider)
    client.models.embed_content(model="gemini-embedding-001", contents="hello")
    step, = captured.spans
    assert step["type"] == "embedding" and step["status"] == "success"
    assert step["request_model"] == "gemini-embedding-001"


async def test_async(provider, captured):
    client = make(provider)
    async with trace("agent"):
        await client.aio.models.generate_content(**ASK)
        async for _ in await client.aio.models.generate_content_stream(**ASK):
            pass
    agent = captured.span("agent")["span_id"]
    calls = [s for s in captured.spans if s["type"] == "llm_call"]
    assert len(calls) == 2
    assert all(priced(s) and s["parent_id"] == agent and
               s["status"] == "success" for s in calls)


def test_uninstrument_restores():
    from google.genai._api_client import BaseApiClient
    patched = BaseApiClient.request
    llmlab.uninstrument()
    assert BaseApiClient.request is not patched
    assert not hasattr(BaseApiClient.request, "__wrapped__")
