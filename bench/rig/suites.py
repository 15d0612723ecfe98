"""What is measured: suites as data. A suite is one kind of load, put on every contender in turn, round after round."""

from dataclasses import dataclass

STREAM_SECONDS = 5
PROMPT_BYTES = 1500  # of the last message: with the rest of the request about 2 KB


@dataclass(frozen=True)
class Column:
    """One figure of each round. `compare`: also show its ratio to nginx's, the median over rounds with its interval."""

    key: str
    title: str
    digits: int = 0
    compare: bool = False


@dataclass(frozen=True)
class Suite:
    name: str
    title: str
    load: tuple  # options of bench_load
    columns: tuple
    upstream: str = "answers"
    rounds: int = 9
    seconds: float = 5
    prompt_bytes: int = PROMPT_BYTES
    streams: int = 0  # so many streams at once; 0: buffered answers
    pace: int = 0  # tokens per second of each
    without: tuple = ()  # contenders that say nothing here
    same: bool = False  # all requests are one and the same

    @property
    def tokens(self):
        """Of each streamed answer."""
        return self.pace * STREAM_SECONDS


CPU = (Column("cpu_user_us", "user CPU µs", 1), Column("cpu_us", "CPU µs", 1, True))
CLOSED = (Column("rps", "requests/s", 0, True), Column("p50_us", "p50 µs"), Column("p99_us", "p99 µs"), *CPU)


def streams(count, pace):
    """Streams that all begin within a second and last for several. A stall is a worst gap beyond the pace's own."""
    return Suite(f"streams-{count}", f"{count:,} streams at once, {pace} tokens/s each",
                 ("--connections", count, "--rate", count, "--requests", count),
                 (Column("first_token_p50_us", "first token p50 µs"), Column("gap_p99_us", "gap p99 µs"),
                  Column("worst_gap_p50_us", "worst gap p50 µs"), Column("worst_gap_p99_us", "worst gap p99 µs"),
                  Column("added_worst_gap_p99_us", "added worst gap p99 µs"),
                  Column("token_delay_p50_us", "token delay p50 µs"), Column("token_delay_p99_us", "token delay p99 µs"),
                  Column("added_token_delay_p99_us", "added delay p99 µs", 0, True),
                  Column("cpu_per_token_us", "CPU µs/token", 1, True)),
                 upstream="streams", rounds=5, streams=count, pace=pace, without=("nginx again",))


def cached_at(rate):
    return Suite(f"cache-rate-{rate}", f"1 KB answers from a cache at {rate:,} requests/s over 64 connections",
                 ("--connections", 64, "--rate", rate),
                 (Column("p50_us", "p50 µs", 0, True), Column("p99_us", "p99 µs", 0, True), *CPU), upstream="cached", same=True)


SUITES = (
    Suite("closed-16", "1 KB answers, as fast as 16 connections can", ("--connections", 16), CLOSED),
    Suite("closed-64", "1 KB answers, as fast as 64 connections can", ("--connections", 64), CLOSED),
    Suite("rate-2000", "1 KB answers at 2,000 requests/s", ("--connections", 64, "--rate", 2000),
          (Column("p50_us", "p50 µs"), Column("p99_us", "p99 µs"), Column("added_p50_us", "added p50 µs", 0, True),
           Column("added_p99_us", "added p99 µs", 0, True), *CPU)),
    Suite("cache-64", "1 KB answers from a cache, as fast as 64 connections can", ("--connections", 64), CLOSED,
          upstream="cached", same=True),
    cached_at(2000),
    cached_at(10000),
    Suite("prompt-200k", "prompts of 200 KB, as fast as 16 connections can", ("--connections", 16), CLOSED,
          upstream="streams", rounds=5, prompt_bytes=200_000, without=("nginx again",)),
    Suite("tls-16", "1 KB answers from a TLS upstream, as fast as 16 connections can", ("--connections", 16), CLOSED,
          upstream="tls", rounds=5, without=("direct", "nginx again")),
    streams(500, 50),
    streams(2000, 10),
)
