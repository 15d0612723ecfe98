/* Reads one HTTP/1.1 answer after another, as its bytes come in: head, then a body by Content-Length or in chunks
 * (RFC 9112, sections 6 and 7). Knows as much as a client of the bench needs, and calls everything else malformed. */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_state {
    ANSWER_HEAD,
    ANSWER_BODY,       /* `left` bytes of the body, or of its current chunk, are to come */
    ANSWER_CHUNK_SIZE, /* a line with a chunk's size */
    ANSWER_CHUNK_END,  /* the line break behind a chunk */
    ANSWER_TRAILER,    /* lines behind the last chunk */
    ANSWER_COMPLETE,
    ANSWER_MALFORMED
};

enum { ANSWER_HEAD_MOST = 8192, ANSWER_LINE_MOST = 256 };

struct answer {
    enum answer_state state;
    unsigned status;
    bool chunked, closes; /* closes: the server closes the connection behind this answer */
    uint64_t left;
    size_t head_len, line_len;
    char head[ANSWER_HEAD_MOST];
    char line[ANSWER_LINE_MOST];
};

/* Takes the pieces of a body, in order. */
typedef void answer_body(void *user, const char *data, size_t len);

/* Makes ready for the next answer. */
void answer_reset(struct answer *answer);

/* Takes in bytes up to the end of the answer at most, and returns how many it took. Look at `state` afterwards. */
size_t answer_feed(struct answer *answer, const char *data, size_t len, answer_body *body, void *user);

#endif
