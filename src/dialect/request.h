/* What the gateway must know of a request's body, read once, for every API; and the splices by which the bytes that go
 * upstream differ from those that came. */
#ifndef DIALECT_REQUEST_H
#define DIALECT_REQUEST_H

#include "base/arena.h"
#include "dialect/api.h"
#include "dialect/logprobs.h"
#include "dialect/request_bound.h"

enum { REQUEST_SPLICES_MOST = 14, REQUEST_MEMBERS_MOST = 256, REQUEST_PROMPT_PIECES = 3 };

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
    bool usage_asked; /* a stream's client wants the usage chunk, or the API always sends usage */
    /* Asked for one answer, not for one of many: temperature 0, top_k 1 or a seed, and no tool of the API's own that
     * looks elsewhere. Embeddings always. */
    bool deterministic;
    bool acts;          /* beyond its answer: goes on with a conversation that the API keeps, works in the background */
    int64_t output_cap; /* tokens of each answer; -1: none given */
    int64_t choices;    /* answers that are made: `n`, `best_of`, several prompts; 1 by default */
    int64_t inputs;     /* embeddings: texts in the batch; else 1 */
    bool has_tools;
    /* Raw, in the order in which a model reads them: tools, system or instructions, turns; each may be empty. */
    struct slice prompt[REQUEST_PROMPT_PIECES];
    struct slice first_turn;   /* raw: what identifies the conversation; may be empty */
    struct slice conversation; /* stated by the API (responses: conversation, previous_response_id); may be empty */
    /* What must change for the usage to be told in the stream; at most one. */
    struct splice usage_splice;
    bool needs_usage_splice;
    struct logprobs_wish logprobs;
    struct request_bound bound;
};

struct prompt;

/* How a request shall differ from the one that came. */
struct request_change {
    const char *model;    /* what the backend calls the model; NULL: as it is */
    int64_t cap;          /* tokens; no answer may be longer; -1: as it is */
    const char *cap_name; /* the member that sets it where none does; NULL: none is added */
    /* What a provider shall keep of it (prompt.h); NULL: nothing is said of that. */
    const struct prompt *prompt;
    unsigned marks;         /* bits 1 << enum prompt_part */
    unsigned hour_marks;    /* of them, those that keep for an hour; the first ones */
    struct slice cache_key; /* SLICE_NONE: none */
    bool logprobs; /* they are asked for, though the client does not; where facts.logprobs says that it can be */
};

/* Reads a body of that API. On failure *why says what is wrong with it, for the caller. The facts' slices point into
 * the body or the arena. Costs about a millisecond per MiB. */
enum status request_parse(enum api api, struct slice body, struct arena *arena, struct request_facts *out,
                          const char **why) MUST_CHECK;

/* The splices that make the change, in order of place. A cap is never raised. Returns how many. */
size_t request_splices(const struct request_facts *facts, struct slice body, const struct request_change *change,
                       struct arena *arena, struct splice *out);

/* Puts splices in order of place. */
void splices_sort(struct splice *splices, size_t count);

#endif
