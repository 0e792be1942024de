"""A chat over HTTP: each request is a trace, named after its route; the reply
is streamed, and its cost is that of the whole stream.

    LLMLAB_EXPORTER=console OPENAI_API_KEY=... uvicorn server:app
    curl -N -H 'X-User: anna' 'localhost:8000/rooms/1/ask?q=Hello'"""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import llmlab
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from llmlab import current_span
from llmlab.asgi import LLMLabMiddleware
from openai import AsyncOpenAI

llmlab.init(service="chat-example", instrument=["openai"])
llmlab.log_trace_ids()


def user(scope: MutableMapping[str, Any]) -> str | None:
    """Who asks; all steps of the request inherit it."""
    for name, value in scope["headers"]:
        if name == b"x-user":
            return str(value, "latin-1")
    return None


app = FastAPI()
app.add_middleware(LLMLabMiddleware, user=user, skip={"/health"})
client = AsyncOpenAI()


@app.get("/health")
async def health() -> str:
    return "well"


@app.get("/rooms/{room}/ask")
async def ask(room: int, q: str) -> StreamingResponse:
    current_span().set_session(f"room {room}")
    return StreamingResponse(reply(q), media_type="text/plain")


async def reply(question: str) -> AsyncIterator[str]:
    stream = await client.chat.completions.create(
        model="gpt-4o-mini", stream=True,
        messages=[{"role": "user", "content": question}])
    async for chunk in stream:
        if chunk.choices:
            yield chunk.choices[0].delta.content or ""
