#!/usr/bin/env python3
"""Replies about traces and scores are what docs/openapi.yaml says.

llmlab-test: threads timeout=120
"""

import json
import os
import sys

try:
    import jsonschema
    import yaml
except ImportError:
    print("SKIP test_server_replies: jsonschema or yaml is not installed")
    sys.exit(77)

import serving
from serving import Base, Sender, new_trace

with open(os.path.join(os.environ["LLMLAB_SOURCE_DIR"], "docs",
                       "openapi.yaml")) as file:
    DOCUMENT = yaml.safe_load(file)


class Replies(Base):
    def ask(self, method, path, pattern, body=None, status=200, key=None):
        got, headers, reply = self.server.request(
            method, "/v1/projects/-/" + path, key or self.admin,
            None if body is None else json.dumps(body),
            {} if body is None else {"Content-Type": "application/json"})
        self.assertEqual(got, status, reply)
        operation = DOCUMENT["paths"]["/v1/projects/{project}/" +
                                      pattern][method.lower()]
        told = operation["responses"][str(status)]
        if "$ref" in told:
            told = DOCUMENT["components"]["responses"][
                told["$ref"].split("/")[-1]]
        reply = json.loads(reply)
        schema = told["content"][headers["Content-Type"]]["schema"]
        jsonschema.Draft202012Validator(
            dict(DOCUMENT, **{"allOf": [schema]})).validate(reply)
        return reply

    def test_they_validate(self):
        sender, trace = Sender(), new_trace()
        root = sender.step(type="agent", usage=..., model=..., provider=...,
                           user="u", session="s", tags=["t"], agent="a")
        steps = [root, sender.step(parent_id=root["span_id"]),
                 sender.step(model="nobody-knows", status="error")]
        self.accept(sender.batch(steps, trace), accepted=3)
        score = {"trace_id": trace, "name": "n", "value": 0.5}
        self.ask("POST", "scores", "scores", dict(score, id="one"), 201)
        self.ask("POST", "scores", "scores", dict(score, id="one"), 200)
        self.ask("POST", "scores", "scores", dict(score, id="one", value=7),
                 409)
        self.ask("POST", "scores", "scores", dict(score, value=[]), 400)
        self.ask("POST", "scores", "scores", {"scores": [
            dict(score, value="good"), dict(score, value=True), {}]})
        page = self.ask("GET", "scores?limit=1", "scores")
        self.assertEqual(len(page["data"]), 1)
        self.ask("GET", "scores", "scores")
        self.ask("GET", "scores/one", "scores/{score_id}")
        self.ask("GET", "scores/two", "scores/{score_id}", status=404)
        self.ask("GET", "scores/summary", "scores/summary")
        detail = self.ask("GET", "traces/" + trace, "traces/{trace_id}")
        self.assertEqual(len(detail["scores"]), 3)
        page = self.ask("GET", "traces/%s/steps?limit=2" % trace,
                        "traces/{trace_id}/steps")
        self.assertEqual(len(page["data"]), 2)
        self.ask("GET", "traces/%s/steps" % new_trace(),
                 "traces/{trace_id}/steps", status=404)
        self.ask("GET", "traces", "traces")
        self.ask("GET", "traces?errors=1", "traces", status=400)


if __name__ == "__main__":
    serving.main()
