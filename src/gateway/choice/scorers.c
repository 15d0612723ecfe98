#include "gateway/choice/scorers.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"
#include "config/labelled.h"
#include "gateway/choice/request_features.h"
#include "gateway/choice/scorers_parts.h"
#include "gateway/gateway.h"
#include "levers/terms.h"

void
scorers_init(struct scorers *scorers)
{
    *scorers = (struct scorers){.first = NULL};
    lock_init(&scorers->lock);
    map_init(&scorers->map);
}

void
frozen_release(struct frozen *frozen)
{
    if (frozen == NULL || atomic_fetch_sub_explicit(&frozen->holders, 1, memory_order_acq_rel) > 1)
        return;
    router_view_free(frozen->view);
    buffer_free(&frozen->bytes);
    free(frozen);
}

void
scorers_free(struct scorers *scorers)
{
    while (scorers->first != NULL) {
        struct scorer *scorer = scorers->first;

        scorers->first = scorer->next;
        router_free(scorer->router);
        frozen_release(scorer->frozen);
        frozen_release(scorer->trial);
        buffer_free(&scorer->kept);
        lock_destroy(&scorer->lock);
        lock_destroy(&scorer->view_lock);
        free(scorer);
    }
    map_free(&scorers->map);
    lock_destroy(&scorers->lock);
}

static struct scorer *
scorer_new(const char *route)
{
    size_t size = strlen(route) + 1;
    struct scorer *scorer = must_calloc(1, sizeof(*scorer) + size);

    memcpy(scorer->route, route, size);
    lock_init(&scorer->lock);
    lock_init(&scorer->view_lock);
    scorer->next_labels = SCORER_LABELS_FIRST;
    return scorer;
}

struct scorer *
scorer_at(struct scorers *scorers, const char *route)
{
    struct scorer *scorer;

    lock_take(&scorers->lock);
    scorer = map_get(&scorers->map, slice_of(route));
    if (scorer == NULL) {
        scorer = scorer_new(route);
        scorer->next = scorers->first;
        scorers->first = scorer;
        map_put(&scorers->map, slice_of(scorer->route), scorer);
    }
    lock_drop(&scorers->lock);
    return scorer;
}

struct scorer *
scorers_next(struct scorers *scorers, struct scorer *scorer)
{
    struct scorer *next;

    lock_take(&scorers->lock);
    next = scorer == NULL ? scorers->first : scorer->next;
    lock_drop(&scorers->lock);
    return next;
}

const char *
scorer_route(const struct scorer *scorer)
{
    return scorer->route;
}

/* Whom it is about: the route's other models in the configuration's order, the embedder, and what it began with. */

unsigned
scorer_place(const struct route_config *route, const struct target *model)
{
    unsigned place = 0;

    for (size_t i = 0; i < route->candidate_count && &route->candidates[i] != model; i++)
        place += route_candidate_differs(route, &route->candidates[i]);
    return place;
}

uint64_t
scorer_mark_models(const struct route_config *route, const struct embedder *embedder)
{
    uint64_t mark = embedder_table_id(embedder);

    for (size_t i = 0; i < route->candidate_count; i++)
        if (route_candidate_differs(route, &route->candidates[i]))
            mark = hash_fast(slice_of(route->candidates[i].name), mark);
    return (route->router.mark != 0 ? rng_mix(mark ^ route->router.mark) : mark) | 1;
}

/* Freezing; the lock is held. */

/* Whatever was on trial is not any more. */
void
scorer_show(struct scorer *scorer, struct frozen *frozen, uint64_t models, enum warm warm)
{
    struct frozen *before, *trial;

    lock_take(&scorer->view_lock);
    before = scorer->frozen;
    trial = scorer->trial;
    scorer->frozen = frozen;
    scorer->trial = NULL;
    scorer->models = models;
    scorer->warm = warm;
    lock_drop(&scorer->view_lock);
    frozen_release(before);
    frozen_release(trial);
}

/* When so many audits were learned from, and anew when they have doubled: what a file brought is none. */
static uint64_t
labels_of_next(const struct scorer *scorer)
{
    uint64_t labels = router_labels(scorer->router);
    uint64_t audits = labels > scorer->warm_labels ? labels - scorer->warm_labels : 0;

    return scorer->warm_labels + (2 * audits > SCORER_LABELS_FIRST ? 2 * audits : SCORER_LABELS_FIRST);
}

struct frozen *
scorer_freeze(struct scorer *scorer, uint64_t models)
{
    struct frozen *frozen = must_calloc(1, sizeof(*frozen));

    atomic_init(&frozen->holders, 1);
    frozen->view = router_freeze(scorer->router);
    router_save(scorer->router, &frozen->bytes);
    frozen->mark = hash_xxh64(buffer_content(&frozen->bytes), models) | 1;
    frozen->taught_until = scorer->taught_until;
    scorer->next_labels = labels_of_next(scorer);
    return frozen;
}

/* In the place of one whose trial went on until now. */
void
scorer_put_on_trial(struct scorer *scorer, struct frozen *frozen)
{
    struct frozen *before;

    lock_take(&scorer->view_lock);
    before = scorer->trial;
    scorer->trial = frozen;
    lock_drop(&scorer->view_lock);
    frozen_release(before);
}

bool
scorer_take_over(struct scorer *scorer, uint64_t on_trial)
{
    struct frozen *before = NULL;
    bool taken;

    lock_take(&scorer->view_lock);
    taken = scorer->trial != NULL && scorer->trial->mark == on_trial;
    if (taken) {
        before = scorer->frozen;
        scorer->frozen = scorer->trial;
        scorer->trial = NULL;
    }
    lock_drop(&scorer->view_lock);
    frozen_release(before);
    return taken;
}

void
scorer_end_trial(struct scorer *scorer)
{
    scorer_put_on_trial(scorer, NULL);
}

/* What was kept, if it is about these models; else nothing is known of them. */
static void
begin(struct scorer *scorer, uint64_t models, const struct route_config *route, const struct embedder *embedder)
{
    const struct labelled *labelled = route->router.labelled;
    bool restored;

    router_free(scorer->router);
    scorer->router = NULL;
    lock_take(&scorer->view_lock);
    scorer->warm_labels = labelled != NULL ? labelled->count : 0;
    lock_drop(&scorer->view_lock);
    scorer->next_labels = scorer->warm_labels + SCORER_LABELS_FIRST;
    restored = scorer->kept_head.models == models &&
               router_restore(buffer_content(&scorer->kept), terms_models(route), embedder_table_id(embedder),
                              embedder_dims(embedder), &scorer->router) == OK;
    scorer->taught_until = restored ? scorer->kept_head.taught_until : 0;
    if (restored)
        scorer_show(scorer, scorer_freeze(scorer, models), models, WARM_OVER);
    else
        scorer_show(scorer, NULL, models, labelled != NULL ? WARM_WANTED : WARM_OVER);
    buffer_free(&scorer->kept);
    scorer->kept = (struct buffer){0};
}

void
scorer_ensure_models(struct scorer *scorer, const struct route_config *route, const struct embedder *embedder)
{
    uint64_t models = scorer_mark_models(route, embedder);

    if (scorer->models != models)
        begin(scorer, models, route, embedder);
}

static struct frozen *
frozen_hold(struct frozen *frozen)
{
    if (frozen != NULL)
        atomic_fetch_add_explicit(&frozen->holders, 1, memory_order_relaxed);
    return frozen;
}

/* What is looked at, held. False: it is about other models than these (0: any will do), and there is none. */
static bool
look(struct scorer *scorer, uint64_t models, struct frozen **frozen, struct frozen **trial)
{
    bool same;

    lock_take(&scorer->view_lock);
    same = models == 0 || scorer->models == models;
    *frozen = same ? frozen_hold(scorer->frozen) : NULL;
    *trial = same ? frozen_hold(scorer->trial) : NULL;
    lock_drop(&scorer->view_lock);
    return same;
}

static void
hold_views(struct scorer *scorer, const struct route_config *route, const struct embedder *embedder,
           struct frozen **frozen, struct frozen **trial)
{
    uint64_t models = scorer_mark_models(route, embedder);

    /* Whoever learns holds the lock for as long as that takes, and a loop waits for nobody: until it is free there is no view
     * of these models, as there would be none in any case. What was kept over a restart was read before (scorers_open). */
    if (look(scorer, models, frozen, trial) || !lock_try(&scorer->lock))
        return;
    scorer_ensure_models(scorer, route, embedder);
    lock_drop(&scorer->lock);
    (void)look(scorer, models, frozen, trial);
}

void
scorers_open(struct scorers *scorers, const struct config *config, const struct embedder *embedder)
{
    for (struct scorer *at = scorers_next(scorers, NULL); at != NULL; at = scorers_next(scorers, at)) {
        const struct route_config *route = map_get(&config->route_by_name, slice_of(scorer_route(at)));

        if (route == NULL || !route_has_other_models(route))
            continue;
        lock_take(&at->lock);
        scorer_ensure_models(at, route, embedder);
        lock_drop(&at->lock);
    }
}

/* Lets go of the view. `why`: NULL, or room for all of them. */
static void
score_by(struct frozen *frozen, const struct features *features, unsigned count, struct scored *out,
         struct router_explanation *why)
{
    out->mark = frozen != NULL ? frozen->mark : 0;
    out->taught_until = frozen != NULL ? frozen->taught_until : 0;
    for (unsigned i = 0; i < count; i++)
        out->scores[i] = 1.0f;
    if (frozen != NULL && why != NULL)
        router_view_tell(frozen->view, features, out->scores, why);
    else if (frozen != NULL)
        router_view_score(frozen->view, features, out->scores);
    frozen_release(frozen);
}

unsigned
scorer_score(struct scorer *scorer, const struct route_config *route, const struct embedder *embedder, enum api api,
             struct slice body, struct scored *now, struct scored *on_trial, struct router_explanation *why)
{
    unsigned count = terms_models(route);
    struct frozen *frozen, *trial;
    struct features features;
    bool tells;

    hold_views(scorer, route, embedder, &frozen, &trial);
    if (frozen != NULL || trial != NULL)
        request_features(embedder, api, body, &features);
    tells = frozen != NULL && why != NULL;
    score_by(frozen, &features, count, now, tells ? why : NULL);
    score_by(trial, &features, count, on_trial, NULL);
    return tells ? count : 0;
}

/* A warm start */

bool
scorer_wants_warm(struct scorer *scorer, const struct route_config *route, const struct embedder *embedder)
{
    uint64_t models;
    bool wants;

    if (route->router.labelled == NULL)
        return false;
    models = scorer_mark_models(route, embedder);
    lock_take(&scorer->view_lock);
    wants = scorer->warm == WARM_WANTED && scorer->models == models;
    if (wants)
        scorer->warm = WARM_RUNS;
    lock_drop(&scorer->view_lock);
    return wants;
}

enum warm
scorer_warm(struct scorer *scorer)
{
    enum warm warm;

    lock_take(&scorer->view_lock);
    warm = scorer->warm;
    lock_drop(&scorer->view_lock);
    return warm;
}

void
scorer_take_warm(struct scorer *scorer, const struct route_config *route, const struct embedder *embedder,
                 struct router *router)
{
    uint64_t models = scorer_mark_models(route, embedder);

    lock_take(&scorer->lock);
    if (scorer->models != models || scorer_warm(scorer) != WARM_RUNS) {
        router_free(router); /* a reload came between */
    } else if (router == NULL) {
        scorer_show(scorer, NULL, models, WARM_WANTED);
    } else {
        router_free(scorer->router);
        scorer->router = router;
        scorer_show(scorer, scorer_freeze(scorer, models), models, WARM_OVER);
    }
    lock_drop(&scorer->lock);
}

bool
scorer_warm_labels(struct scorer *scorer, uint64_t *labels)
{
    bool has;

    lock_take(&scorer->view_lock);
    has = scorer->warm_labels > 0;
    *labels = scorer->warm == WARM_OVER ? scorer->warm_labels : 0;
    lock_drop(&scorer->view_lock);
    return has;
}

/* Keeping: whom it is about and until when it was taught, then what router_save wrote. */

static void
put_kept(struct buffer *out, const struct kept_head *head, const struct buffer *bytes)
{
    buffer_add(out, slice_make((const char *)head, sizeof(*head)));
    buffer_add(out, buffer_content(bytes));
}

void
scorer_save(struct scorer *scorer, struct buffer *out)
{
    struct frozen *frozen, *trial;

    lock_take(&scorer->lock);
    (void)look(scorer, 0, &frozen, &trial);
    if (frozen != NULL)
        put_kept(out, &(struct kept_head){scorer->models, frozen->taught_until}, &frozen->bytes);
    else if (buffer_len(&scorer->kept) > 0) /* nobody has asked since the start */
        put_kept(out, &scorer->kept_head, &scorer->kept);
    frozen_release(frozen);
    frozen_release(trial);
    lock_drop(&scorer->lock);
}

void
scorer_restore(struct scorer *scorer, struct slice bytes)
{
    if (bytes.len <= sizeof(scorer->kept_head))
        return;
    lock_take(&scorer->lock);
    memcpy(&scorer->kept_head, bytes.data, sizeof(scorer->kept_head));
    buffer_clear(&scorer->kept);
    buffer_add(&scorer->kept, slice_from(bytes, sizeof(scorer->kept_head)));
    lock_drop(&scorer->lock);
}
