/* What is known of stored answers by their meaning, as notes in the store's file (cache/file.h): which turn an answer answers,
 * and which requests it was promoted to. A turn's vector and literals are kept, never its words; who has the file has the
 * answers as well, so it is no less private for that. */
#ifndef LEVERS_SEMANTIC_NOTES_H
#define LEVERS_SEMANTIC_NOTES_H

#include "base/buffer.h"
#include "levers/promotions.h"
#include "levers/semantic_index.h"

/* The table by which texts are embedded, and how many numbers it makes of one: vectors of another are not comparable. */
struct semantic_space {
    uint64_t table;
    unsigned dims;
};

enum semantic_note_kind {
    NOTE_DAMAGED,
    NOTE_FOREIGN, /* of another table, or of another program's rule: nothing to be done with it */
    NOTE_TURN,
    NOTE_PROMOTION
};

struct semantic_note {
    enum semantic_note_kind kind;
    struct digest key; /* of the answer */
    struct semantic_turn turn;
    struct promotion promotion;
};

enum { SEMANTIC_NOTE_MOST = 256 + EMBED_DIMS_MOST };

void semantic_note_turn(const struct semantic_space *space, const struct digest *key, const struct semantic_turn *turn,
                        struct buffer *out);
void semantic_note_promotion(const struct promotion *promotion, struct buffer *out);

/* Whatever the bytes. */
void semantic_note_read(const struct semantic_space *space, struct slice note, struct semantic_note *out);

#endif
