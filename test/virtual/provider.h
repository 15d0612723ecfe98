/* A provider as gateways meet them: answers each API in its own shape, buffered or streamed as asked, with the usage
 * told here, and with the habits and failures that have been seen in the wild. */
#ifndef TEST_PROVIDER_H
#define TEST_PROVIDER_H

#include "base/buffer.h"
#include "dialect/api.h"
#include "virtual/vbackend.h"

/* Where a stream tells its usage. */
enum usage_place {
    USAGE_IN_OWN_CHUNK, /* OpenAI: an extra chunk without choices */
    USAGE_WITH_CHOICES, /* the last chunk has an empty delta and the usage */
    USAGE_NOWHERE       /* buffered answers neither */
};

enum line_end { LINES_LF, LINES_CRLF, LINES_CR };

struct provider {
    const char *model; /* as its answers name it; NULL: the one that was asked */
    unsigned words;    /* of the answer: "w0 w1 ..." */
    /* usage, in the API's own way of counting */
    int64_t input, cached, cache_write_5m, cache_write_1h, output, reasoning;
    const char *provider_cost; /* usage.cost, as a JSON number; NULL: not told */
    enum usage_place usage_place;
    enum line_end line_end;
    bool no_done;       /* the stream just ends after its last chunk */
    bool pings;         /* a ping and a comment between words */
    bool multi_line;    /* an event's data over several lines */
    bool repeats_input; /* Anthropic: message_delta tells the input too */
    usec first_word_us, word_gap_us;
    unsigned cut_after;   /* cuts the stream after that many words; 0: does not */
    unsigned stuck_after; /* says nothing more after that many words; 0: goes on */
    unsigned status;      /* other than 0 or 200: answers an error */
    bool second_ends;     /* chat: a second choice has nothing to say, and ends before the first begins */
    bool byte_by_byte;    /* every byte of a stream is a piece of its own */
    int logprob_milli;    /* of each word, where logprobs are asked for, in thousandths: -250 */
    bool tells_none;      /* of them, though asked */
};

/* Makes the backend answer so. The provider must live as long as the history. */
void provider_runs(struct provider *provider, struct vbackend *backend);

/* The same for one call alone: what it does is added to the script. */
void provider_plays(const struct provider *provider, const struct vcall_seen *seen, struct vscript *script);

/* Whether its answer to this call tells the usage. */
bool provider_tells(const struct provider *provider, const struct vcall_seen *seen);

/* The text of its answers; freed by the caller. */
struct buffer provider_text(const struct provider *provider);

/* The bytes of its whole answer, for comparison. */
struct buffer provider_answer(const struct provider *provider, enum api api, bool streamed, const char *model);

#endif
