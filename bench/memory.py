"""What an open stream and an idle connection cost in memory: bench/memory.sh --help."""

import argparse
import json
import resource
import shutil
import socket
import ssl
import sys
import time
from pathlib import Path

from rig.contenders import RigError, Server, metric, split_cpus

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "build/release"
FOLDER = ROOT / "build/bench"
PORT, TLS_PORT, ADMIN, TLS_ADMIN, UPSTREAM = 18130, 18131, 18139, 18138, 18102
PROMPT_BYTES = 1500  # with the rest of the request about 2 KB
STREAM_LIMIT_KIB, IDLE_LIMIT_MB = 32, 250


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/memory.sh", description=__doc__)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    return parser.parse_args()


def request_bytes():
    words = "Which balance should we buy, and how do we look after it? "
    body = json.dumps({"model": "bench-streams", "stream": True, "max_tokens": 600, "seed": 7,
                       "messages": [{"role": "user", "content": (words * 40)[:PROMPT_BYTES]}]},
                      separators=(",", ":")).encode()
    head = ("POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer bench-key-of-no-value\r\n"
            "content-type: application/json\r\naccept: application/json\r\nuser-agent: OpenAI/JS 4.104.0\r\n"
            "x-stainless-lang: js\r\nx-stainless-package-version: 4.104.0\r\nx-stainless-os: Linux\r\n"
            "x-stainless-arch: x64\r\nx-stainless-runtime: node\r\nx-stainless-runtime-version: v20.11.0\r\n"
            f"x-stainless-retry-count: 0\r\ncontent-length: {len(body)}\r\n\r\n").encode()
    return head + body


def connect(port, context):
    plain = socket.create_connection(("127.0.0.1", port))
    return context.wrap_socket(plain) if context else plain


def open_streams(count, port, context):
    """That many streams, each with its first bytes read."""
    request, held = request_bytes(), []
    for _ in range(count):
        one = connect(port, context)
        one.sendall(request)
        held.append(one)
    for one in held:
        if not one.recv(4096).startswith(b"HTTP/1.1 200"):
            raise RigError("a stream was refused")
    return held


def open_idle(count, port, context):
    return [connect(port, context) for _ in range(count)]


def growth_of(server, doing, *arguments, after):
    """Resident memory before and with what `doing` opens: (bytes more, bytes in all)."""
    before = server.memory_mib()
    held = doing(*arguments)
    after()
    with_them = server.memory_mib()
    for one in held:
        one.close()
    return (with_them - before) * 2**20, with_them * 2**20


def in_flight_is(count, admin):
    deadline = time.monotonic() + 60
    while metric(f"http://127.0.0.1:{admin}/metrics", "equipoise_requests_in_flight") != count:
        if time.monotonic() > deadline:
            raise RigError(f"not {count} requests in flight after a minute")
        time.sleep(0.1)


def gateway(name, port, admin, tls):
    config = (FOLDER / "equipoise.yaml").read_text().replace("18130", str(port)).replace("18139", str(admin))
    config = config.replace("equipoise-data", f"{name}-data")
    if tls:
        config += "\ntls: { cert: server.pem, key: server.key }\n"
    path = FOLDER / f"{name}.yaml"
    path.write_text(config)
    shutil.rmtree(FOLDER / f"{name}-data", ignore_errors=True)
    cpus, _ = split_cpus()
    return Server(name, [PROGRAMS / "equipoise", "serve", "--config", path], [port, admin], cpus)


def measure(arguments):
    result = {}
    _, cpus = split_cpus()
    upstream = Server("upstream-slow", [PROGRAMS / "bench_upstream", str(UPSTREAM), FOLDER / "answer.json", "1"],
                      [UPSTREAM], cpus)
    upstream.start(FOLDER)
    context = ssl.create_default_context(cafile=FOLDER / "server.pem")
    context.check_hostname = False
    try:
        for kind, port, admin, tls in (("plain", PORT, ADMIN, None), ("tls", TLS_PORT, TLS_ADMIN, context)):
            server = gateway(f"memory-{kind}", port, admin, tls)
            server.start(FOLDER)
            try:
                # What is made once (code touched for the first time, pools) is not the streams'.
                growth_of(server, open_streams, 50, port, tls, after=lambda: in_flight_is(50, admin))
                in_flight_is(0, admin)
                more, _ = growth_of(server, open_streams, arguments.streams, port, tls,
                                    after=lambda: in_flight_is(arguments.streams, admin))
                result[f"{kind}_stream_kib"] = round(more / arguments.streams / 1024, 2)
                in_flight_is(0, admin)
            finally:
                server.stop()
            server = gateway(f"memory-{kind}", port, admin, tls)
            server.start(FOLDER)
            try:
                more, whole = growth_of(server, open_idle, arguments.idle, port, tls, after=lambda: time.sleep(2))
                result[f"{kind}_idle_mb"] = round(whole / 1e6, 1)
                result[f"{kind}_idle_kib"] = round(more / arguments.idle / 1024, 2)
            finally:
                server.stop()
    finally:
        upstream.stop()
    return result


def main():
    arguments = parse_arguments()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    import run  # the folder and the certificate are those of the comparison
    run.prepare_folder()
    result = {"facts": run.facts(), **vars(arguments), **measure(arguments)}
    result.pop("out")
    print(f"an open stream:             {result['plain_stream_kib']:6.1f} KiB (below {STREAM_LIMIT_KIB}); "
          f"TLS {result['tls_stream_kib']:.1f} KiB")
    print(f"{arguments.idle} idle connections: {result['plain_idle_mb']:7.1f} MB (below {IDLE_LIMIT_MB}), "
          f"{result['plain_idle_kib']:.1f} KiB each; TLS {result['tls_idle_mb']:.1f} MB")
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["plain_stream_kib"] < STREAM_LIMIT_KIB and result["plain_idle_mb"] < IDLE_LIMIT_MB else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RigError as error:
        sys.exit(f"bench: {error}")
