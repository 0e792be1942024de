import asyncio
import logging

import fastapi
import pytest
from fastapi.responses import StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

import llmlab
from llmlab import current_span, span
from llmlab.asgi import LLMLabMiddleware

PARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


def application(**options):
    app = fastapi.FastAPI()
    app.add_middleware(LLMLabMiddleware, **options)
    router = fastapi.APIRouter(prefix="/rooms")

    @router.post("/{room}/messages")
    async def post(room: str, fail: bool = False):
        with span("work", kind="tool"):
            await asyncio.sleep(0)
        if fail:
            raise ZeroDivisionError
        return {"room": room}

    @app.get("/sync/{number:int}")
    def sync(number: int):
        with span("work"):
            return number

    @app.get("/refused")
    async def refused(code: int):
        raise fastapi.HTTPException(code)

    @app.get("/stream")
    async def stream():
        async def pieces():
            for i in range(3):
                with span(f"piece {i}"):
                    yield b"x"
        return StreamingResponse(pieces())

    @app.get("/later")
    async def later(tasks: fastapi.BackgroundTasks):
        def work():
            with span("afterwards"):
                pass
        tasks.add_task(work)
        return 1

    @app.websocket("/ws")
    async def ws(socket: fastapi.WebSocket):
        await socket.accept()
        with span("heard"):
            await socket.send_text(await socket.receive_text())
        await socket.close()

    outer = fastapi.APIRouter(prefix="/v1")
    outer.include_router(router)
    app.include_router(outer)
    app.mount("/inner", Starlette(routes=[
        Route("/a/{b}", lambda request: PlainTextResponse("a"))]))
    return app


@pytest.fixture
def client():
    return TestClient(application(), raise_server_exceptions=False)


def children(captured, root):
    return [step["name"] for step in captured.spans
            if step.get("parent_id") == root["span_id"]]


def test_a_trace_for_each_request(captured, client):
    for _ in range(2):
        assert client.post("/v1/rooms/7/messages").status_code == 200
    roots = [s for s in captured.spans if "parent_id" not in s]
    assert [s["name"] for s in roots] == 2 * ["POST /v1/rooms/{room}/messages"]
    assert roots[0]["trace_id"] != roots[1]["trace_id"]
    assert roots[0]["agent"] == "POST /v1/rooms/{room}/messages"
    assert roots[0]["status"] == "success"
    assert roots[0]["attributes"] == {
        "http.request.method": "POST",
        "http.route": "/v1/rooms/{room}/messages",
        "http.response.status_code": 200}
    assert [children(captured, root) for root in roots] == 2 * [["work"]]


@pytest.mark.parametrize("method,path,name,status", [
    ("GET", "/sync/7", "GET /sync/{number:int}", 200),
    ("GET", "/inner/a/7", "GET /inner/a/{b}", 200),
    ("GET", "/inner/nothing", "GET /inner", 404),
    ("GET", "/v1/rooms/7/messages", "GET /v1/rooms/{room}/messages", 405),
    ("GET", "/nothing/here", "GET", 404),
    ("PROPFIND", "/nothing", "HTTP", 404),
    ("GET", "/refused?code=429", "GET /refused", 429),
])
def test_names(captured, client, method, path, name, status):
    assert client.request(method, path).status_code == status
    root = captured.span(name)
    assert root["status"] == "success"
    assert root["attributes"]["http.response.status_code"] == status


def test_errors(captured, client):
    assert client.post("/v1/rooms/7/messages?fail=1").status_code == 500
    root = captured.span("POST /v1/rooms/{room}/messages")
    assert root["status"] == "error"
    assert root["error"]["type"] == "ZeroDivisionError"
    assert client.get("/refused?code=503").status_code == 503
    root = captured.span("GET /refused")
    assert root["status"] == "error"
    assert root["error"] == {"type": "503", "http_status": 503}


def test_traceparent(captured, client):
    client.post("/v1/rooms/7/messages", headers={"Traceparent": PARENT})
    client.post("/v1/rooms/7/messages", headers={"traceparent": "nonsense"})
    first, second = [s for s in captured.spans if s["name"] != "work"]
    assert first["trace_id"] == PARENT[3:35]
    assert first["parent_id"] == PARENT[36:52]
    assert second.get("parent_id") is None
    closed = TestClient(application(traceparent=False))
    closed.post("/v1/rooms/7/messages", headers={"traceparent": PARENT})
    assert captured.spans[-1]["trace_id"] != PARENT[3:35]


def test_hooks(captured, caplog):
    client = TestClient(application(
        user=lambda scope: dict(scope["headers"])[b"x-user"].decode(),
        session=lambda scope: "s1", skip="/later"))
    client.post("/v1/rooms/7/messages", headers={"X-User": "anna"})
    assert {(s["user"], s["session"]) for s in captured.spans} == {
        ("anna", "s1")}
    with caplog.at_level(logging.WARNING, "llmlab"):
        client.post("/v1/rooms/7/messages")  # the hook raises
        client.post("/v1/rooms/7/messages")
    assert len(captured.spans) == 6
    assert [r.message for r in caplog.records] == [
        "llmlab: the hook for users failed; told once"]
    client.get("/later")
    assert [s["name"] for s in captured.spans[6:]] == ["afterwards"]


def test_streams_last_until_their_last_byte(captured, client):
    assert client.get("/stream").content == b"xxx"
    root = captured.span("GET /stream")
    assert sorted(children(captured, root)) == [
        "piece 0", "piece 1", "piece 2"]
    assert captured.spans[-1] == root


def test_background_tasks_are_steps_but_take_no_time(captured, client):
    client.get("/later")
    root = captured.span("GET /later")
    assert children(captured, root) == ["afterwards"]
    assert captured.spans[0] == root


def test_a_client_that_goes_away(captured):
    """The stream is cancelled in its middle."""
    async def run(version):
        sent = []

        async def receive():
            while len(sent) < 2:
                await asyncio.sleep(0.001)
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if len(sent) > 2:
                raise OSError("gone")

        async def pieces():
            for _ in range(1000):
                yield b"x"
                await asyncio.sleep(0.001)

        async def stream(request):
            return StreamingResponse(pieces())

        app = Starlette(routes=[Route("/", stream)])
        app.add_middleware(LLMLabMiddleware)
        try:
            await app({"type": "http", "method": "GET", "path": "/",
                       "query_string": b"", "headers": [],
                       "asgi": {"spec_version": version}}, receive, send)
        except Exception:
            pass

    asyncio.run(run("2.3"))
    assert captured.span("GET /")["status"] == "cancelled"
    asyncio.run(run("2.4"))
    assert captured.spans[-1]["status"] == "cancelled"


def test_a_shutdown_delivers(tmp_path):
    llmlab.init(exporter="file", exporter_file=tmp_path / "out")
    with TestClient(application()) as client:
        client.get("/sync/1")
        assert not (tmp_path / "out").exists()
    assert "GET /sync/{number:int}" in (tmp_path / "out").read_text()


def test_websockets_are_left_alone(captured):
    with TestClient(application()) as client:
        with client.websocket_connect("/ws") as socket:
            socket.send_text("hi")
            assert socket.receive_text() == "hi"
    assert [s["name"] for s in captured.spans] == ["heard"]
    assert captured.span("heard").get("parent_id") is None


def test_beside_other_middleware(captured):
    app = application()

    async def dispatch(request, call_next):
        with span("other"):
            return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    app.add_middleware(LLMLabMiddleware)  # twice
    assert TestClient(app).get("/sync/1").status_code == 200
    assert sorted(s["name"] for s in captured.spans) == [
        "GET /sync/{number:int}", "GET /sync/{number:int}", "other", "work"]
    assert len({s["trace_id"] for s in captured.spans}) == 1


def test_many_at_once(captured):
    """No request sees another's span."""
    import httpx2

    async def main():
        app = application()

        @app.get("/who/{name}")
        async def who(name: str):
            current_span().set_user(name)
            await asyncio.sleep(0.001)
            with span("step"):
                await asyncio.sleep(0.001)

        async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app),
                base_url="http://test") as client:
            await asyncio.gather(*(client.get(f"/who/{i}") for i in range(50)))

    asyncio.run(main())
    roots = {s["span_id"]: s for s in captured.spans if "parent_id" not in s}
    steps = [s for s in captured.spans if s["name"] == "step"]
    assert len(roots) == len(steps) == 50
    assert all(s["user"] == roots[s["parent_id"]]["user"] for s in steps)


def test_any_application(captured):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    TestClient(LLMLabMiddleware(
        app, route=lambda scope: "/any")).get("/whatever")
    TestClient(LLMLabMiddleware(app)).get("/whatever")
    assert [s["name"] for s in captured.spans] == ["GET /any", "GET"]


def test_files(captured, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    app = application()
    app.mount("/files", StaticFiles(directory=tmp_path))
    assert TestClient(app).get("/files/a.txt").text == "a"
    assert captured.span("GET /files")["status"] == "success"


def test_off(monkeypatch):
    monkeypatch.setenv("LLMLAB_ENABLED", "0")
    assert TestClient(application()).get("/sync/1").text == "1"
