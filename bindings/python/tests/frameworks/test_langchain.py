import asyncio
import gc
from decimal import Decimal

import openai
import pytest
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

import llmlab
from llmlab import span, trace

TEXT = "Rain \u2614 over Bergen, \u00e5 yes."
USAGE = {"input_tokens": 1200, "cache_read_tokens": 1024,
         "output_tokens": 80, "reasoning_tokens": 16}
COST = Decimal("0.0001512")


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    with span("lookup"):
        return "rain"


@pytest.fixture(params=["with openai", "alone"])
def instrumented(request, captured):
    """The tokens come from the SDK below, or from LangChain itself."""
    if request.param == "alone":
        llmlab.instrument("langchain")
    else:
        llmlab.instrument()
    return request.param


@pytest.fixture
def model(provider):
    return ChatOpenAI(model="gpt-4o-mini", base_url=provider.url + "/v1",
                      api_key="x", max_retries=0, stream_usage=True)


@pytest.fixture
def chain(model):
    return (ChatPromptTemplate.from_template("say {x}") | model |
            StrOutputParser()).with_config(run_name="chain")


def tree(captured):
    """The path of names to each span."""
    spans = {s["span_id"]: s for s in captured.spans}

    def path(step):
        above = spans.get(step.get("parent_id"))
        return (path(above) if above else ()) + (step["name"],)
    return sorted(path(s) for s in spans.values())


def calls(captured):
    gc.collect()
    return [s for s in captured.spans if s["type"] == "llm_call"]


def priced(step):
    assert step["usage"] == USAGE and Decimal(step["cost"]) == COST
    assert step["provider"] == "openai" and step["model"] == "gpt-4o-mini"
    assert step["request_model"] == "gpt-4o-mini"
    return step["status"] == "success"


def test_a_chain(instrumented, captured, chain):
    with trace("outer", user="u1"):
        assert chain.invoke({"x": "hello"}) == TEXT
    assert tree(captured) == [
        ("outer",), ("outer", "chain"),
        ("outer", "chain", "ChatOpenAI"),
        ("outer", "chain", "ChatPromptTemplate"),
        ("outer", "chain", "StrOutputParser")]
    step, = calls(captured)
    assert priced(step) and step["user"] == "u1"
    assert captured.cost_usd == COST
    for step in captured.spans:
        assert step["status"] == "success"
        assert "hello" not in str(step) and "Bergen" not in str(step)


def test_an_agent_with_a_tool(instrumented, captured, model):
    agent = create_agent(model, [weather], name="helper")
    asked = {"messages": [{"role": "user", "content": "hello"}]}
    assert agent.invoke(asked)["messages"][-1].content == TEXT
    assert tree(captured) == [
        ("helper",), ("helper", "model"), ("helper", "model"),
        ("helper", "model", "ChatOpenAI"), ("helper", "model", "ChatOpenAI"),
        ("helper", "tools"), ("helper", "tools", "weather"),
        ("helper", "tools", "weather", "lookup")]
    assert all(priced(s) and s["agent"] == "helper" for s in calls(captured))
    assert captured.cost_usd == 2 * COST
    assert captured.span("weather")["type"] == "tool_call"


def test_streams(captured, chain):
    before = list(chain.stream({"x": "hello"}))
    llmlab.instrument()
    seen = []
    for piece in chain.stream({"x": "hello"}):
        with span("consumer"):
            seen.append(piece)
    assert seen == before
    step, = calls(captured)
    assert priced(step) and step["stream"] is True and step["ttft_ms"] > 0
    # What the program does with a chunk is no part of the chain's model.
    assert not any("ChatOpenAI" in path[:-1] for path in tree(captured))


def test_a_stream_told_by_langchain(captured, chain):
    llmlab.instrument("langchain")
    assert "".join(chain.stream({"x": "hello"})) == TEXT
    step, = calls(captured)
    assert priced(step) and step["stream"] is True and step["ttft_ms"] > 0


def test_stream_left_early(instrumented, captured, model):
    stream = model.stream("hello")
    next(stream)
    stream.close()
    del stream
    step, = calls(captured)
    assert step["status"] == "cancelled"


def test_batches_and_threads(instrumented, captured, chain):
    both = RunnableParallel(a=chain, b=chain).with_config(run_name="both")
    with trace("outer"):
        both.batch([{"x": "hello"}] * 3)
    assert len(calls(captured)) == 6 and all(map(priced, calls(captured)))
    assert captured.cost_usd == 6 * COST
    outer = captured.span("outer")
    assert {s["trace_id"] for s in captured.spans} == {outer["trace_id"]}
    assert tree(captured).count(("outer", "both")) == 3


async def test_async(instrumented, captured, chain, model):
    async with trace("outer"):
        await asyncio.gather(*(chain.ainvoke({"x": "hello"})
                               for _ in range(3)))
        pieces = [piece async for piece in chain.astream({"x": "hello"})]
        agent = create_agent(model, [weather], name="helper")
        await agent.ainvoke({"messages": [("user", "hello")]})
    assert "".join(pieces) == TEXT
    assert len(calls(captured)) == 6 and all(map(priced, calls(captured)))
    assert captured.cost_usd == 6 * COST
    paths = tree(captured)
    assert paths.count(("outer", "chain", "ChatOpenAI")) == 4
    assert ("outer", "helper", "tools", "weather", "lookup") in paths


async def test_cancelled(instrumented, captured, provider):
    model = ChatOpenAI(model="gpt-4o-mini", base_url=provider.url + "/v1",
                       api_key="x", default_headers={"x-fake": "slow"})

    async def read():
        async for _ in model.astream("hello"):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.25)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.01)
    step, = calls(captured)
    assert step["status"] == "cancelled"


def test_errors(instrumented, captured, provider):
    model = ChatOpenAI(model="gpt-4o-mini", base_url=provider.url + "/v1",
                       api_key="x", default_headers={"x-fake": "400"})
    with pytest.raises(openai.BadRequestError):
        (RunnableLambda(lambda x: x) | model).invoke("hello")
    step, = calls(captured)
    assert step["status"] == "error"
    assert step["error"]["http_status"] == 400
    assert captured.span("RunnableSequence")["status"] == "error"
    assert "secret" not in str(captured.spans)


def test_direct_calls_within(captured, provider):
    """An SDK's call in a chain is below it, not in its model's place."""
    llmlab.instrument()
    client = openai.OpenAI(base_url=provider.url + "/v1", api_key="x")

    def ask(x):
        return client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": x}])

    RunnableLambda(ask).with_config(run_name="lambda").invoke("hello")
    assert tree(captured) == [
        ("lambda",), ("lambda", "openai.chat_completions")]
    assert captured.cost_usd == COST


def test_retries_are_calls(captured, provider):
    llmlab.instrument()
    model = ChatOpenAI(model="gpt-4o-mini", base_url=provider.url + "/v1",
                       api_key="x", max_retries=0,
                       default_headers={"x-fake": "429-once-lc"})
    model.with_retry(wait_exponential_jitter=False).invoke("hello")
    assert [s["status"] for s in calls(captured)] == ["error", "success"]


def test_retrievers(captured):
    llmlab.instrument()

    class Books(BaseRetriever):
        def _get_relevant_documents(self, query, *, run_manager):
            with span("read"):
                return []

    Books().invoke("hello")
    assert tree(captured) == [("Books",), ("Books", "read")]
    assert captured.span("Books")["type"] == "retrieval"


@pytest.mark.parametrize("alone", [False, True])
def test_anthropic(captured, provider, alone):
    llmlab.instrument(*(["langchain"] if alone else []))
    model = ChatAnthropic(model="claude-opus-4-5", base_url=provider.url,
                          api_key="x")
    assert model.invoke("hello").content == TEXT
    step, = calls(captured)
    assert step["provider"] == "anthropic"
    assert step["usage"]["input_tokens"] == 1200
    assert step["usage"]["cache_read_tokens"] == 1024
    assert Decimal(step["cost"]) == Decimal("0.003392") == captured.cost_usd


def test_its_cache_costs_nothing(instrumented, captured, model):
    set_llm_cache(InMemoryCache())
    try:
        for _ in range(2):
            model.invoke("hello")
    finally:
        set_llm_cache(None)
    assert captured.cost_usd == COST
    assert "usage" not in calls(captured)[1]


def test_content_if_asked(model):
    llmlab.instrument()
    with llmlab.testing.capture(capture_content="full",
                                mask=None) as captured:
        agent = create_agent(model, [weather], name="helper")
        agent.invoke({"messages": [("user", "hello")]})
        assert "hello" in calls(captured)[0]["input"]
        assert "Bergen" in calls(captured)[1]["output"]
        assert "Bergen" in captured.span("helper")["output"]


def test_uninstrument_restores(captured, chain):
    from langchain_core.tracers.context import _configure_hooks
    before = list(_configure_hooks)
    llmlab.instrument("langchain")
    assert len(_configure_hooks) == len(before) + 1
    llmlab.uninstrument("langchain")
    assert _configure_hooks == before
    chain.invoke({"x": "hello"})
    assert captured.spans == []
