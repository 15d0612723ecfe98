/* The labelled requests that a route's router begins with: read here, so that all that can be wrong with them is found before
 * anything is served. The gateway learns of them. */
#include <stdio.h>
#include <stdlib.h>

#include "config/build/build.h"
#include "config/labelled.h"

enum { WARM_START_BYTES_MOST = 64 << 20, WARM_START_REQUESTS_MOST = 100000 };

static const char *
list_models(struct build *build, const struct labelled *labelled)
{
    const char *names[LABELLED_MODELS_MOST];

    for (unsigned i = 0; i < labelled->model_count; i++)
        names[i] = labelled->models[i];
    return reader_join(&build->reader, names, labelled->model_count);
}

/* Some of the route's other models must be in it. */
static void
check_models(struct build *build, const struct yaml_node *at, const struct route_config *route, const char *path,
             const struct labelled *labelled)
{
    const char *missing = NULL;
    bool any = false;

    for (size_t i = 0; i < route->candidate_count; i++) {
        const struct target *target = &route->candidates[i];
        bool there = labelled_target(labelled, target) != LABELLED_MODELS_MOST;

        if (!route_candidate_differs(route, target))
            continue;
        any = any || there;
        missing = there ? missing : target->name;
    }
    if (!any)
        reader_error(&build->reader, at,
                     "It is the candidates' scores that are learned of, by the names that they have here.",
                     "%s has no scores of a candidate that is another model than the reference's, but of %s", path,
                     list_models(build, labelled));
    else if (missing != NULL)
        reader_warn(&build->reader, at, NULL, "%s has no scores of %s, which begins with nothing", path, missing);
}

static bool
read_bytes(struct build *build, const char *path, struct slice bytes, struct labelled *labelled)
{
    /* A stream over no bytes cannot be opened everywhere. */
    FILE *file = bytes.len > 0 ? fmemopen((void *)(uintptr_t)bytes.data, bytes.len, "rb") : fmemopen("\n", 1, "rb");
    enum status status;

    ENSURE(file != NULL);
    status = labelled_read(file, path, build->reader.problems, labelled);
    fclose(file);
    return status == OK;
}

void
build_warm_start(struct build *build, const struct route_draft *draft, struct route_config *route)
{
    const struct yaml_node *at = build_place(&draft->entry, "router");
    const char *path = draft->warm_start;
    struct labelled *labelled;
    struct buffer bytes;

    if (path == NULL)
        return;
    buffer_init(&bytes);
    labelled = must_calloc(1, sizeof(*labelled));
    route->router = (struct router_config){.warm_start = path, .labelled = labelled};
    if (reader_bytes(&build->reader, at, path, WARM_START_BYTES_MOST, &bytes) &&
        read_bytes(build, path, buffer_content(&bytes), labelled)) {
        route->router.mark = hash_xxh64(buffer_content(&bytes), 0) | 1;
        if (labelled->count > WARM_START_REQUESTS_MOST)
            reader_error(&build->reader, at, "Take a sample.", "%s holds %zu requests; a router begins with %d at most",
                         path, labelled->count, WARM_START_REQUESTS_MOST);
        check_models(build, at, route, path, labelled);
    }
    buffer_free(&bytes);
}

void
warm_start_free(struct route_config *route)
{
    if (route->router.labelled == NULL)
        return;
    labelled_free(route->router.labelled);
    free(route->router.labelled);
}
