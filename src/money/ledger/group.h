/* The groups that the ledger's sums are kept by, and which groups a request belongs to. */
#ifndef MONEY_GROUP_H
#define MONEY_GROUP_H

#include "base/buffer.h"
#include "money/ledger/look_up.h"
#include "money/row.h"

enum dimension {
#define DIMENSION(name, words) DIMENSION_##name,
#include "money/ledger/group.def"
#undef DIMENSION
    DIMENSIONS
};

struct group {
    struct slice of[DIMENSIONS];
};

const char *dimension_name(enum dimension dimension);

/* A tag is one group of its own, up to this many on a request; the report says where tags were cut off. */
enum { GROUP_TAGS_MOST = 16, GROUPS_OF_ROW_MOST = 1 + GROUP_TAGS_MOST + ROW_SAVINGS_MOST + LOOK_UPS_OF_ROW_MOST };

/* A group that a request belongs to, and what of its saving lines counts there. */
struct group_share {
    struct group group;
    wide_int saved;
};

/* Fills `out` (GROUPS_OF_ROW_MOST) and returns how many; the first is of kind `request`. Texts point into the row. */
size_t groups_of_row(const struct row *row, struct group_share *out);

/* A group as bytes that differ exactly when the groups do, and back (texts point into the bytes). */
void group_put(struct buffer *out, const struct group *group);
enum status group_take(struct slice bytes, struct group *out) MUST_CHECK;

#endif
