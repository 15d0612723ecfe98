#include "load/stream.h"

#include <stdlib.h>
#include <string.h>

static bool
read_stamp(const char *line, size_t len, uint64_t *stamp_ns)
{
    static const char before[] = STREAM_STAMP_BEFORE;
    const char *at = memmem(line, len, before, sizeof(before) - 1);
    char digits[STREAM_STAMP_DIGITS + 1], *end;

    if (at == NULL || (size_t)(line + len - at) < sizeof(before) - 1 + STREAM_STAMP_DIGITS)
        return false;
    memcpy(digits, at + sizeof(before) - 1, STREAM_STAMP_DIGITS);
    digits[STREAM_STAMP_DIGITS] = '\0';
    *stamp_ns = strtoull(digits, &end, 16);
    return *end == '\0';
}

static void
take_token(struct stream *stream, struct stream_times *times, uint64_t stamp_ns, uint64_t now_ns)
{
    uint64_t gap_ns = now_ns - stream->last_ns;

    if (stream->tokens == 0) {
        stream->first_ns = now_ns;
    } else {
        histogram_add(&times->gaps, gap_ns);
        if (gap_ns > stream->worst_gap_ns)
            stream->worst_gap_ns = gap_ns;
    }
    if (now_ns >= stamp_ns)
        histogram_add(&times->delays, now_ns - stamp_ns);
    stream->last_ns = now_ns;
    stream->tokens++;
}

static void
take_line(struct stream *stream, struct stream_times *times, const char *line, size_t len, uint64_t now_ns)
{
    uint64_t stamp_ns;

    if (len < 6 || memcmp(line, "data: ", 6) != 0)
        return;
    if (len >= 12 && memcmp(line, "data: [DONE]", 12) == 0)
        stream->done = true;
    else if (read_stamp(line, len, &stamp_ns))
        take_token(stream, times, stamp_ns, now_ns);
}

void
stream_feed(struct stream *stream, struct stream_times *times, const char *data, size_t len, uint64_t now_ns)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t piece = end == NULL ? len : (size_t)(end - data) + 1;

        if (end != NULL && stream->line_len == 0) {
            take_line(stream, times, data, piece, now_ns);
        } else if (stream->line_len + piece <= sizeof(stream->line)) {
            memcpy(stream->line + stream->line_len, data, piece);
            stream->line_len += piece;
            if (end != NULL) {
                take_line(stream, times, stream->line, stream->line_len, now_ns);
                stream->line_len = 0;
            }
        }
        data += piece;
        len -= piece;
    }
}

void
stream_end(const struct stream *stream, struct stream_times *times)
{
    histogram_add(&times->worst_gap, stream->worst_gap_ns);
    times->tokens += stream->tokens;
}
