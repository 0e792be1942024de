"""The text of a streamed reply, put together for programs that capture it."""

from __future__ import annotations

import json
from typing import Any


class Text:
    """Takes a stream's bytes, cut anywhere; SSE or JSON by lines."""

    def __init__(self) -> None:
        self._held = b""
        self._texts: dict[Any, list[str]] = {}
        self._tools: dict[Any, dict[str, str]] = {}

    def feed(self, piece: bytes) -> None:
        *lines, self._held = (self._held + piece).split(b"\n")
        for line in lines:
            self._line(line)

    def __str__(self) -> str:
        self._line(self._held)
        self._held = b""
        parts = ["".join(text) for text in self._texts.values()]
        if self._tools:
            parts.append(json.dumps(list(self._tools.values()),
                                    ensure_ascii=False))
        return "\n".join(parts)

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            line = line[5:]
        elif not line.startswith(b"{"):
            return
        try:
            event = json.loads(line)
            if isinstance(event, dict):
                self._event(event)
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # [DONE], or no reply of a model

    def _event(self, event: dict[str, Any]) -> None:
        kind = event.get("type") or event.get("event_type") or ""
        delta: Any = event.get("delta")
        if "choices" in event:
            for choice in event["choices"]:
                self._choice(choice)
        elif "candidates" in event:
            for number, candidate in enumerate(event["candidates"]):
                for part in (candidate.get("content") or {}).get("parts", ()):
                    self._gemini(candidate.get("index", number), part)
        elif kind == "response.output_text.delta":
            self._say(event.get("output_index", 0), delta)
        elif kind == "response.function_call_arguments.delta":
            self._tool(event.get("output_index", 0), None, delta)
        elif kind == "response.output_item.added":
            if event["item"].get("name"):
                self._tool(event["output_index"], event["item"]["name"], "")
        elif kind == "content_block_start":
            if event["content_block"].get("name"):
                self._tool(event["index"], event["content_block"]["name"], "")
        elif kind == "content_block_delta":
            self._say(0, delta.get("text"))
            if "partial_json" in delta:
                self._tool(event["index"], None, delta["partial_json"])
        elif kind in ("text-generation", ""):
            # Cohere's first version; Ollama.
            self._say(0, event.get("text"))
            self._say(0, event.get("response"))
            self._say(0, (event.get("message") or {}).get("content"))
        elif isinstance(delta, dict):
            self._cohere(event.get("index", 0), delta["message"])

    def _choice(self, choice: dict[str, Any]) -> None:
        index = choice.get("index", 0)
        delta = choice.get("delta") or choice.get("message") or {}
        self._say(index, choice.get("text"))
        self._say(index, delta.get("content"))
        for number, tool in enumerate(delta.get("tool_calls") or ()):
            function = tool.get("function") or {}
            self._tool((index, tool.get("index", number)),
                       function.get("name"), function.get("arguments"))

    def _gemini(self, index: int, part: dict[str, Any]) -> None:
        if not part.get("thought"):
            self._say(index, part.get("text"))
        called = part.get("functionCall")
        if called:
            self._tool(len(self._tools), called.get("name"),
                       json.dumps(called.get("args"), ensure_ascii=False))

    def _cohere(self, index: int, message: dict[str, Any]) -> None:
        self._say(0, (message.get("content") or {}).get("text"))
        function = (message.get("tool_calls") or {}).get("function")
        if function:
            self._tool(index, function.get("name"), function.get("arguments"))

    def _say(self, index: Any, text: Any) -> None:
        if isinstance(text, list):  # parts, of which some are text
            text = "".join(part.get("text") or "" for part in text)
        if isinstance(text, str) and text:
            self._texts.setdefault(index, []).append(text)

    def _tool(self, index: Any, name: Any, arguments: Any) -> None:
        tool = self._tools.setdefault(index, {"name": "", "arguments": ""})
        if isinstance(name, str):
            tool["name"] = name
        if isinstance(arguments, str):
            tool["arguments"] += arguments
