"""An agent with a tool. What it cost is printed by the console exporter:

    LLMLAB_EXPORTER=console OPENAI_API_KEY=... python agent.py

With LLMLAB_API_KEY instead, it goes to your llmlab-server."""

from __future__ import annotations

import json

import llmlab
from llmlab import span, trace
from openai import OpenAI
from openai.types.chat import (ChatCompletionMessageParam,
                               ChatCompletionToolParam)

TOOLS: list[ChatCompletionToolParam] = [{
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city, now",
        "parameters": {"type": "object", "required": ["city"],
                       "properties": {"city": {"type": "string"}}},
    },
}]


@span("weather", kind="tool")
def weather(city: str) -> str:
    return f"12 degrees and rain in {city}"


@trace(tags=["example"])
def ask(client: OpenAI, question: str) -> str:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": question}]
    for _ in range(5):
        reply = client.chat.completions.create(
            model="gpt-4o-mini", messages=messages, tools=TOOLS)
        message = reply.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append({
            "role": "assistant",
            "tool_calls": [
                {"id": call.id, "type": "function",
                 "function": {"name": call.function.name,
                              "arguments": call.function.arguments}}
                for call in message.tool_calls if call.type == "function"]})
        for call in message.tool_calls:
            if call.type == "function":
                city = json.loads(call.function.arguments)["city"]
                messages.append({"role": "tool", "tool_call_id": call.id,
                                 "content": weather(city)})
    return ""


if __name__ == "__main__":
    llmlab.init(service="weather-example", instrument=["openai"])
    print(ask(OpenAI(), "Do I need an umbrella in Bergen?"))
