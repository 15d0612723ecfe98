/* What a router looks at in a request: its words and pairs of words, hashed to places of a table of weights; its vector
 * (embed/embedder.h); traits that cost nothing to count; and the tag that the route or the client gave it, if any. No text is
 * kept: what is learned from features cannot be read back. */
#ifndef QUALITY_FEATURES_H
#define QUALITY_FEATURES_H

#include "embed/embedder.h"

enum trait {
#define TRAIT(name, words) TRAIT_##name,
#include "quality/traits.def"
#undef TRAIT
    TRAITS
};

/* The words for a person; never NULL. */
const char *trait_words(enum trait trait);

enum {
    FEATURE_PLACE_BITS = 16,
    FEATURE_PLACES = 1 << FEATURE_PLACE_BITS,
    FEATURE_WORDS_MOST = 1024, /* different words and pairs; what comes after is left out */
    FEATURE_TEXT_FIRST = 6144, /* of a longer text its beginning and its end are read, in bytes */
    FEATURE_TEXT_LAST = 2048
};

/* A request as far as a router asks. The texts stay the caller's. */
struct routed_request {
    struct slice text; /* what is asked now: the last turn of the user */
    struct slice tag;  /* what kind of request it is said to be; SLICE_NONE: nobody says */
    uint64_t context_bytes;
    uint32_t turns, tools;
    bool json;
};

struct word_feature {
    uint32_t place;   /* in the table of weights */
    float value;      /* the values of all words have the length 1 together */
    uint32_t at, len; /* where it stands in the text that was read: to name it, not for learning */
};

struct features {
    float traits[TRAITS];
    unsigned dims; /* of the vector; 0: it has none */
    float vector[EMBED_DIMS_MOST];
    bool tagged;
    uint32_t tag_place;
    unsigned count;
    struct word_feature words[FEATURE_WORDS_MOST];
};

/* Any bytes are a text. */
void features_read(struct features *features, const struct embedder *embedder, const struct routed_request *request);

#endif
