/* acceptable: { slices: [ tenant, tag:feature ] }: of what a route's floor holds by itself. */
#include <stdlib.h>

#include "base/hash.h"
#include "config/build/build.h"
#include "config/value.h"

#define HINT "For example slices: tenant, or slices: [ tenant, tag:feature ]."

static void
refuse(struct build *build, const struct yaml_node *at, struct slice text)
{
    if (slice_is(text, "language"))
        reader_error(
            &build->reader, at, "Let your clients say it: x-equipoise-tags: language=de, and slices: tag:language.",
            "slices: no language is guessed from a request's words: of a short one it would often be wrong, and "
            "a slice that is told apart wrongly promises nothing");
    else if (slice_is(text, "tag"))
        reader_error(&build->reader, at, "Say which: slices: tag:feature.",
                     "slices: a request may have many tags, so \"tag\" alone is none");
    else
        reader_error(&build->reader, at, HINT, "slices: expected tenant or tag:NAME, found \"%.*s\"",
                     SLICE_ARGS(slice_first(text, 60)));
}

/* False: it is none. *tag is NULL for the tenant. */
static bool
read_by(struct build *build, const struct yaml_node *at, const char **tag)
{
    static const char tags[] = "tag:";
    struct slice name;

    if (!reader_wants_text(&build->reader, at, "tenant or tag:NAME"))
        return false;
    *tag = NULL;
    if (slice_is(at->text, "tenant"))
        return true;
    name = slice_from(at->text, strlen(tags));
    if (!slice_starts(at->text, tags) || !value_is_name(name)) {
        refuse(build, at, at->text);
        return false;
    }
    *tag = arena_slice_text(build->reader.arena, name);
    return true;
}

static bool
is_named(const struct slices_config *slices, const char *tag)
{
    for (size_t i = 0; i < slices->count; i++)
        if (tag == NULL || slices->tags[i] == NULL ? tag == slices->tags[i] : strcmp(tag, slices->tags[i]) == 0)
            return true;
    return false;
}

static void
add(struct build *build, struct slices_config *slices, const struct yaml_node *at)
{
    const char *tag;

    if (!read_by(build, at, &tag))
        return;
    if (is_named(slices, tag)) {
        reader_warn(&build->reader, at, NULL, "slices: %.*s is named twice", SLICE_ARGS(at->text));
        return;
    }
    if (slices->count == SLICES_BY_MOST) {
        reader_error(&build->reader, at,
                     "Each of them cuts what the others leave, and each slice needs labels of its own.",
                     "slices: at most %d are taken together", SLICES_BY_MOST);
        return;
    }
    slices->tags[slices->count++] = tag;
}

/* The tenant first, then tags by name. */
static int
by_tag(const void *a, const void *b)
{
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;

    if (left == NULL || right == NULL)
        return (left != NULL) - (right != NULL);
    return strcmp(left, right);
}

/* In whatever order they are written, they cut alike, and what was earned stands. */
static void
put_in_order(struct slices_config *slices)
{
    static const uint64_t named = 2; /* how slices are named by now: evidence by other names is none */

    if (slices->count == 0)
        return;
    qsort(slices->tags, slices->count, sizeof(slices->tags[0]), by_tag);
    slices->mark = named;
    for (size_t i = 0; i < slices->count; i++) {
        const char *tag = slices->tags[i];

        slices->mark = hash_fast(slice_of(tag != NULL ? tag : ""), slices->mark + 1 + (tag != NULL));
    }
}

/* One tenant's answers may be harder to judge than another's, and the file's mistakes are those of all in the mean. */
static void
warn_of_calibration(struct build *build, const struct yaml_node *node, const struct route_config *route)
{
    if (route->slices.count > 0 && route->judge.calibration != NULL)
        reader_warn(
            &build->reader, node, "Have labelled examples of each slice in the file, or a route for each of them.",
            "slices: the judge's mistakes are counted in as the calibration's one file has them, for all slices "
            "alike: where it errs more in one of them, the floor may not hold there");
}

void
build_slices(struct build *build, const struct route_draft *draft, struct route_config *route)
{
    const struct yaml_node *node = draft->slices;
    bool list = node != NULL && node->kind == YAML_LIST;
    size_t count = node == NULL ? 0 : list ? node->count : 1;

    for (size_t i = 0; i < count; i++)
        add(build, &route->slices, list ? node->items[i].value : node);
    put_in_order(&route->slices);
    warn_of_calibration(build, node, route);
    if (route->slices.count > 0 && draft->levers[LEVER_ROUTER].mode == LEVER_OFF &&
        draft->levers[LEVER_CASCADE].mode == LEVER_OFF)
        reader_warn(&build->reader, node, "Say levers: { router: shadow }, or take it out.",
                    "slices are of what other models serve, and neither the router nor the cascade is on or in shadow");
}
