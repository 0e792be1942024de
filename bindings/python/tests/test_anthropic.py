import gc
from decimal import Decimal

import anthropic
import pytest

import llmlab
from llmlab import trace

ASK = {"model": "claude-opus-4-5", "max_tokens": 100,
       "messages": [{"role": "user", "content": "hello"}]}
USAGE = {"input_tokens": 1200, "cache_read_tokens": 1024,
         "cache_write_5m_tokens": 0, "output_tokens": 80}
# 176 and 1024 tokens in at 5 and 0.50, 80 out at 25 USD a million
COST = Decimal("0.003392")


@pytest.fixture
def client(provider, captured):
    llmlab.instrument("anthropic")
    with anthropic.Anthropic(base_url=provider.url, api_key="x") as client:
        yield client


@pytest.fixture
async def aclient(provider, captured):
    llmlab.instrument("anthropic")
    async with anthropic.AsyncAnthropic(base_url=provider.url,
                                        api_key="x") as client:
        yield client


def the_step(captured, status="success"):
    gc.collect()
    step, = captured.spans
    assert step["status"] == status
    assert step["provider"] == "anthropic"
    assert "hello" not in str(step) and "Bergen" not in str(step)
    return step


def priced(step):
    assert step["usage"] == USAGE
    assert Decimal(step["cost"]) == COST
    assert step["api"] == "messages"
    return True


def test_messages(client, captured):
    assert client.messages.create(**ASK).content[0].text.startswith("Rain")
    assert priced(the_step(captured))


def test_stream(client, captured):
    events = list(client.messages.create(**ASK, stream=True))
    assert events[-1].type == "message_stop"
    step = the_step(captured)
    assert priced(step) and step["stream"] is True and step["ttft_ms"] > 0


def test_stream_helper(client, captured):
    with client.messages.stream(**ASK) as stream:
        assert "".join(stream.text_stream).startswith("Rain")
    assert priced(the_step(captured))


def test_beta(client, captured):
    assert client.beta.messages.create(**ASK).usage.output_tokens == 80
    assert priced(the_step(captured))


def test_raw(client, captured):
    assert client.messages.with_raw_response.create(**ASK).parse().usage
    assert priced(the_step(captured))


def test_stream_left_early(client, captured):
    with client.messages.create(**ASK, stream=True) as stream:
        next(iter(stream))
    step = the_step(captured, "cancelled")
    assert step["usage"]["input_tokens"] == 1200  # told at the beginning


def test_error_event(client, captured):
    with pytest.raises(anthropic.APIStatusError):
        list(client.messages.create(**ASK, stream=True,
                                    extra_headers={"x-fake": "error-event"}))
    step = the_step(captured, "error")
    assert step["error"]["type"] == "overloaded_error"


def test_refused(client, captured):
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**ASK, extra_headers={"x-fake": "400"})
    step = the_step(captured, "error")
    assert step["error"]["type"] == "invalid_request_error"
    assert step["error"]["http_status"] == 400


def test_retried(client, captured):
    client.messages.create(**ASK, extra_headers={"x-fake": "429-once-c"})
    step = the_step(captured)
    assert priced(step) and step["attempt"] == 2


async def test_async(aclient, captured):
    async with trace("agent"):
        await aclient.messages.create(**ASK)
    step = captured.span("anthropic.messages")
    assert priced(step)
    assert step["parent_id"] == captured.span("agent")["span_id"]


async def test_async_stream(aclient, captured):
    async with aclient.messages.stream(**ASK) as stream:
        text = "".join([piece async for piece in stream.text_stream])
    assert text.startswith("Rain")
    assert priced(the_step(captured))
