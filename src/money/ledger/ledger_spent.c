#include "money/ledger/ledger_spent.h"

#include <stdlib.h>

#include "base/timers.h"
#include "money/ledger/id_map.h"

#define HOUR_US (3600 * USEC_PER_S)
#define DAY_US (24 * HOUR_US)

/* Bits below the milliseconds of an id. */
enum { ID_SHIFT = 20 };

enum source { FROM_DAYS, FROM_HOURS, FROM_ROWS };

/* Which of the questions a group answers. */
struct answers {
    size_t count;
    struct ledger_spent *to[];
};

struct asking {
    struct ledger_store *store;
    struct ledger_spent *all;
    size_t count;
    enum source source;   /* of this walk: the others are left out */
    struct id_map groups; /* -> struct answers */
    struct arena arena;
};

static enum source
source_of(const struct ledger_spent *spent)
{
    if (spent->from_wall_us % DAY_US == 0 && spent->until_wall_us % DAY_US == 0)
        return FROM_DAYS;
    return spent->from_wall_us % HOUR_US == 0 && spent->until_wall_us % HOUR_US == 0 ? FROM_HOURS : FROM_ROWS;
}

static bool
is_within(const struct ledger_spent *spent, int64_t wall_us)
{
    return wall_us >= spent->from_wall_us && wall_us < spent->until_wall_us;
}

/* Sums. Requests stand in one group of kind `request` each, and in one of kind `tag` for each tag. */

static bool
group_answers(const struct group *group, const struct ledger_spent *spent)
{
    const char *kind = spent->of == DIMENSION_tag ? "tag" : "request";

    return slice_is(group->of[DIMENSION_kind], kind) &&
           (spent->of == DIMENSION_kind || slice_equal(group->of[spent->of], spent->name));
}

static struct answers *
answers_by(struct asking *asking, const struct group *group)
{
    struct answers *answers;
    size_t count = 0;

    for (size_t i = 0; i < asking->count; i++)
        count += source_of(&asking->all[i]) == asking->source && group_answers(group, &asking->all[i]);
    answers = arena_alloc(&asking->arena, sizeof(*answers) + count * sizeof(answers->to[0]));
    for (size_t i = 0; i < asking->count && answers->count < count; i++)
        if (source_of(&asking->all[i]) == asking->source && group_answers(group, &asking->all[i]))
            answers->to[answers->count++] = &asking->all[i];
    return answers;
}

/* NULL: it cannot be read, *status says why. */
static const struct answers *
answers_of(struct asking *asking, uint64_t id, enum status *status)
{
    struct answers *answers = id_map_get(&asking->groups, id);
    struct slice bytes;
    struct group group;

    *status = OK;
    if (answers != NULL)
        return answers;
    *status = asking->store->ops->find_group(asking->store, id, &asking->arena, &bytes);
    if (*status == OK)
        *status = group_take(bytes, &group);
    if (*status != OK)
        return NULL;
    answers = answers_by(asking, &group);
    id_map_put(&asking->groups, id, answers);
    return answers;
}

static enum status
add_sums(void *user, int64_t start, uint64_t group, struct slice bytes)
{
    enum status status;
    const struct answers *answers = answers_of(user, group, &status);
    struct sums sums;

    if (status != OK || answers->count == 0)
        return status;
    status = sums_take(bytes, &sums);
    for (size_t i = 0; i < answers->count && status == OK; i++) {
        struct ledger_spent *spent = answers->to[i];

        if (!is_within(spent, start))
            continue;
        spent->cost += sums.counted_cost;
        spent->tokens += sums.counted_tokens;
        spent->requests += sums.counted_requests;
    }
    return status;
}

/* Rows */

/* As tag_groups in group.c: only so many tags of a request are groups. */
static bool
has_tag(struct slice tags, struct slice tag)
{
    for (size_t count = 0; tags.len != 0 && count < GROUP_TAGS_MOST;) {
        struct slice one = slice_split(&tags, ',');

        if (one.len != 0 && slice_equal(one, tag))
            return true;
        count += one.len != 0;
    }
    return false;
}

static bool
row_answers(const struct row *row, const struct ledger_spent *spent)
{
    switch (spent->of) {
    case DIMENSION_kind:
        return true;
    case DIMENSION_key:
        return slice_equal(row->key_name, spent->name);
    case DIMENSION_tenant:
        return slice_equal(row->tenant, spent->name);
    case DIMENSION_route:
        return slice_equal(row->route, spent->name);
    case DIMENSION_tag:
        return has_tag(row->tags, spent->name);
    default:
        return false;
    }
}

static enum status
add_row(void *user, const struct row *row)
{
    struct asking *asking = user;

    for (size_t i = 0; i < asking->count; i++) {
        struct ledger_spent *spent = &asking->all[i];

        if (source_of(spent) != FROM_ROWS || !is_within(spent, row->arrived_wall_us) || !row_answers(row, spent))
            continue;
        spent->cost += usd_known(row->counted_cost) ? row->counted_cost : 0;
        spent->tokens += row->counted_tokens;
        spent->requests += row->counted_requests;
    }
    return OK;
}

/* An id is never older than its request's arrival. */
static enum status
walk_rows(struct asking *asking, int64_t from)
{
    uint64_t id = from > 0 ? (uint64_t)(from / USEC_PER_MS) << ID_SHIFT : 0;

    return asking->store->ops->each_counted(asking->store, id, add_row, asking);
}

/* One walk for all the questions that this source answers. */
static enum status
walk(struct asking *asking, enum source source)
{
    int64_t from = INT64_MAX, until = INT64_MIN;
    struct ledger_store *store = asking->store;
    enum status status;

    for (size_t i = 0; i < asking->count; i++) {
        const struct ledger_spent *spent = &asking->all[i];

        if (source_of(spent) != source)
            continue;
        from = spent->from_wall_us < from ? spent->from_wall_us : from;
        until = spent->until_wall_us > until ? spent->until_wall_us : until;
    }
    if (from >= until)
        return OK;
    asking->source = source;
    if (source == FROM_ROWS)
        return walk_rows(asking, from);
    status =
        store->ops->each_sums(store, source == FROM_DAYS ? LEDGER_DAY : LEDGER_HOUR, from, until, add_sums, asking);
    id_map_free(&asking->groups);
    arena_reset(&asking->arena);
    return status;
}

enum status
ledger_spent(struct ledger_store *store, struct ledger_spent *all, size_t count)
{
    struct asking asking = {.store = store, .all = all, .count = count};
    enum status status = OK;

    for (unsigned source = FROM_DAYS; source <= FROM_ROWS && status == OK; source++)
        status = walk(&asking, (enum source)source);
    return status;
}

/* Keys by the hour */

struct key_hours {
    struct ledger_store *store;
    ledger_key_hour_visit *visit;
    void *user;
    struct id_map groups; /* -> struct key_group */
    struct arena arena;
};

struct key_group {
    bool counts; /* of kind `request` */
    struct slice key;
};

static enum status
find_key_group(struct key_hours *hours, uint64_t id, struct key_group **out)
{
    struct slice bytes;
    struct group group;
    enum status status;

    *out = id_map_get(&hours->groups, id);
    if (*out != NULL)
        return OK;
    status = hours->store->ops->find_group(hours->store, id, &hours->arena, &bytes);
    if (status == OK)
        status = group_take(bytes, &group);
    if (status != OK)
        return status;
    *out = arena_alloc(&hours->arena, sizeof(**out));
    **out = (struct key_group){slice_is(group.of[DIMENSION_kind], "request"), group.of[DIMENSION_key]};
    id_map_put(&hours->groups, id, *out);
    return OK;
}

static enum status
visit_key_hour(void *user, int64_t start, uint64_t id, struct slice bytes)
{
    struct key_hours *hours = user;
    struct key_group *group;
    struct sums sums;
    enum status status = find_key_group(hours, id, &group);

    if (status == OK && group->counts)
        status = sums_take(bytes, &sums);
    if (status == OK && group->counts && sums.counted_cost > 0)
        hours->visit(hours->user, group->key, start, sums.counted_cost);
    return status;
}

enum status
ledger_key_hours(struct ledger_store *store, int64_t from_wall_us, ledger_key_hour_visit *visit, void *user)
{
    struct key_hours hours = {.store = store, .visit = visit, .user = user};
    enum status status = store->ops->each_sums(store, LEDGER_HOUR, from_wall_us, INT64_MAX, visit_key_hour, &hours);

    id_map_free(&hours.groups);
    arena_reset(&hours.arena);
    return status;
}
