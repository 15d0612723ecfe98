#include "base/rng.h"
#include "twin/reply.h"
#include "twin/tokens.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const subjects[] = {"The team",        "A careful reader", "The report",   "Each region",
                                       "The second plan", "This idea",        "Our supplier", "The archive",
                                       "A newer model",   "The council"};
static const char *const verbs[] = {"describes",  "improves",    "depends on", "compares",
                                    "brings out", "strengthens", "questions",  "explains"};
static const char *const adjectives[] = {"quiet",  "steady",   "recent", "local", "shared",
                                         "simple", "detailed", "early",  "broad", "careful"};
static const char *const objects[] = {"evidence", "arrangement", "method", "history", "balance",
                                      "schedule", "estimate",    "market", "design",  "account"};
static const char *const tails[] = {"over time",         "in most cases",     "for the people involved",
                                    "without much fuss", "as the data shows", "at a lower cost",
                                    "in the long run",   "where it matters"};

static void
add_sentence(struct buffer *out, struct rng *rng)
{
    const char *subject = subjects[rng_below(rng, COUNT(subjects))];
    const char *verb = verbs[rng_below(rng, COUNT(verbs))];
    const char *adjective = adjectives[rng_below(rng, COUNT(adjectives))];
    const char *object = objects[rng_below(rng, COUNT(objects))];
    const char *tail = tails[rng_below(rng, COUNT(tails))];

    buffer_printf(out, "%s%s %s the %s %s %s.", buffer_len(out) == 0 ? "" : " ", subject, verb, adjective, object,
                  tail);
}

struct slice
prose_write(uint64_t seed, int64_t tokens, struct arena *arena)
{
    struct rng rng;
    struct buffer out;
    struct slice text;

    rng_seed(&rng, seed);
    buffer_init(&out);
    do
        add_sentence(&out, &rng);
    while (buffer_len(&out) < (size_t)tokens * 4);
    text = token_first(arena_copy(arena, buffer_content(&out)), tokens);
    buffer_free(&out);
    return text;
}
