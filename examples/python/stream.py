"""A streamed reply in asyncio: its tokens, its cost and the time to its first
token are recorded, though the program asks for none of it.

    LLMLAB_EXPORTER=console OPENAI_API_KEY=... python stream.py"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import llmlab
from llmlab import trace
from openai import AsyncOpenAI


@trace(tags=["example"])
async def tell(client: AsyncOpenAI, what: str) -> AsyncIterator[str]:
    stream = await client.chat.completions.create(
        model="gpt-4o-mini", stream=True,
        messages=[{"role": "user", "content": what}])
    async for chunk in stream:
        yield chunk.choices[0].delta.content or ""


async def main() -> None:
    llmlab.init(service="story-example", instrument=["openai"])
    async for piece in tell(AsyncOpenAI(), "Tell me a short story."):
        print(piece, end="", flush=True)
    print()
    await llmlab.aflush()


if __name__ == "__main__":
    asyncio.run(main())
