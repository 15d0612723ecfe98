#include "money/ledger/group.h"

#include "money/wire.h"

const char *
dimension_name(enum dimension dimension)
{
    switch (dimension) {
#define DIMENSION(name, words)                                                                                         \
    case DIMENSION_##name:                                                                                             \
        return #name;
#include "money/ledger/group.def"
#undef DIMENSION
    case DIMENSIONS:
        break;
    }
    return "";
}

static void
mark(struct group *group, const struct row *row)
{
    if (row->modelled)
        group->of[DIMENSION_modelled] = SLICE_LITERAL("modelled");
    if (row->holdout)
        group->of[DIMENSION_holdout] = SLICE_LITERAL("holdout");
}

static void
request_group(const struct row *row, struct group *out)
{
    *out = (struct group){0};
    out->of[DIMENSION_kind] = SLICE_LITERAL("request");
    out->of[DIMENSION_key] = row->key_name;
    out->of[DIMENSION_tenant] = row->tenant;
    out->of[DIMENSION_route] = row->route;
    out->of[DIMENSION_owner] = row->owner;
    out->of[DIMENSION_model] = row->model_served.len != 0 ? row->model_served : row->model_asked;
    out->of[DIMENSION_backend] = row->backend;
    out->of[DIMENSION_provider] = row->provider;
    out->of[DIMENSION_source] = row->source;
    mark(out, row);
}

static size_t
tag_groups(const struct row *row, wide_int booked, struct group_share *out)
{
    struct slice rest = row->tags;
    size_t count = 0;

    while (rest.len != 0 && count < GROUP_TAGS_MOST) {
        struct slice tag = slice_split(&rest, ',');

        if (tag.len == 0)
            continue;
        out[count].group = (struct group){0};
        out[count].group.of[DIMENSION_kind] = SLICE_LITERAL("tag");
        out[count].group.of[DIMENSION_tag] = tag;
        mark(&out[count].group, row);
        out[count++].saved = booked;
    }
    return count;
}

static size_t
lever_groups(const struct row *row, struct group_share *out)
{
    for (size_t i = 0; i < row->saving_count; i++) {
        const struct saving_line *line = &row->savings[i];

        out[i].group = (struct group){0};
        out[i].group.of[DIMENSION_kind] = SLICE_LITERAL("lever");
        out[i].group.of[DIMENSION_route] = row->route;
        out[i].group.of[DIMENSION_owner] = row->owner;
        out[i].group.of[DIMENSION_lever] = line->lever;
        out[i].group.of[DIMENSION_mode] = line->shadow ? SLICE_LITERAL("shadow") : SLICE_LITERAL("on");
        mark(&out[i].group, row);
        out[i].saved = usd_known(line->saved) ? line->saved : 0;
    }
    return row->saving_count;
}

/* What the lever saved, or in the shadow would have. */
static wide_int
saved_by(const struct row *row, struct slice lever)
{
    for (size_t i = 0; i < row->saving_count; i++)
        if (slice_equal(row->savings[i].lever, lever) && usd_known(row->savings[i].saved))
            return row->savings[i].saved;
    return 0;
}

static size_t
look_up_groups(const struct row *row, struct group_share *out)
{
    struct slice rest = row->look_ups, lever;
    enum look_up_result result;
    size_t count = 0;

    while (count < LOOK_UPS_OF_ROW_MOST && look_up_take(&rest, &lever, &result)) {
        out[count].group = (struct group){0};
        out[count].group.of[DIMENSION_kind] = SLICE_LITERAL("look_up");
        out[count].group.of[DIMENSION_route] = row->route;
        out[count].group.of[DIMENSION_owner] = row->owner;
        out[count].group.of[DIMENSION_lever] = lever;
        out[count].group.of[DIMENSION_mode] = slice_of(look_up_name(result));
        mark(&out[count].group, row);
        out[count++].saved = saved_by(row, lever);
    }
    return count;
}

size_t
groups_of_row(const struct row *row, struct group_share *out)
{
    size_t count = 1;

    request_group(row, &out[0].group);
    out[0].saved = row_booked(row);
    count += tag_groups(row, out[0].saved, out + count);
    count += lever_groups(row, out + count);
    count += look_up_groups(row, out + count);
    ENSURE(count <= GROUPS_OF_ROW_MOST);
    return count;
}

void
group_put(struct buffer *out, const struct group *group)
{
    size_t most = DIMENSIONS * WIRE_NUMBER_MOST;
    unsigned char *start, *at;

    for (unsigned i = 0; i < DIMENSIONS; i++)
        most += group->of[i].len;
    start = at = (unsigned char *)buffer_reserve(out, most);
    for (unsigned i = 0; i < DIMENSIONS; i++)
        at = wire_put_text(at, group->of[i]);
    out->end += (size_t)(at - start);
}

/* Dimensions that an older program did not know are empty. */
enum status
group_take(struct slice bytes, struct group *out)
{
    struct wire_reader in = wire_reader_of(bytes);

    *out = (struct group){0};
    for (unsigned i = 0; i < DIMENSIONS && in.at < in.end; i++)
        out->of[i] = wire_take_text(&in);
    return in.bad || in.at != in.end ? ERR_CORRUPT : OK;
}
