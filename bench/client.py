"""What the measurements in this folder share: kept connections, programs that are started and ended."""
import asyncio
import json
import math
import os
import signal
import socket
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """A kept connection; one request at a time."""

    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def ask(self, path, body):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        payload = json.dumps(body).encode() if body is not None else b""
        self.writer.write((f"{'POST' if body is not None else 'GET'} {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n"
                           f"content-type: application/json\r\ncontent-length: {len(payload)}\r\n\r\n").encode() + payload)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next((int(line[15:]) for line in head if line.startswith("content-length:")), None)
        if length is None:
            raise RuntimeError("an answer without a length: " + head[0])
        return int(head[0].split()[1]), await self.reader.readexactly(length)

    def close(self):
        if self.writer is not None:
            self.writer.close()


async def wait_for(port, path, seconds):
    for _ in range(seconds * 10):
        try:
            status, _ = await Client(port).ask(path, None)
            if status == 200:
                return
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            pass
        await asyncio.sleep(0.1)
    raise SystemExit(f"port {port}: nothing answers {path}")


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


def end_all(started):
    for process in reversed(started):
        process.send_signal(signal.SIGTERM)
    for process in started:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
