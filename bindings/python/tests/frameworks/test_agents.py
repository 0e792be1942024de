import asyncio
import gc
from decimal import Decimal

import agents
import openai
import pytest
from agents import (Agent, GuardrailFunctionOutput, OpenAIChatCompletionsModel,
                    OpenAIResponsesModel, Runner, function_tool,
                    input_guardrail)

import llmlab
from llmlab import span, trace

TEXT = "Rain \u2614 over Bergen, \u00e5 yes."
USAGE = {"input_tokens": 1200, "cache_read_tokens": 1024,
         "output_tokens": 80, "reasoning_tokens": 16}
COST = Decimal("0.0001512")


@function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    with span("lookup"):
        return "rain"


@function_tool
async def broken(city: str) -> str:
    raise ValueError("secret")


@pytest.fixture(autouse=True)
def alone():
    agents.set_trace_processors([])
    yield
    llmlab.uninstrument()
    assert agents.tracing.get_trace_provider(
        )._multi_processor._processors == ()


@pytest.fixture(params=["with openai", "alone"])
def instrumented(request, captured):
    """The tokens come from the SDK below, or from the Agents SDK itself."""
    if request.param == "alone":
        llmlab.instrument("openai-agents")
    else:
        llmlab.instrument()
    return request.param


@pytest.fixture
def client(provider):
    return openai.AsyncOpenAI(base_url=provider.url + "/v1", api_key="x",
                              max_retries=0)


def tree(captured):
    """(name, type) of each span under that of its parent's path."""
    spans = {s["span_id"]: s for s in captured.spans}

    def path(step):
        above = spans.get(step.get("parent_id"))
        return (path(above) if above else ()) + (step["name"],)
    return sorted(path(s) for s in spans.values())


def calls(captured):
    gc.collect()
    return [s for s in captured.spans if s["type"] == "llm_call"]


def priced(step, api="chat_completions"):
    assert step["usage"] == USAGE and Decimal(step["cost"]) == COST
    assert step["provider"] == "openai" and step["model"] == "gpt-4o-mini"
    return step["status"] == "success"


def test_an_agent_with_a_tool(instrumented, captured, client):
    agent = Agent(name="helper", tools=[weather],
                  model=OpenAIChatCompletionsModel("gpt-4o-mini", client))
    with trace("outer", user="u1"):
        assert Runner.run_sync(agent, "hello").final_output == TEXT
    assert tree(captured) == [
        ("outer",), ("outer", "Agent workflow"),
        ("outer", "Agent workflow", "helper"),
        ("outer", "Agent workflow", "helper", "generation"),
        ("outer", "Agent workflow", "helper", "generation"),
        ("outer", "Agent workflow", "helper", "weather"),
        ("outer", "Agent workflow", "helper", "weather", "lookup")]
    assert len(calls(captured)) == 2
    assert all(priced(s) for s in calls(captured))
    assert captured.cost_usd == 2 * COST
    assert captured.span("weather")["type"] == "tool_call"
    assert captured.span("helper")["agent"] == "helper"
    assert calls(captured)[0]["agent"] == "helper"
    assert calls(captured)[0]["user"] == "u1"
    for step in captured.spans:
        assert "hello" not in str(step) and "Bergen" not in str(step)


def test_responses(instrumented, captured, client):
    agent = Agent(name="helper",
                  model=OpenAIResponsesModel("gpt-4o-mini", client))
    assert Runner.run_sync(agent, "hello").final_output == TEXT
    step, = calls(captured)
    assert priced(step) and step["api"] == "responses"
    assert captured.cost_usd == COST


async def events_of(agent):
    run = Runner.run_streamed(agent, "hello")
    return [event async for event in run.stream_events()], run.final_output


@pytest.mark.parametrize("make", [OpenAIChatCompletionsModel,
                                  OpenAIResponsesModel])
async def test_streams(captured, client, make):
    agent = Agent(name="helper", model=make("gpt-4o-mini", client))
    before, _ = await events_of(agent)
    llmlab.instrument()
    events, output = await events_of(agent)
    assert len(events) == len(before) and output == TEXT
    step, = calls(captured)
    assert priced(step) and step["stream"] is True and step["ttft_ms"] > 0
    assert captured.cost_usd == COST


async def test_what_is_not_known_is_not_zero(captured, client):
    llmlab.instrument("openai-agents")
    await events_of(Agent(name="helper", model=OpenAIChatCompletionsModel(
        "gpt-4o-mini", client)))
    step, = calls(captured)
    assert "usage" not in step and "cost" not in step


async def test_many_at_once(instrumented, captured, client):
    agent = Agent(name="helper", tools=[weather],
                  model=OpenAIChatCompletionsModel("gpt-4o-mini", client))

    async def one(i):
        async with trace(f"outer {i}"):
            await Runner.run(agent, "hello")

    await asyncio.gather(*(one(i) for i in range(4)))
    assert len(calls(captured)) == 8
    assert captured.cost_usd == 8 * COST
    for i in range(4):
        outer = captured.span(f"outer {i}")
        within = [s for s in captured.spans
                  if s["trace_id"] == outer["trace_id"]]
        assert len(within) == 7


def test_handoffs(instrumented, captured, client):
    model = OpenAIChatCompletionsModel("gpt-4o-mini", client)
    agent = Agent(name="first", model=model)
    with agents.trace("work", group_id="g1"):
        with agents.agent_span("first"):
            with agents.handoff_span("first", "second"):
                pass
        Runner.run_sync(agent, "hello")
    step = captured.span("handoff")
    assert step["attributes"] == {"from_agent": "first",
                                  "to_agent": "second"}
    assert captured.span("work")["session"] == "g1"
    assert len(calls(captured)) == 1


def test_guardrails_and_failing_tools(instrumented, captured, client):
    @input_guardrail
    async def polite(context, agent, given):
        return GuardrailFunctionOutput(None, tripwire_triggered=False)

    agent = Agent(name="helper", tools=[broken], input_guardrails=[polite],
                  model=OpenAIChatCompletionsModel("gpt-4o-mini", client))
    broken.name = "weather"  # which the model calls
    Runner.run_sync(agent, "hello")
    assert captured.span("polite")["type"] == "guardrail"
    assert captured.span("weather")["status"] == "error"
    assert "secret" not in str(captured.spans)


@pytest.mark.parametrize("stream", [False, True])
async def test_errors(instrumented, captured, client, stream):
    agent = Agent(
        name="helper", model=OpenAIChatCompletionsModel("gpt-4o-mini", client),
        model_settings=agents.ModelSettings(extra_headers={"x-fake": "400"}))
    with pytest.raises(openai.BadRequestError):
        if stream:
            await events_of(agent)
        else:
            await Runner.run(agent, "hello")
    step, = calls(captured)
    assert step["status"] == "error"
    assert step["error"]["http_status"] == 400
    assert "secret" not in str(captured.spans)


def test_off_for_a_run_is_no_loss(captured, client):
    llmlab.instrument()
    agent = Agent(name="helper",
                  model=OpenAIChatCompletionsModel("gpt-4o-mini", client))
    with trace("outer"):
        Runner.run_sync(agent, "hello", run_config=agents.RunConfig(
            tracing_disabled=True))
    assert tree(captured) == [("outer",), ("outer",
                                           "openai.chat_completions")]


def test_litellm_below(captured, provider):
    from agents.extensions.models.litellm_model import LitellmModel
    llmlab.instrument()
    agent = Agent(name="helper", model=LitellmModel(
        "anthropic/claude-opus-4-5", base_url=provider.url, api_key="x"))
    assert Runner.run_sync(agent, "hello").final_output == TEXT
    step, = calls(captured)
    assert step["name"] == "generation" and step["provider"] == "anthropic"
    assert step["usage"]["output_tokens"] == 80
    assert Decimal(step["cost"]) == captured.cost_usd > 0


def test_content_if_asked(client):
    llmlab.instrument()
    with llmlab.testing.capture(capture_content="full") as captured:
        agent = Agent(name="helper", tools=[weather],
                      model=OpenAIChatCompletionsModel("gpt-4o-mini", client))
        Runner.run_sync(agent, "hello")
        assert "hello" in calls(captured)[0]["input"]
        assert "Bergen" in calls(captured)[1]["output"]
        assert captured.span("weather")["output"] == "rain"
