#include "fleet/health/tenure.h"

#include <stdlib.h>

#include "base/status.h"

/* What is gone, and may be forgotten. */
struct gone {
    struct slice name;
    void *value;
    usec since_us;
};

static int
compare(const void *a, const void *b)
{
    usec one_us = ((const struct gone *)a)->since_us, other_us = ((const struct gone *)b)->since_us;

    return one_us < other_us ? -1 : one_us > other_us;
}

static size_t
find_gone(const struct map *map, tenure_of *of, tenure_may_end *may_end, uint64_t sweep, usec now_us, struct gone *out)
{
    size_t at = 0, count = 0;
    struct slice name;
    void *value;

    while (map_next(map, &at, &name, &value)) {
        struct tenure *tenure = of(value);

        if (tenure->sweep == sweep)
            tenure->gone_us = 0;
        else if (tenure->gone_us == 0)
            tenure->gone_us = now_us;
        if (tenure->gone_us != 0 && tenure->holders == 0 && (may_end == NULL || may_end(value)))
            out[count++] = (struct gone){name, value, tenure->gone_us};
    }
    return count;
}

size_t
tenures_end(struct map *map, tenure_of *of, tenure_may_end *may_end, uint64_t sweep, usec now_us, void ***ended)
{
    struct gone *gone = must_calloc(map->count + 1, sizeof(*gone));
    size_t count = find_gone(map, of, may_end, sweep, now_us, gone), over = 0;

    qsort(gone, count, sizeof(*gone), compare);
    *ended = must_calloc(count + 1, sizeof(**ended));
    while (over < count && (count - over > TENURE_GONE_MOST || now_us - gone[over].since_us >= TENURE_KEPT_US)) {
        void *taken = map_take(map, gone[over].name);

        ENSURE(taken == gone[over].value);
        (*ended)[over++] = taken;
    }
    free(gone);
    return over;
}
