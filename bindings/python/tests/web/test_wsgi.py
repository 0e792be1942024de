import io
import logging
import wsgiref.util
from wsgiref.handlers import SimpleHandler

import flask
import pytest

from llmlab import span
from llmlab.wsgi import LLMLabMiddleware, trace_flask

PARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


def application(**options):
    app = flask.Flask(__name__)
    trace_flask(app, **options)
    trace_flask(app)  # again changes nothing
    rooms = flask.Blueprint("rooms", __name__, url_prefix="/rooms")

    @rooms.post("/<room>/messages")
    def post(room):
        with span("work", kind="tool"):
            if flask.request.args.get("fail"):
                raise ZeroDivisionError
        return {"room": room}

    @app.get("/stream")
    def stream():
        def pieces():
            for i in range(3):
                with span(f"piece {i}"):
                    yield "x"
        return flask.Response(flask.stream_with_context(pieces()))

    @app.get("/broken")
    def broken():
        def pieces():
            yield "x"
            raise ZeroDivisionError
        return flask.Response(pieces())

    @app.get("/refused/<int:code>")
    def refused(code):
        flask.abort(code)

    @app.get("/slash/")
    def slash():
        return "x"

    app.register_blueprint(rooms)
    return app


@pytest.fixture
def client():
    return application().test_client()


def children(captured, root):
    return [step["name"] for step in captured.spans
            if step.get("parent_id") == root["span_id"]]


def test_a_trace_for_each_request(captured, client):
    for _ in range(2):
        assert client.post("/rooms/7/messages", buffered=True).status_code == 200
    roots = [s for s in captured.spans if "parent_id" not in s]
    assert [s["name"] for s in roots] == 2 * ["POST /rooms/<room>/messages"]
    assert roots[0]["trace_id"] != roots[1]["trace_id"]
    assert roots[0]["status"] == "success"
    assert roots[0]["attributes"] == {
        "http.request.method": "POST", "http.route": "/rooms/<room>/messages",
        "http.response.status_code": 200}
    assert [children(captured, root) for root in roots] == 2 * [["work"]]


@pytest.mark.parametrize("method,path,name,status", [
    ("GET", "/refused/429", "GET /refused/<int:code>", 429),
    ("GET", "/rooms/7/messages", "GET", 405),
    ("GET", "/nothing/here", "GET", 404),
    ("GET", "/slash", "GET", 308),
    ("HEAD", "/slash/", "HEAD /slash/", 200),
    ("PROPFIND", "/nothing", "HTTP", 404),
])
def test_names(captured, client, caplog, method, path, name, status):
    assert client.open(path, method=method, buffered=True).status_code == status
    root = captured.span(name)
    assert root["status"] == "success"
    assert root["attributes"]["http.response.status_code"] == status
    assert not caplog.records


def test_errors(captured, client):
    assert client.post("/rooms/7/messages?fail=1", buffered=True).status_code == 500
    root = captured.span("POST /rooms/<room>/messages")
    assert (root["status"], root["error"]) == (
        "error", {"type": "500", "http_status": 500})
    app = application()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(ZeroDivisionError):
        app.test_client().post("/rooms/7/messages?fail=1")
    assert captured.spans[-1]["error"]["type"] == "ZeroDivisionError"


def test_traceparent_and_hooks(captured, caplog):
    client = application(
        user=lambda environ: environ["HTTP_X_USER"], session=lambda _: "s1",
        skip=["/stream"]).test_client()
    client.post("/rooms/7/messages", buffered=True,
                headers={"Traceparent": PARENT, "X-User": "anna"})
    with caplog.at_level(logging.WARNING, "llmlab"):
        client.post("/rooms/7/messages", buffered=True)
    first, second = [s for s in captured.spans if s["name"] != "work"]
    assert (first["trace_id"], first["parent_id"]) == (
        PARENT[3:35], PARENT[36:52])
    assert (first["user"], first["session"]) == ("anna", "s1")
    assert second.get("parent_id") is None
    client.get("/stream", buffered=True)
    assert [s["name"] for s in captured.spans[4:]] == [
        "piece 0", "piece 1", "piece 2"]


def test_streams_last_until_their_last_byte(captured, client):
    reply = client.get("/stream", buffered=False)
    pieces = iter(reply.response)
    assert next(pieces) == b"x"
    with span("the server's own"):
        pass
    assert len(list(pieces)) == 2
    reply.close()
    root = captured.span("GET /stream")
    assert children(captured, root) == ["piece 0", "piece 1", "piece 2"]
    assert captured.span("the server's own").get("parent_id") is None
    assert captured.spans[-1] == root
    assert root["status"] == "success"


def test_a_client_that_goes_away(captured, client):
    reply = client.get("/stream", buffered=False)
    assert next(iter(reply.response)) == b"x"
    reply.close()
    assert captured.span("GET /stream")["status"] == "cancelled"


def test_a_stream_that_breaks(captured, client):
    with pytest.raises(ZeroDivisionError):
        client.get("/broken", buffered=True)
    root = captured.span("GET /broken")
    assert root["error"]["type"] == "ZeroDivisionError"


def serve(app, method="GET"):
    """By the standard library's own server."""
    environ = {"REQUEST_METHOD": method}
    wsgiref.util.setup_testing_defaults(environ)
    out = io.BytesIO()
    handler = SimpleHandler(io.BytesIO(), out, io.StringIO(), environ)
    handler.wsgi_file_wrapper = wsgiref.util.FileWrapper
    handler.run(app)
    return out.getvalue()


def test_whole_bodies_and_files_stay_what_they_are(captured):
    def whole(environ, start_response):
        start_response("200 OK", [])
        return [b"abc"]

    def file(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"file"))

    for body in (whole, file):
        environ = {"wsgi.file_wrapper": wsgiref.util.FileWrapper}
        wsgiref.util.setup_testing_defaults(environ)
        plain = type(body(environ, lambda *_: None))
        traced = LLMLabMiddleware(body)(environ, lambda *_: None)
        assert type(traced) is plain
    # One piece: the server tells its length.
    assert b"Content-Length: 3" in serve(LLMLabMiddleware(whole))
    assert serve(LLMLabMiddleware(file)).endswith(b"file")
    assert {s["status"] for s in captured.spans} == {"success"}
    assert {s["name"] for s in captured.spans} == {"GET"}


def test_write_and_late_start(captured):
    def writes(environ, start_response):
        write = start_response("201 Created", [])
        write(b"old style")
        return []

    def late(environ, start_response):
        start_response("202 Accepted", [])
        yield b"late"

    assert b"old style" in serve(LLMLabMiddleware(writes))
    assert b"late" in serve(LLMLabMiddleware(late))
    assert [s["attributes"]["http.response.status_code"]
            for s in captured.spans] == [201, 202]


def test_off(monkeypatch, client):
    monkeypatch.setenv("LLMLAB_ENABLED", "0")
    assert client.get("/stream").text == "xxx"
