#include "money/ledger/look_up.h"

static const struct {
    const char *name, *words;
} results[LOOK_UP_RESULTS + 1] = {
#define LOOK_UP(id, name, words) {name, words},
#include "money/ledger/look_up.def"
#undef LOOK_UP
    {"none", "did not look"},
};

const char *
look_up_name(enum look_up_result result)
{
    return results[result].name;
}

const char *
look_up_words(enum look_up_result result)
{
    return results[result].words;
}

enum look_up_result
look_up_of_name(struct slice name)
{
    unsigned result = 0;

    while (result < LOOK_UP_RESULTS && !slice_is(name, results[result].name))
        result++;
    return (enum look_up_result)result;
}

bool
look_up_take(struct slice *list, struct slice *lever, enum look_up_result *result)
{
    while (list->len > 0) {
        struct slice rest = slice_split(list, ',');

        *lever = slice_split(&rest, '=');
        *result = look_up_of_name(rest);
        if (lever->len > 0 && *result != LOOK_UP_NONE)
            return true;
    }
    return false;
}
