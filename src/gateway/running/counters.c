#include "gateway/running/counters.h"

#include <inttypes.h>

static const struct {
    const char *name, *labels, *help;
} table[COUNTER_COUNT] = {
#define COUNTER(id, name, labels, help) [id] = {name, labels, help},
#include "gateway/running/counters.def"
#undef COUNTER
};

void
counters_print(const struct counters *const *sets, size_t set_count, struct buffer *out)
{
    const char *before = "";

    for (unsigned which = 0; which < COUNTER_COUNT; which++) {
        const char *labels = table[which].labels;
        int64_t sum = 0;

        for (size_t i = 0; i < set_count; i++)
            sum += counter_read(sets[i], (enum counter)which);
        if (strcmp(before, table[which].name) != 0)
            buffer_printf(out, "# HELP %s %s\n# TYPE %s counter\n", table[which].name, table[which].help,
                          table[which].name);
        before = table[which].name;
        if (labels[0] != '\0')
            buffer_printf(out, "%s{%s} %" PRId64 "\n", table[which].name, labels, sum);
        else
            buffer_printf(out, "%s %" PRId64 "\n", table[which].name, sum);
    }
}
