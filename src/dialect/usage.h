/* What a request used, normalised once, whatever API reported it; and how the reports of the known APIs are read.
 *
 * Convention: totals are all-inclusive. input_tokens is everything that went in, cached or not; cache_read_tokens,
 * cache_write_tokens, input_audio_tokens... are parts of it. output_tokens is everything that came out;
 * output_reasoning_tokens... are parts of it. Where an API counts otherwise (Anthropic's input_tokens leaves out what
 * touched the cache, Gemini's candidates leave out thoughts), the reader here adds up. */
#ifndef DIALECT_USAGE_H
#define DIALECT_USAGE_H

#include <yyjson.h>

#include "base/usd.h"
#include "dialect/api.h"

enum usage_kind {
#define USAGE_KIND(field, name, price, per, scale, family, direction, modality, type, lifetime, words) USAGE_##field,
#include "dialect/usage_kinds.def"
#undef USAGE_KIND
    USAGE_KIND_COUNT
};

enum usage_exactness {
    USAGE_UNKNOWN,   /* nothing is known: costs are unknown, never 0 */
    USAGE_ESTIMATED, /* counted or guessed by us, or the provider bills more than it itemises */
    USAGE_EXACT      /* as the provider reported it */
};

/* A count above this is a mistake, not a usage. */
#define USAGE_COUNT_MOST ((int64_t)1000000000000000)

enum { USAGE_WORD_SIZE = 24 };

/* Invariant (usage_fault): every count is 0 to USAGE_COUNT_MOST; the bit of a kind is set in `reported` if its count is
 * not 0; no part exceeds its whole where both are reported, unless a provider reports it so: that has no price. */
struct usage {
    union {
        int64_t counts[USAGE_KIND_COUNT];
        struct {
#define USAGE_KIND(field, name, price, per, scale, family, direction, modality, type, lifetime, words) int64_t field;
#include "dialect/usage_kinds.def"
#undef USAGE_KIND
        };
    };
    uint64_t reported; /* bit (1 << kind): the kind was reported, be it as 0 */
    enum usage_exactness exactness;
    usd provider_cost;                   /* what the provider says it charges; USD_UNKNOWN: it does not say */
    char service_tier[USAGE_WORD_SIZE];  /* as the answer states it: "standard", "flex", "batch"; "" none */
    char speed[USAGE_WORD_SIZE];         /* "fast"; "" none */
    char inference_geo[USAGE_WORD_SIZE]; /* "us", "global"; "" none */
};

/* Nothing reported, nothing known. Every struct usage starts with it (all zeros would claim a provider's cost of 0). */
void usage_init(struct usage *usage);

/* What a kind is called: in the price file's mappings and in JSON that we print. */
const char *usage_kind_name(enum usage_kind kind);
enum status usage_kind_find(struct slice name, enum usage_kind *out) MUST_CHECK;

/* What a kind is called in the price file's prices ("input_mtok"), and how many counts that price is for. */
const char *usage_kind_price_name(enum usage_kind kind);
enum status usage_kind_find_price(struct slice price_name, enum usage_kind *out) MUST_CHECK;
int64_t usage_kind_per(enum usage_kind kind);

/* Counts for one unit of usage_kind_name: 1, or 1,000,000 where seconds are kept as microseconds. */
int64_t usage_kind_scale(enum usage_kind kind);

enum usage_side { USAGE_OTHER, USAGE_INPUT, USAGE_OUTPUT };
enum usage_side usage_kind_side(enum usage_kind kind);
bool usage_kind_is_tokens(enum usage_kind kind);

/* How many dimensions it has, 1 to USAGE_DEPTH_MOST: a proper part has more than its whole. */
enum { USAGE_DEPTH_MOST = 5 };
unsigned usage_kind_depth(enum usage_kind kind);

/* True if `both` has exactly the dimensions of a and b together: cached audio, of cached and audio. */
bool usage_kind_joins(enum usage_kind both, enum usage_kind a, enum usage_kind b);

/* True if `part` has all dimensions of `whole`: its counts are included there. A kind is a part of itself. */
bool usage_kind_within(enum usage_kind part, enum usage_kind whole);

/* True if something can be both a and b, as cached and audio. */
bool usage_kinds_overlap(enum usage_kind a, enum usage_kind b);

/* Sets and reports a count; 0 <= count <= USAGE_COUNT_MOST. */
void usage_set(struct usage *usage, enum usage_kind kind, int64_t count);

static inline bool
usage_reports(const struct usage *usage, enum usage_kind kind)
{
    return (usage->reported >> kind & 1) != 0;
}

/* Adds up the usage of several attempts: counts and provider's costs; the less exact of the two; the tier of `more`
 * unless it has none. ERR_LIMIT: too large, *total is unchanged. */
enum status usage_add(struct usage *total, const struct usage *more) MUST_CHECK;

/* As if nothing had been of that kind: what was counts as its whole does. */
void usage_drop(struct usage *usage, enum usage_kind kind);

/* The part with this number (from 0) of `parts` even ones of a count; the first ones get what is left over. All parts
 * together are the whole, and no part of a part exceeds its own whole's. A negative number: a part of nothing. */
int64_t usage_part(int64_t whole, int64_t number, unsigned parts);
struct usage usage_split(const struct usage *whole, int64_t number, unsigned parts);

/* NULL if the invariant holds, else what is wrong, for a person. */
const char *usage_fault(const struct usage *usage);

/* A count in JSON: a whole number from 0 to USAGE_COUNT_MOST (5, 5.0), times `scale`. ERR_NOT_FOUND: absent or null;
 * ERR_INVALID: negative, no number, or a fraction of a count; ERR_LIMIT: too large. */
enum status usage_read_count(yyjson_val *value, int64_t scale, int64_t *out) MUST_CHECK;

/* Readers of the reports that answers carry. Each takes the object that the API calls usage and fills *out wholly.
 * OK: exactness is USAGE_EXACT. ERR_NOT_FOUND: no object, or no input count in it; ERR_INVALID, ERR_LIMIT: counts that cannot
 * be; then *out is as after usage_init. */

/* Chat completions, completions, embeddings, and the many servers that speak likewise: prompt_tokens includes what was
 * cached, completion_tokens includes reasoning and rejected predictions (which are billed). Where total_tokens shows that
 * reasoning came on top of completion_tokens (xAI), it is added. cost: with the caller's own provider key (is_byok), its
 * upstream cost comes on top. */
enum status usage_read_openai_chat(yyjson_val *usage, struct usage *out) MUST_CHECK;

/* Responses: input_tokens and output_tokens, details within. */
enum status usage_read_openai_responses(yyjson_val *usage, struct usage *out) MUST_CHECK;

/* Messages: input_tokens is only what did not touch the cache; reads and writes come on top. */
enum status usage_read_anthropic(yyjson_val *usage, struct usage *out) MUST_CHECK;

/* The same for a stream: start with usage_init, then give the usage of message_start and of every message_delta. Counts
 * are cumulative, so a later one replaces the earlier; one that is absent, null, or 0 after it was not 0, keeps what was
 * known. exactness is USAGE_UNKNOWN until input and output have both been told, and USAGE_ESTIMATED where the provider
 * itemises iterations that its totals leave out. On failure *usage is unchanged. */
enum status usage_merge_anthropic(yyjson_val *report, struct usage *usage) MUST_CHECK;

/* Gemini's own API, usageMetadata: promptTokenCount includes what was cached; thoughts come on top of candidates, tool
 * results on top of the prompt. */
enum status usage_read_gemini(yyjson_val *usage, struct usage *out) MUST_CHECK;

/* Finds the usage in a whole answer or in one event of a stream of `api` and reads it with its service tier:
 * {"usage"}, {"response": {"usage"}} (Responses' events), {"message": {"usage"}} (Anthropic's message_start). For
 * API_MESSAGES it merges into *usage, else it replaces it. ERR_NOT_FOUND: this one carries none, *usage is unchanged.
 * API_PASSTHROUGH: whichever of the known shapes it has. */
enum status usage_read_answer(enum api api, yyjson_val *root, struct usage *usage) MUST_CHECK;

#endif
