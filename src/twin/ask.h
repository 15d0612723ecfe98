/* What a request asks of the modelled backend, the same for every API. Read leniently, as model servers do: members
 * that do not matter here are ignored. */
#ifndef TWIN_ASK_H
#define TWIN_ASK_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "dialect/api.h"

enum { ASK_TOOLS_MOST = 128, ASK_STOPS_MOST = 8, ASK_CHOICES_MOST = 128, ASK_IMAGE_TOKENS = 85 };

struct ask_tool {
    struct slice name;
    yyjson_val *schema; /* of its arguments; NULL: none */
};

enum tool_wish { TOOL_IF_FIT, TOOL_NEVER, TOOL_SOME, TOOL_NAMED };

struct ask {
    enum api api;
    yyjson_doc *doc; /* what the slices and values point into */
    struct slice model;
    bool stream, usage_in_stream;
    unsigned choices;                /* per question */
    int64_t output_most;             /* tokens; -1: not limited */
    bool to_the_limit;               /* vLLM's ignore_eos: goes on to the limit */
    int64_t input_said, output_said; /* tokens, as headers have it (said.h), not the body; 0: not said */
    bool varies;                     /* a temperature above 0 and no seed: equal requests may get different answers */
    uint64_t seed;
    struct slice context;    /* all that the model reads, as one text, in the arena; empty for embeddings */
    struct slice *questions; /* the last turn of the user; for completions each prompt */
    unsigned question_count;
    struct slice tool_result; /* if the last turn is a tool's; else SLICE_NONE */
    unsigned images;
    struct ask_tool *tools;
    unsigned tool_count;
    enum tool_wish tool_wish;
    struct slice tool_named;
    bool one_call_only;
    bool json;               /* the answer must be JSON */
    yyjson_val *json_schema; /* of that shape; NULL: any object */
    struct slice stops[ASK_STOPS_MOST];
    unsigned stop_count;
    bool thinking_shown;    /* Anthropic: thinking was enabled */
    size_t cache_mark;      /* Anthropic: bytes of the context before the last cache_control; 0: none */
    size_t cache_mark_hour; /* before the last one with ttl "1h" */
    bool cache_marks_mixed; /* one of those came behind one of five minutes, which the API refuses */
    yyjson_val *inputs;     /* embeddings: one text or an array */
    int64_t dimensions;     /* embeddings: 0 if not given */
    bool base64;            /* embeddings */
};

/* Reads a body. On failure *why says what is wrong for the caller. ask->doc must be freed by ask_free in any case. */
enum status ask_read(struct ask *ask, enum api api, struct slice body, struct arena *arena, const char **why)
    MUST_CHECK;
void ask_free(struct ask *ask);

/* The bytes of a JSON text; SLICE_NONE for any other value, or none. */
struct slice ask_text(yyjson_val *value);

int64_t ask_input_tokens(const struct ask *ask);

#endif
