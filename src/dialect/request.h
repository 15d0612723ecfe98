/* What the gateway must know of a request's body, read once, for every API; and the splices by which the bytes that go
 * upstream differ from those that came. */
#ifndef DIALECT_REQUEST_H
#define DIALECT_REQUEST_H

#include "base/arena.h"
#include "dialect/api.h"

enum { REQUEST_SPLICES_MOST = 4, REQUEST_MEMBERS_MOST = 256 };

/* Replaces `len` bytes at `at` by `with`. */
struct splice {
    size_t at, len;
    struct slice with;
};

struct request_facts {
    enum api api;
    struct slice model;      /* decoded; in the arena */
    struct slice model_span; /* the raw value in the body, quotes included */
    bool stream;
    bool usage_asked;   /* a stream's client wants the usage chunk, or the API always sends usage */
    bool deterministic; /* temperature 0 or a seed */
    int64_t output_cap; /* tokens; -1: none given */
    int64_t choices;    /* `n`; 1 by default */
    int64_t inputs;     /* embeddings: texts in the batch; else 1 */
    bool has_tools;
    unsigned images;
    struct slice first_turn;   /* raw: what identifies the conversation; may be empty */
    struct slice conversation; /* stated by the API (responses: conversation, previous_response_id); may be empty */
    /* What must change for the usage to be told in the stream; at most one. */
    struct splice usage_splice;
    bool needs_usage_splice;
};

/* Reads a body of that API. On failure *why says what is wrong with it, for the caller. The facts' slices point into
 * the body or the arena. Costs about a millisecond per MiB. */
enum status request_parse(enum api api, struct slice body, struct arena *arena, struct request_facts *out,
                          const char **why) MUST_CHECK;

/* The splices that send this request under another model name (NULL: as it is), in order of place. Returns how many. */
size_t request_splices(const struct request_facts *facts, struct slice body, const char *upstream_model,
                       struct arena *arena, struct splice *out);

#endif
