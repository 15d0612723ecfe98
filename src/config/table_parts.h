/* How the pieces of the one table are written: a room of it for each file table_*.c, under the root in table.c. */
#ifndef CONFIG_TABLE_PARTS_H
#define CONFIG_TABLE_PARTS_H

#include "config/table.h"

#define AT(draft, member) offsetof(struct draft, member)
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define SECTION(the_title, the_path, the_fields, draft)                                                                \
    .title = (the_title), .path = (the_path), .fields = (the_fields), .count = COUNT_OF(the_fields),                   \
    .size = sizeof(struct draft)
#define FIELD(the_key, the_kind, the_offset, the_words, ...)                                                           \
    {                                                                                                                  \
        .key = (the_key), .kind = (the_kind), .offset = (the_offset), .words = (the_words), __VA_ARGS__                \
    }
#define LATER(the_list) .later = (the_list), .later_count = COUNT_OF(the_list)

/* Several sections share a draft (`timeouts:` inside of a backend): their offsets are all from the draft's start, and a
 * FIELD_SECTION's own offset is then 0. */

/* The three keys of whoever may have budgets. */
#define BUDGET_FIELDS(draft, whose)                                                                                    \
    FIELD("budget", FIELD_NODE, AT(draft, budget.budgets),                                                             \
          "What " whose " may use in a window: `$50/day`, `200k tokens/minute`, `1000 requests/hour`. Windows are "    \
          "minute, hour, day, week (from Monday) and month, by the calendar in UTC.",                                  \
          .type = "budget or list"),                                                                                   \
        FIELD("on_exceed", FIELD_CHOICE, AT(draft, budget.on_exceed),                                                  \
              "When a budget cannot take a request: refuse it, or serve it only by what is cheaper than the "          \
              "reference. `inherit`: as the next of key, tenant, route and the whole says; at last `refuse`.",         \
              .standard = "inherit", .choices = config_on_exceed),                                                     \
        FIELD("exposure", FIELD_CHOICE, AT(draft, budget.exposure),                                                    \
              "What budgets reserve. `strict`: the most that a request can cost; what cannot be bounded is refused. "  \
              "`expected`: what it will likely cost; it may overrun, and by how much at most is stated. `inherit`: "   \
              "likewise; at last `expected`.",                                                                         \
              .standard = "inherit", .choices = config_exposures)

/* Choices, NULL-terminated. */
extern const char *const config_on_exceed[]; /* enum on_exceed */
extern const char *const config_exposures[]; /* enum exposure */
extern const char *const config_off_or_on[];

/* What the root is made of. */
extern const struct section config_backend_section, config_route_section, config_key_section, config_tenant_section;

#endif
