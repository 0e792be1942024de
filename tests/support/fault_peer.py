"""An ingest server that misbehaves on request, for the tests of delivery.

    fault_peer.py [--tls CERT KEY [--mutual]] [WORD...]

Prints its port, then serves until its standard input ends. POST /script takes
a JSON list: what the next ingest requests meet, one word each; past its end
every request is served well. GET /report tells what was stored and seen.
--mutual: whoever connects must show the certificate, too. A request to a
whole URL is served as a proxy would, and what it was allowed by is told.

  ok            store, answer with the echo        NNN         that status
  NNN:S         with Retry-After: S                NNN:date+S  as a date
  html          200 with a login page              alien       another echo
  302           to /stolen on this server          rst         reset
  close         close without a reply              hole        never answer
  commit_drop   store, then close                  slow        a byte a second
  delay:S       store, answer after S seconds      reject      refuse record 1
  max:N         from now on 413 above N records
  else:WORD     from now on WORD instead of ok
"""

import asyncio
import gzip
import json
import socket
import ssl
import struct
import sys
import time
from email.utils import formatdate


class Peer:
    def __init__(self, words):
        self.script = words
        self.max_count = None
        self.otherwise = "ok"
        self.stored = {}        # instance -> set of record numbers
        self.twice = 0          # records that came again
        self.requests = 0
        self.faults = []        # what was wrong with requests
        self.stolen = 0         # requests that followed a redirect
        self.times = []         # of ingest requests, monotonic
        self.connections = 0
        self.proxied = []       # whole URL and Proxy-Authorization
        self.agents = set()

    def report(self):
        return {"stored": sum(len(s) for s in self.stored.values()),
                "instances": len(self.stored), "twice": self.twice,
                "requests": self.requests, "faults": self.faults[:5],
                "stolen": self.stolen, "times": self.times[-50:],
                "connections": self.connections,
                "proxied": self.proxied[-5:],
                "spans": [len(s) for s in self.stored.values()]}

    def check(self, headers, body):
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        doc = json.loads(body)
        batch, instance = doc["batch"], doc["sdk"]["instance"]
        key = f'{instance}-{batch["first"]}-{batch["count"]}'
        if headers.get("idempotency-key") != key:
            self.faults.append("Idempotency-Key")
        if not headers.get("authorization", "").startswith(
                "Bearer llmlab_sk_"):
            self.faults.append("Authorization")
        if not headers.get("user-agent", "").startswith("libllmlab/"):
            self.faults.append("User-Agent")
        numbers = [s["n"] for t in doc["traces"] for s in t["steps"]]
        for row in batch["unsampled"]:
            for first, last in row["n"]:
                numbers.extend(range(first, last + 1))
        expected = range(batch["first"], batch["first"] + batch["count"])
        if sorted(numbers) != list(expected):
            self.faults.append(f"numbers of {key}")
        return instance, batch, numbers

    def store(self, instance, numbers):
        known = self.stored.setdefault(instance, set())
        again = len(known.intersection(numbers))
        self.twice += again
        known.update(numbers)
        return again


def reply(status, body, extra=()):
    kind = "application/json" if body[:1] == b"{" else "text/html"
    head = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}",
            f"Content-Type: {kind}", *extra, "", ""]
    return "\r\n".join(head).encode() + body


def abort(writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {}
    for line in lines[1:]:
        if ":" in line:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return method, path, headers, body


def error(word):
    status, _, after = word.partition(":")
    extra = []
    if after.startswith("date+"):
        when = formatdate(time.time() + float(after[5:]), usegmt=True)
        extra.append(f"Retry-After: {when}")
    elif after:
        extra.append(f"Retry-After: {after}")
    if status == "302":
        extra.append("Location: /stolen")
    return reply(int(status), b'{"title":"scripted"}', extra)


async def ingest(peer, writer, headers, body):
    """False: the connection is done with."""
    peer.requests += 1
    peer.times.append(time.monotonic())
    word = peer.script.pop(0) if peer.script else peer.otherwise
    if word.startswith("max:"):
        peer.max_count = int(word[4:])
        word = "ok"
    if word == "rst":
        abort(writer)
        return False
    if word == "close":
        return False
    if word == "hole":
        await asyncio.sleep(3600)
    if word == "html":
        writer.write(reply(200, b"<html>Please log in</html>"))
        return True
    if word[:3].isdigit():
        writer.write(error(word))
        return True
    instance, batch, numbers = peer.check(headers, body)
    if peer.max_count is not None and batch["count"] > peer.max_count:
        writer.write(reply(413, b'{"title":"too large"}'))
        return True
    echo = {"instance": instance, "first": batch["first"],
            "count": batch["count"], "rejected": []}
    if word == "alien":
        echo["instance"] = "someone-else"
    if word == "reject":
        echo["rejected"] = [{"trace_id": None, "span_id": None,
                             "n": numbers[0], "field": "start",
                             "type": "in_future"}]
        numbers = numbers[1:]
    if word == "alien":
        numbers = []
    echo["duplicate"] = peer.store(instance, numbers)
    echo["accepted"] = len(numbers) - echo["duplicate"]
    answer = reply(200, json.dumps(echo).encode())
    if word == "commit_drop":
        return False
    if word.startswith("delay:"):
        await asyncio.sleep(float(word[6:]))
    if word == "slow":
        for byte in answer:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)
        return True
    writer.write(answer)
    return True


async def serve(peer, reader, writer):
    peer.connections += 1
    try:
        while True:
            method, path, headers, body = await read_request(reader)
            if path.startswith("http://"):
                peer.proxied.append(
                    [path, headers.get("proxy-authorization", "")])
                path = "/" + path.split("/", 3)[3]
            if path == "/script":
                for word in json.loads(body):
                    if word.startswith("else:"):
                        peer.otherwise = word[5:]
                    else:
                        peer.script.append(word)
                writer.write(reply(200, b"{}"))
            elif path == "/report":
                writer.write(reply(200, json.dumps(peer.report()).encode()))
            elif path == "/stolen":
                peer.stolen += 1
                writer.write(reply(200, b"{}"))
            elif method == "POST" and path.startswith("/v1/projects/"):
                if not await ingest(peer, writer, headers, body):
                    break
            else:
                writer.write(reply(404, b"{}"))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    except Exception as fault:  # told to the test, which fails on it
        peer.faults.append(repr(fault))
    finally:
        writer.close()


async def main():
    words, context = sys.argv[1:], None
    if words[:1] == ["--tls"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(words[1], words[2])
        certificate, words = words[1], words[3:]
        if words[:1] == ["--mutual"]:
            context.load_verify_locations(certificate)
            context.verify_mode = ssl.CERT_REQUIRED
            words = words[1:]
    peer = Peer(words)
    server = await asyncio.start_server(
        lambda r, w: serve(peer, r, w), "127.0.0.1", 0, ssl=context,
        limit=1 << 26)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
