/* How a value of each kind is read, but for sections and maps, which are the reader's own. */
#ifndef CONFIG_KINDS_H
#define CONFIG_KINDS_H

#include "config/reader.h"

struct kind {
    /* Writes what the node says to `at`. ERR_INVALID and ERR_LIMIT are reported by the caller, who knows what was
     * expected; ERR_DENIED: reported already. The node is not null. */
    enum status (*read)(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at);
    bool scalar; /* gets nothing but scalars */
    bool secret; /* its text may be shown to nobody: it is a secret, or where one is put by mistake */
};

/* Not for FIELD_SECTION and FIELD_MAP. */
const struct kind *kind_of(const struct field *field);

#endif
