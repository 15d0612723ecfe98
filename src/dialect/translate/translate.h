/* Requests and answers of one API put as another's: chat completions and responses (OpenAI), messages (Anthropic). So a
 * request can be served by a backend that does not speak its API.
 *
 * Nothing is lost in silence: a request with anything that has no place in the other API is not translated, and the reason
 * is told. What is left out, as it changes nothing of an answer, is listed in doc/translation.md. */
#ifndef DIALECT_TRANSLATE_H
#define DIALECT_TRANSLATE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/chunk.h"
#include "dialect/api.h"
#include "dialect/prompt.h"

/* Messages want a cap on the answer's tokens. Where a request has none, this one is sent: every model takes it. */
enum { TRANSLATE_CAP_IF_NONE = 4096 };

/* Whether requests of one API can be put as the other's at all. */
bool translate_knows(enum api from, enum api to);

/* A request in the other API's words. */
struct translated {
    enum api api;
    const char *why;    /* it has something that has no place there, for a person; NULL: it has not */
    int64_t cap;        /* tokens of output; -1: none */
    struct chunk *rest; /* the body but for model and cap, an object; the caller is its holder; NULL: there is none */
    struct prompt *prompt; /* of `rest`, read when it is first asked for; in the arena */
    struct slice echo; /* responses: what its answers repeat of a request, as members with a comma before each; in the
                           arena; empty: nothing */
};

/* Reads a body that request_parse has taken. `why` is in the arena. Costs about one and a half milliseconds per MiB. */
struct translated translate_request(enum api from, enum api to, struct slice body, struct arena *arena);

/* Answers */

/* An event for the client, as translate_put is given it. */
struct translated_event {
    struct slice frame;
    bool usage_only; /* it is there only because the usage was asked for */
    bool last;       /* it ends the stream */
};

typedef void translate_put(void *context, const struct translated_event *event);

/* An answer that is being translated, from a backend's API to a client's. `now_s`: since the Unix epoch, where the client's
 * API tells when an answer was made and the backend's does not. `most`: bytes of what must be gathered, as it is told once
 * more at the end of a stream or only then; an answer that says more cannot be told. The caller frees it. */
struct translation;
struct translation *translation_new(enum api from, enum api to, int64_t now_s, size_t most)
    __attribute__((returns_nonnull));

/* What its answers repeat of the request (struct translated); copied. Before anything is told. */
void translation_echoes(struct translation *translation, struct slice echo);

/* The answer's id, behind its API's prefix, where the backend tells none; copied. Before anything is told. */
void translation_called(struct translation *translation, struct slice id);
void translation_free(struct translation *translation); /* NULL is fine */

/* The next frame of a stream, as sse_next cuts them: `put` is called with what the client is told of it, which may be
 * nothing. ERR_INVALID: it is none of that API, or cannot be told; nothing more can be. */
enum status translation_frame(struct translation *translation, struct slice frame, translate_put *put, void *context)
    MUST_CHECK;

/* The stream is over, and complete by what it said, though its last event may be missing. */
void translation_end(struct translation *translation, translate_put *put, void *context);

/* A whole answer, which is no error's. ERR_INVALID: it is none of that API, or cannot be told; nothing is written. */
enum status translation_whole(struct translation *translation, struct slice answer, struct buffer *out) MUST_CHECK;

/* An error's answer, whatever it is. `status`: of its head. */
void translate_error(enum api to, unsigned status, struct slice answer, struct buffer *out);

/* The status under which the client's API knows such an error. */
unsigned translate_status(enum api to, unsigned status);

#endif
