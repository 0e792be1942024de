"""A provider on 127.0.0.1 that speaks the wire formats of OpenAI, Anthropic,
Gemini, Mistral and Cohere: JSON, gzip, and SSE in odd pieces. The header x-fake says what goes
wrong:

    400             an error of the provider
    429-once-NAME   the first request of this NAME is refused, the next answered
    500             an error that clients retry
    cut             the stream breaks off
    error-event     the stream ends in an error event
    slow            the stream waits half a second in its middle
    no-usage        no usage is told
    no-options      400 where stream_options is asked for
    gzip            the JSON reply is compressed

Alone, it prints its address and serves: python3 fake_provider.py"""

import gzip
import http.server
import json
import re
import threading
import time

TEXT = ("Rain \u2614 over ", "Bergen", ", \u00e5 yes.")
CHAT_USAGE = {"prompt_tokens": 1200, "completion_tokens": 80,
              "total_tokens": 1280,
              "prompt_tokens_details": {"cached_tokens": 1024},
              "completion_tokens_details": {"reasoning_tokens": 16}}
RESPONSES_USAGE = {"input_tokens": 1200, "output_tokens": 80,
                   "total_tokens": 1280,
                   "input_tokens_details": {"cached_tokens": 1024},
                   "output_tokens_details": {"reasoning_tokens": 16}}
ANTHROPIC_USAGE = {"input_tokens": 176, "cache_read_input_tokens": 1024,
                   "cache_creation_input_tokens": 0, "output_tokens": 80}
GEMINI_USAGE = {"promptTokenCount": 1200, "cachedContentTokenCount": 1024,
                "candidatesTokenCount": 64, "thoughtsTokenCount": 16,
                "totalTokenCount": 1280}
MISTRAL_USAGE = {"prompt_tokens": 1200, "completion_tokens": 80,
                 "total_tokens": 1280}
COHERE_USAGE = {"billed_units": {"input_tokens": 1200, "output_tokens": 80},
                "tokens": {"input_tokens": 1230, "output_tokens": 84}}
TOOL_CALL = {"id": "call_1", "type": "function", "function": {
    "name": "weather", "arguments": '{"city": "Bergen"}'}}


def mistral(model):
    return model.startswith(("mistral-", "codestral-"))


def chat(request, fake):
    model = request["model"]
    asks_tool = request.get("tools") and not any(
        m["role"] == "tool" for m in request["messages"])
    message = {"role": "assistant", "content": "".join(TEXT), "refusal": None}
    if asks_tool:
        message.update(content=None, tool_calls=[TOOL_CALL])
    reply = {"id": "chatcmpl-1", "object": "chat.completion",
             "created": 1760000000, "model": model,
             "choices": [{"index": 0, "message": message,
                          "finish_reason":
                          "tool_calls" if asks_tool else "stop"}],
             "service_tier": "default",
             "usage": MISTRAL_USAGE if mistral(model) else CHAT_USAGE}
    if fake == "no-usage":
        del reply["usage"]
    return reply


def chat_stream(request, fake):
    told = (request.get("stream_options") or {}).get("include_usage")
    told = told and fake != "no-usage"
    last = {"usage": MISTRAL_USAGE} if mistral(request["model"]) else {}
    asks_tool = request.get("tools") and not any(
        m["role"] == "tool" for m in request["messages"])

    def chunk(choices, **more):
        if told:
            more = {"usage": None, **more}
        return "", {"id": "chatcmpl-1", "object": "chat.completion.chunk",
                    "created": 1760000000, "model": request["model"],
                    "choices": choices, **more}

    yield chunk([{"index": 0, "delta": {"role": "assistant", "content": ""},
                  "finish_reason": None}])
    if asks_tool:
        yield chunk([{"index": 0, "delta": {"tool_calls": [
            {"index": 0, **TOOL_CALL}]}, "finish_reason": None}])
        yield chunk([{"index": 0, "delta": {},
                      "finish_reason": "tool_calls"}], **last)
    else:
        for text in TEXT:
            yield chunk([{"index": 0, "delta": {"content": text},
                          "finish_reason": None}])
        yield chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}],
                    **last)
    if told:
        yield chunk([], usage=CHAT_USAGE)
    yield "", "[DONE]"


def response_of(request, status="completed"):
    done = status == "completed"
    return {"id": "resp_1", "object": "response", "created_at": 1760000000,
            "status": status, "model": request["model"], "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {},
            "parallel_tool_calls": True, "temperature": 1, "top_p": 1,
            "tool_choice": "auto", "tools": [],
            "output": [{"type": "message", "id": "msg_1", "role": "assistant",
                        "status": "completed", "content": [
                            {"type": "output_text", "text": "".join(TEXT),
                             "annotations": []}]}] if done else [],
            "usage": RESPONSES_USAGE if done else None}


def responses(request, fake):
    return response_of(request)


def responses_stream(request, fake):
    def event(kind, **more):
        return kind, {"type": kind, **more}

    yield event("response.created", sequence_number=0,
                response=response_of(request, "in_progress"))
    yield event("response.output_item.added", sequence_number=1,
                output_index=0,
                item={"type": "message", "id": "msg_1", "role": "assistant",
                      "status": "in_progress", "content": []})
    yield event("response.content_part.added", sequence_number=2,
                item_id="msg_1", output_index=0, content_index=0,
                part={"type": "output_text", "text": "", "annotations": []})
    for i, text in enumerate(TEXT):
        yield event("response.output_text.delta", sequence_number=3 + i,
                    item_id="msg_1", output_index=0, content_index=0,
                    delta=text, logprobs=[])
    yield event("response.completed", sequence_number=9,
                response=response_of(request))


def embeddings(request, fake):
    return {"id": "embd-1", "object": "list", "model": request["model"],
            "data": [{"object": "embedding", "index": 0,
                      "embedding": [0.1, 0.2]}],
            "usage": {"prompt_tokens": 9, "total_tokens": 9}}


def messages(request, fake):
    return {"id": "msg_1", "type": "message", "role": "assistant",
            "model": request["model"],
            "content": [{"type": "text", "text": "".join(TEXT)}],
            "stop_reason": "end_turn", "stop_sequence": None,
            "usage": ANTHROPIC_USAGE}


def messages_stream(request, fake):
    def event(kind, **more):
        return kind, {"type": kind, **more}

    start = messages(request, fake)
    start.update(content=[], stop_reason=None,
                 usage={**ANTHROPIC_USAGE, "output_tokens": 1})
    yield event("message_start", message=start)
    yield event("content_block_start", index=0,
                content_block={"type": "text", "text": ""})
    yield event("ping")
    for text in TEXT:
        yield event("content_block_delta", index=0,
                    delta={"type": "text_delta", "text": text})
    if fake == "error-event":
        yield event("error", error={"type": "overloaded_error",
                                    "message": "Overloaded"})
        return
    yield event("content_block_stop", index=0)
    yield event("message_delta",
                delta={"stop_reason": "end_turn", "stop_sequence": None},
                usage={"output_tokens": 80})
    yield event("message_stop")


def cohere_chat(request, fake):
    return {"id": "co-1", "finish_reason": "COMPLETE", "message": {
        "role": "assistant", "content": [
            {"type": "text", "text": "".join(TEXT)}]}, "usage": COHERE_USAGE}


def cohere_stream(request, fake):
    def event(kind, **delta):
        return kind, {"type": kind, "index": 0, "delta": delta}

    yield "message-start", {"id": "co-1", "type": "message-start", "delta": {
        "message": {"role": "assistant"}}}
    yield event("content-start",
                message={"content": {"type": "text", "text": ""}})
    for text in TEXT:
        yield event("content-delta", message={"content": {"text": text}})
    yield event("content-end")
    yield event("message-end", finish_reason="COMPLETE", usage=COHERE_USAGE)
    yield "", "[DONE]"


def cohere_v1(request, fake):
    return {"response_id": "co-1", "generation_id": "g-1",
            "text": "".join(TEXT), "finish_reason": "COMPLETE",
            "meta": {"api_version": {"version": "1"}, **COHERE_USAGE}}


def cohere_v1_stream(request, fake):
    """Lines of JSON."""
    yield None, {"is_finished": False, "event_type": "stream-start",
                 "generation_id": "g-1"}
    for text in TEXT:
        yield None, {"is_finished": False, "event_type": "text-generation",
                     "text": text}
    yield None, {"is_finished": True, "event_type": "stream-end",
                 "finish_reason": "COMPLETE",
                 "response": cohere_v1(request, fake)}


def cohere_embed(request, fake):
    return {"id": "co-2", "response_type": "embeddings_by_type",
            "texts": request["texts"], "embeddings": {
                "float": [[0.1, 0.2]] * len(request["texts"])},
            "meta": {"api_version": {"version": "2"},
                     "billed_units": {"input_tokens": 9}}}


def cohere_embed_v1(request, fake):
    return {**cohere_embed(request, fake),
            "response_type": "embeddings_floats",
            "embeddings": [[0.1, 0.2]] * len(request["texts"])}


def cohere_rerank(request, fake):
    return {"id": "co-3", "results": [{"index": 0, "relevance_score": 0.9}],
            "meta": {"api_version": {"version": "2"},
                     "billed_units": {"search_units": 1}}}


def gemini_chunk(text, **more):
    return {"candidates": [{"index": 0, "content": {
        "role": "model", "parts": [{"text": text}]}, **more}],
        "modelVersion": "gemini-2.5-flash", "responseId": "r-1",
        "usageMetadata": GEMINI_USAGE}


def generate(request, fake):
    return gemini_chunk("".join(TEXT), finishReason="STOP")


def generate_stream(request, fake):
    for text in TEXT[:-1]:
        yield "", gemini_chunk(text)
    yield "", gemini_chunk(TEXT[-1], finishReason="STOP")


def gemini_embed(request, fake):
    return {"embeddings": [{"values": [0.1, 0.2]}],
            "usageMetadata": {"promptTokenCount": 9}}


ROUTES = (
    (r"/(chat|agents|fim)/completions$", chat, chat_stream),
    (r"/v2/chat$", cohere_chat, cohere_stream),
    (r"/v1/chat$", cohere_v1, cohere_v1_stream),
    (r"/v2/embed$", cohere_embed, None),
    (r"/v1/embed$", cohere_embed_v1, None),
    (r"/rerank$", cohere_rerank, None),
    (r"/responses$", responses, responses_stream),
    (r"/embeddings$", embeddings, None),
    (r"/messages$", messages, messages_stream),
    (r":generateContent$", generate, None),
    (r":(batchEmbedContents|embedContent)$", gemini_embed, None),
    (r":streamGenerateContent$", None, generate_stream),
)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        path = self.path.split("?")[0]
        request = json.loads(self.rfile.read(
            int(self.headers["Content-Length"])))
        fake = self.headers.get("x-fake", "")
        self.server.requests.append((path, request, dict(self.headers)))
        anthropic = path.endswith("/messages")
        gemini = ":" in path
        if fake == "400":
            return self.fail(400, "invalid_request_error", anthropic, gemini)
        if fake == "500":
            return self.fail(500, "server_error", anthropic, gemini)
        if fake == "no-options" and "stream_options" in request:
            return self.fail(400, "unknown field stream_options", anthropic,
                             gemini)
        if fake.startswith("429-once-") and fake not in self.server.refused:
            self.server.refused.add(fake)
            return self.fail(429, "rate_limit_error", anthropic, gemini)
        for pattern, whole, streamed in ROUTES:
            if re.search(pattern, path):
                if streamed and (request.get("stream") or not whole):
                    return self.stream(streamed(request, fake), fake)
                return self.whole(whole(request, fake), fake)
        self.fail(404, "not_found", anthropic, gemini)

    def whole(self, reply, fake, status=200):
        body = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if fake == "gzip":
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        if status == 429:
            self.send_header("Retry-After-Ms", "1")
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def fail(self, status, kind, anthropic, gemini):
        error = {"type": kind, "message": f"secret text: {kind}"}
        reply = {"error": {**error, "code": None, "param": None}}
        if anthropic:
            reply = {"type": "error", "error": error}
        elif self.path.endswith(("/chat", "/embed", "/rerank")):
            reply = {"id": "co-4", "message": f"secret text: {kind}"}
        elif gemini:
            reply = {"error": {"code": status, "message": kind,
                               "status": "INVALID_ARGUMENT"}}
        self.whole(reply, "", status)

    def stream(self, events, fake):
        parts = []
        for event, data in events:
            data = data if isinstance(data, str) else json.dumps(
                data, ensure_ascii=False)
            if event is None:
                parts.append(f"{data}\n".encode())
                continue
            name = f"event: {event}\n" if event else ""
            parts.append(f"{name}data: {data}\n\n".encode())
        if fake == "error-event" and b"overloaded" not in parts[-1]:
            parts[-2:] = [b'data: {"error": {"message": "secret", '
                          b'"type": "server_error", "code": "oops"}}\n\n']
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream"
                         if b"data: " in parts[0] else
                         "application/stream+json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        data = b"".join(parts)
        if fake == "cut":
            data = data[:len(data) // 2]
        try:
            # 37 bytes: lines and UTF-8 sequences are cut anywhere.
            for i in range(0, len(data), 37):
                if fake == "slow" and i <= len(data) // 2 < i + 37:
                    time.sleep(0.5)
                self.piece(data[i:i + 37])
            if fake != "cut":
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass  # the client has gone
        self.close_connection = fake == "cut"

    def piece(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


class FakeProvider(http.server.ThreadingHTTPServer):
    """with FakeProvider() as fake: ... fake.url"""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests = []  # (path, body, headers)
        self.refused = set()

    def handle_error(self, request, client_address):
        pass

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


if __name__ == "__main__":
    server = FakeProvider()
    print(server.url, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
