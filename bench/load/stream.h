/* Watches one streamed answer (server-sent events of OpenAI's chat dialect) for when its tokens come.
 *
 * bench_upstream writes into every event when it sent it, as the 16 hexadecimal digits of "system_fingerprint":
 * nanoseconds of the machine's monotonic clock, which the load reads too. So what a proxy adds to each single token is
 * measured, not inferred from gaps. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/histogram.h"

#define STREAM_STAMP_BEFORE "\"system_fingerprint\":\""
enum { STREAM_STAMP_DIGITS = 16, STREAM_LINE_MOST = 4096 };

/* What all streams together tell, in nanoseconds. */
struct stream_times {
    struct histogram gaps;      /* between a token and the next */
    struct histogram worst_gap; /* of each stream */
    struct histogram delays;    /* of each token, from the upstream's write to our read */
    uint64_t tokens;
};

/* All zero: before the first byte. */
struct stream {
    unsigned tokens;
    bool done; /* [DONE] came */
    uint64_t first_ns, last_ns, worst_gap_ns;
    size_t line_len;
    char line[STREAM_LINE_MOST];
};

/* Takes in a piece of the answer's body that was read at `now_ns`. */
void stream_feed(struct stream *stream, struct stream_times *times, const char *data, size_t len, uint64_t now_ns);

/* Books the end of a stream that came whole. */
void stream_end(const struct stream *stream, struct stream_times *times);

#endif
