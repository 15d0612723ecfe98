/* A request for embeddings of several inputs, and which of them are answered already: those that are not can be bought
 * alone (dialect/embedding_batch.h). */
#ifndef LEVERS_KNOWN_H
#define LEVERS_KNOWN_H

#include "cache/entry.h"
#include "dialect/embedding_batch.h"

/* Made by the gateway, with nothing known; the arrays have an element for each input. */
struct known_elements {
    struct embedding_batch batch;
    struct cache_entry **entries; /* NULL: not known; each held once for each element that it answers */
    bool *wanted;                 /* is still to be bought */
    size_t wanted_count;
    size_t bytes, wanted_bytes; /* of the inputs as they are written */
};

#endif
