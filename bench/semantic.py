#!/usr/bin/env python3
"""What looking a request up by its meaning adds to it, and to others on its worker, with many turns known.

    bench/semantic.py                             100,000 turns: a minute or two
    bench/semantic.py --turns 1000000             needs 4 GB

One gateway with one worker, the modelled backend answering at once, two routes to the same model: `plain`, whose levers are
off, and `meaning`, which looks every request up (semantic_cache: on) among all turns, which are in one partition. First
one client asks the two in turn, so that both see the same machine: what `meaning` takes longer is the look-up, with what it
costs to keep its answer. Then one client asks `plain` while another asks `plain`, and while another asks `meaning`, in turn: what the first one's
99th percentile rises by is what look-ups hold up others. Every answer is checked for its status. Prints and writes nothing.
"""
import argparse
import asyncio
import json
import os
import random
import re
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request

from client import ROOT, Client, end_all, free_port, quantile, wait_for

WORDS_A_TURN = 12


def vocabulary():
    """The words of the built-in embedder's table (src/embed/FORMAT.md)."""
    with open(os.path.join(ROOT, "src/embed/static.table"), "rb") as file:
        head = file.read(64)
        words = file.read(struct.unpack_from("<I", head, 24)[0]).decode().split("\n")
    return [word for word in words if len(word) >= 3 and "a" <= word[0] <= "z" and word.isalpha()]


class Asker:
    """Questions by Zipf's law, no two alike; answers are awaited without a loop of ours in between."""

    def __init__(self, port, words, seed):
        self.words, self.chance, self.port = words, random.Random(seed), port
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def body(self, route):
        text = " ".join(self.words[int(len(self.words) ** self.chance.random()) - 1] for _ in range(WORDS_A_TURN))
        return {"model": route, "max_tokens": 8, "messages": [{"role": "user", "content": text}]}

    def ask(self, route):
        """-> seconds"""
        payload = json.dumps(self.body(route)).encode()
        request = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\ncontent-type: application/json\r\n"
                   f"content-length: {len(payload)}\r\n\r\n").encode() + payload
        began = time.perf_counter()
        self.socket.sendall(request)
        answer = self.socket.recv(65536)
        took = time.perf_counter() - began
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(65536)
        head, _, rest = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head[:20]:
            raise SystemExit(f"a wrong answer: {answer[:300]!r}")
        missing = int(re.search(rb"content-length: (\d+)", head.lower()).group(1)) - len(rest)
        while missing > 0:
            missing -= len(self.socket.recv(missing))
        return took


async def fill(port, words, turns, clients):
    async def one(number):
        client, asker = Client(port), Asker(port, words, number)
        for _ in range(turns // clients):
            status, _ = await client.ask("/v1/chat/completions", asker.body("meaning"))
            if status != 200:
                raise SystemExit(f"status {status} while filling")
    await asyncio.gather(*(one(1000 + i) for i in range(clients)))


def metric(admin, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics") as page:
        found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", page.read().decode(), re.M)
    return float(found.group(1)) if found else 0.0


def told(what, times):
    print(f"  {what:44} p50 {quantile(times, .5) * 1e3:7.3f} ms   p99 {quantile(times, .99) * 1e3:7.3f} ms")


def in_turn(port, words, count):
    asker, times = Asker(port, words, 1), {"plain": [], "meaning": []}
    for _ in range(count):
        for route, taken in times.items():
            taken.append(asker.ask(route))
    for route, taken in times.items():
        told(f"alone, in turn: {route}", taken)
    for share in (.5, .99):
        print(f"  a look-up adds at the {share:.0%}: {(quantile(times['meaning'], share) - quantile(times['plain'], share)) * 1e3:.3f} ms")


def beside(port, words, rounds, seconds):
    """Closed loops on two connections, whose other end is one worker."""
    first, second, times = Asker(port, words, 2), Asker(port, words, 3), {"plain": [], "meaning": []}
    for number in range(rounds):
        for route in ("plain", "meaning") if number % 2 == 0 else ("meaning", "plain"):
            until = time.monotonic() + seconds
            other = threading.Thread(target=lambda: [second.ask(route) for _ in iter(lambda: time.monotonic() < until, False)])
            other.start()
            while time.monotonic() < until:
                times[route].append(first.ask("plain"))
            other.join()
    for route, taken in times.items():
        told(f"plain, while another client asks {route}", taken)


def run(arguments, started):
    backend, port, admin = free_port(), free_port(), free_port()
    folder = tempfile.mkdtemp(prefix="semantic-")
    config = os.path.join(folder, "equipoise.yaml")
    with open(config, "w") as out:
        out.write(f"""listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin}
data: {folder}/data
workers: 1
cache: {{ bytes: {arguments.turns * 3 // 1000 + 64}MiB, turns: {arguments.turns * 5 // 4 + 10000},
         core_hour: $0, gib_hour: $0 }}  # or it would rest: these questions are never asked again
backends:
  twin: {{ url: "http://127.0.0.1:{backend}", models: [ m ] }}
routes:
  plain: {{ reference: twin/m }}
  meaning: {{ reference: twin/m, repeatable: yes, acceptable: {{ quality: 99% }}, levers: {{ semantic_cache: on }} }}
prices: {{ override: {{ twin/m: {{ input: $1/M, output: $1/M }} }} }}
""")
    started.append(subprocess.Popen([arguments.program, "twin", "--instant", "-p", str(backend), "--model", "m:small"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    asyncio.run(wait_for(backend, "/health", 20))
    started.append(subprocess.Popen([arguments.program, "serve", "--config", config], stderr=subprocess.DEVNULL))
    asyncio.run(wait_for(admin, "/healthz", 20))
    words, began = vocabulary(), time.monotonic()
    asyncio.run(fill(port, words, arguments.turns, 8))
    turns = metric(admin, "equipoise_semantic_turns")
    print(f"{turns:,.0f} turns, {metric(admin, 'equipoise_semantic_bytes') / turns:.0f} bytes each beside their answers, after "
          f"{time.monotonic() - began:.0f} s")
    in_turn(port, words, arguments.requests)
    beside(port, words, arguments.rounds, arguments.seconds)
    print(f"  look-ups that were not waited for: {metric(admin, 'equipoise_semantic_late_total'):,.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/equipoise"))
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=3000, help="of each kind, in turn")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=2)
    arguments = parser.parse_args()
    started = []
    try:
        run(arguments, started)
    finally:
        end_all(started)


main()
