#!/usr/bin/env python3
"""Embeddings of many clients, each in a call of its own and together (lever batching), in one run.

    bench/batching.py                             the modelled backend: one call at a time, 20 ms + 1 ms for each input
    bench/batching.py --engine CMD                a real one: CMD PORT --embeddings --pooling mean starts it,
                                                  as llama.cpp's server takes them

One backend, one gateway, one worker, two routes to the same model: `apart`, whose levers are off, and `together`. Rounds are
interleaved; in each, every client asks on when it has its answer (closed loop). Every answer is checked: the right number of
vectors, and, at the end, that of some texts the same as when asked for alone. Prints a line for each route and writes
nothing. Exit status 1: some answer was wrong or missing.
"""
import argparse
import asyncio
import json
import math
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

from client import ROOT, Client, end_all, free_port, quantile, wait_for

WORDS = "sea ship harbour wind gull rope sail tide storm calm captain crew island reef chart star".split()


def text(chance, words):
    return " ".join(chance.choice(WORDS) for _ in range(words))


async def one_client(port, route, until, times, wrong, chance, words):
    client = Client(port)
    while time.monotonic() < until:
        began = time.monotonic()
        status, body = await client.ask("/v1/embeddings", {"model": route, "input": text(chance, words)})
        times.append(time.monotonic() - began)
        if status != 200 or len(json.loads(body)["data"]) != 1:
            wrong.append((status, body[:200]))
    client.close()


async def a_round(port, route, clients, seconds, wrong, words):
    times, began = [], time.monotonic()
    await asyncio.gather(*(one_client(port, route, began + seconds, times, wrong, random.Random(i), words)
                           for i in range(clients)))
    return len(times) / (time.monotonic() - began), times


async def vectors(port, route, texts):
    answers = await asyncio.gather(*(Client(port).ask("/v1/embeddings", {"model": route, "input": one}) for one in texts))
    return [json.loads(body)["data"][0]["embedding"] for _, body in answers]


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b))) / max(1e-12, math.sqrt(sum(x * x for x in a)))


async def metrics(port):
    _, body = await Client(port).ask("/metrics", None)
    found = {}
    for line in body.decode().splitlines():
        if line.startswith("equipoise_batch") or line.startswith("equipoise_attempts_total"):
            name, value = line.rsplit(" ", 1)
            found[name] = float(value)
    return found


async def measure(arguments, port, admin):
    wrong, speeds, times = [], {"apart": [], "together": []}, {"apart": [], "together": []}
    for number in range(arguments.rounds + 1):
        order = ("apart", "together") if number % 2 == 0 else ("together", "apart")
        for route in order:
            speed, taken = await a_round(port, route, arguments.clients, 1 if number == 0 else arguments.seconds, wrong,
                                         arguments.words)
            if number > 0:  # the first one warms up
                speeds[route].append(speed)
                times[route] += taken
    counted = await metrics(admin)
    calls = sum(value for name, value in counted.items() if name.startswith("equipoise_batches_total"))
    chance = random.Random(99)
    texts = [text(chance, 3 + i) for i in range(24)]
    for status, body in wrong[:3]:
        print(f"  WRONG: {status} {body!r}", file=sys.stderr)
    if wrong:
        return False
    apart, together = await vectors(port, "apart", texts), await vectors(port, "together", texts)
    furthest = max(distance(a, b) for a, b in zip(apart, together))
    for route in speeds:
        print(f"  {route:9} {statistics.median(speeds[route]):8.0f} requests/s  (rounds {min(speeds[route]):.0f} to "
              f"{max(speeds[route]):.0f})   p50 {quantile(times[route], .5) * 1e3:7.1f} ms   "
              f"p99 {quantile(times[route], .99) * 1e3:7.1f} ms")
    ratios = [b / a for a, b in zip(speeds["apart"], speeds["together"])]
    print(f"  together/apart by round: {min(ratios):.2f} to {max(ratios):.2f}, median {statistics.median(ratios):.2f}")
    print(f"  together: {counted['equipoise_batch_requests_total'] / max(1, calls):.1f} requests a call; limit "
          f"{arguments.limit}; of its answers within it: "
          f"{sum(t * 1e3 <= arguments.limit_ms for t in times['together']) / len(times['together']):.2%}")
    print("  why calls went: " + ", ".join(f"{name.split(chr(34))[1]} {value:.0f}" for name, value in counted.items()
                                            if name.startswith("equipoise_batches_sent_total") and value))
    print(f"  the same text apart and together: vectors differ by {furthest:.2g} of their length at most")
    return furthest < arguments.differ


async def run(arguments, started):
    backend, port, admin = free_port(), free_port(), free_port()
    if arguments.engine:
        command = shlex.split(arguments.engine) + [str(backend), "--embeddings", "--pooling", "mean"]
        model = "engine"
    else:
        command = [arguments.program, "twin", "-p", str(backend), "--concurrency", "1", "--jitter", "5%", "--model",
                   f"twin-embed:embed:{arguments.first}:{arguments.per}"]
        model = "twin-embed"
    folder = tempfile.mkdtemp(prefix="batching-")
    config = os.path.join(folder, "equipoise.yaml")
    with open(config, "w") as out:
        out.write(f"""listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin}
data: {folder}/data
workers: {arguments.workers}
backends:
  engine: {{ url: "http://127.0.0.1:{backend}", models: [ {model} ] }}
routes:
  apart: {{ reference: engine/{model} }}
  together: {{ reference: engine/{model}, acceptable: {{ total: {arguments.limit} }}, levers: {{ batching: on }} }}
prices: {{ override: {{ engine/{model}: {{ input: $0.01/M, output: $0/M }} }} }}
""")
    started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    await wait_for(backend, "/health", 180)
    started.append(subprocess.Popen([arguments.program, "serve", "--config", config], stderr=subprocess.DEVNULL))
    await wait_for(admin, "/healthz", 20)
    what = "a real engine" if arguments.engine else (
        f"modelled: one call at a time, the first input {arguments.first}, each further one {arguments.per}")
    print(f"{arguments.clients} clients, {arguments.rounds} rounds of {arguments.seconds} s for each, texts of "
          f"{arguments.words} words, {arguments.workers} worker(s); backend: {what}")
    return await measure(arguments, port, admin)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/equipoise"))
    parser.add_argument("--engine", help="starts a real engine: gets PORT --embeddings --pooling mean")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--words", type=int, default=8, help="of each text")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--first", default="21ms", help="modelled: a call for one input")
    parser.add_argument("--per", default="1ms", help="modelled: each further input")
    parser.add_argument("--limit", default="250ms", help="acceptable: total, of the route together")
    parser.add_argument("--differ", type=float, default=1e-3, help="how far vectors may differ, as a share of their length")
    arguments = parser.parse_args()
    arguments.limit_ms = float(arguments.limit[:-2]) if arguments.limit.endswith("ms") else float(arguments.limit[:-1]) * 1e3
    started = []
    try:
        good = asyncio.run(run(arguments, started))
    finally:
        end_all(started)
    sys.exit(0 if good else 1)


main()
