from decimal import Decimal

import groq
import pytest

import llmlab

CHAT = {"model": "llama-3.3-70b-versatile",
        "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def client(provider, captured):
    llmlab.instrument("groq")
    with groq.Groq(base_url=provider.url, api_key="x") as client:
        yield client


@pytest.mark.parametrize("stream", [False, True])
def test_chat(client, captured, stream):
    reply = client.chat.completions.create(**CHAT, stream=stream)
    if stream:
        assert len(list(reply)) == 5
    step, = captured.spans
    assert step["provider"] == "groq" and step["api"] == "chat_completions"
    assert step["usage"]["output_tokens"] == 80
    assert Decimal(step["cost"]) > 0


async def test_async(provider, captured):
    llmlab.instrument("groq")
    async with groq.AsyncGroq(base_url=provider.url, api_key="x") as client:
        await client.chat.completions.create(**CHAT)
        with pytest.raises(groq.BadRequestError):
            await client.chat.completions.create(
                **CHAT, extra_headers={"x-fake": "400"})
    assert [s["status"] for s in captured.spans] == ["success", "error"]


def test_two_sdks_at_one_address(client, provider, captured):
    """A gateway: the address tells nothing, the SDK does."""
    llmlab.instrument("mistralai")
    from mistralai.client import Mistral
    with Mistral(api_key="x", server_url=provider.url) as mistral:
        mistral.chat.complete(model="mistral-small-latest",
                              messages=CHAT["messages"])
    client.chat.completions.create(**CHAT)
    assert [s["provider"] for s in captured.spans] == ["mistral", "groq"]
