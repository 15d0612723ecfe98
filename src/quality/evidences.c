#include "quality/evidences.h"

#include <math.h>
#include <stdlib.h>

/* Invariant: what is above the lock never changes, but for `forgotten`, which is under the lock of all; all below is read and
 * written under it. */
struct shared_evidence {
    struct shared_evidence *next;
    char *route, *lever, *words;
    bool forgotten;
    struct lock lock;
    struct evidence evidence;
    struct evidence_terms coming; /* what the sample is for */
    struct score_sample sample;
};

void
evidences_init(struct evidences *all)
{
    *all = (struct evidences){.first = NULL};
    lock_init(&all->lock);
    map_init(&all->map);
    parts_init(&all->parts);
}

void
evidences_free(struct evidences *all)
{
    while (all->first != NULL) {
        struct shared_evidence *shared = all->first;

        all->first = shared->next;
        lock_destroy(&shared->lock);
        free(shared->route);
        free(shared->lever);
        free(shared->words);
        free(shared);
    }
    map_free(&all->map);
    parts_free(&all->parts);
    lock_destroy(&all->lock);
}

struct slice
evidence_split_part(struct slice *lever)
{
    size_t at = slice_find(*lever, SLICE_LITERAL(EVIDENCE_PART));
    struct slice part = at < lever->len ? slice_from(*lever, at + strlen(EVIDENCE_PART)) : SLICE_LITERAL("");

    *lever = slice_first(*lever, at);
    return part;
}

static char *
words_of(struct slice lever)
{
    struct slice part = evidence_split_part(&lever);
    struct buffer words = {0};
    char *copy;

    buffer_add(&words, lever);
    if (part.len > 0)
        buffer_printf(&words, " for %.*s", SLICE_ARGS(part));
    copy = slice_strdup(buffer_content(&words));
    buffer_free(&words);
    return copy;
}

static struct shared_evidence *
make(const char *route, const char *lever)
{
    struct shared_evidence *shared = must_calloc(1, sizeof(*shared));

    lock_init(&shared->lock);
    shared->route = must_strdup(route);
    shared->lever = must_strdup(lever);
    shared->words = words_of(slice_of(lever));
    return shared;
}

struct shared_evidence *
evidences_at(struct evidences *all, const char *route, const char *lever)
{
    struct shared_evidence *shared;
    struct buffer key = {0};

    buffer_add_text(&key, route);
    buffer_add_byte(&key, '\0');
    buffer_add_text(&key, lever);
    lock_take(&all->lock);
    shared = map_get(&all->map, buffer_content(&key));
    if (shared == NULL) {
        shared = make(route, lever);
        shared->next = all->first;
        all->first = shared;
        map_put(&all->map, buffer_content(&key), shared);
    }
    shared->forgotten = false;
    lock_drop(&all->lock);
    buffer_free(&key);
    return shared;
}

static void
drop(struct shared_evidence *shared)
{
    lock_take(&shared->lock);
    shared->evidence = (struct evidence){.begun = false};
    shared->coming = (struct evidence_terms){.floor_ppm = 0};
    shared->sample = (struct score_sample){.count = 0};
    lock_drop(&shared->lock);
}

/* Nobody takes these two locks the other way round. */
void
evidences_forget(struct evidences *all, const char *route, const char *levers)
{
    lock_take(&all->lock);
    for (struct shared_evidence *at = all->first; at != NULL; at = at->next)
        if (strcmp(at->route, route) == 0 && slice_starts(slice_of(at->lever), levers)) {
            drop(at);
            at->forgotten = true;
        }
    lock_drop(&all->lock);
}

struct shared_evidence *
evidences_next(struct evidences *all, struct shared_evidence *shared)
{
    struct shared_evidence *next;

    lock_take(&all->lock);
    next = shared != NULL ? shared->next : all->first;
    while (next != NULL && next->forgotten)
        next = next->next;
    lock_drop(&all->lock);
    return next;
}

const char *
shared_evidence_route(const struct shared_evidence *shared)
{
    return shared->route;
}

const char *
shared_evidence_lever(const struct shared_evidence *shared)
{
    return shared->lever;
}

const char *
shared_evidence_words(const struct shared_evidence *shared)
{
    return shared->words;
}

/* Under the lock. */
static bool
add_to_sample(struct shared_evidence *shared, const struct evidence_terms *terms, double score)
{
    bool begun;

    if (!evidence_terms_equal(&shared->coming, terms)) {
        shared->coming = *terms;
        shared->sample = (struct score_sample){.count = 0};
    }
    if (!score_sample_add(&shared->sample, score))
        return false;
    begun = evidence_begin(&shared->evidence, terms, &shared->sample) == OK;
    shared->sample = (struct score_sample){.count = 0};
    return begun;
}

bool
shared_evidence_sample(struct shared_evidence *shared, const struct evidence_terms *terms, double score)
{
    bool begun;

    lock_take(&shared->lock);
    begun = !evidence_is_for(&shared->evidence, terms) && add_to_sample(shared, terms, score);
    lock_drop(&shared->lock);
    return begun;
}

void
shared_evidence_begin_alike(struct shared_evidence *shared, const struct evidence_terms *terms, double score)
{
    lock_take(&shared->lock);
    for (unsigned i = 0; i < SAMPLE_SCORES && !evidence_is_for(&shared->evidence, terms); i++)
        (void)add_to_sample(shared, terms, score);
    lock_drop(&shared->lock);
}

uint32_t
shared_evidence_may_serve(struct shared_evidence *shared, const struct evidence_terms *terms, double score,
                          enum evidence_reason *reason)
{
    uint32_t quality_ppm = 0;

    *reason = EVIDENCE_NO_EPOCH;
    lock_take(&shared->lock);
    if (evidence_is_for(&shared->evidence, terms))
        quality_ppm = evidence_may_serve(&shared->evidence, score, reason);
    lock_drop(&shared->lock);
    return quality_ppm;
}

unsigned
shared_evidence_serving(struct shared_evidence *shared, const struct evidence_terms *terms)
{
    unsigned serving = ARM_NONE;

    lock_take(&shared->lock);
    if (evidence_is_for(&shared->evidence, terms))
        serving = shared->evidence.serving;
    lock_drop(&shared->lock);
    return serving;
}

double
shared_evidence_threshold(struct shared_evidence *shared, const struct evidence_terms *terms)
{
    double threshold = -INFINITY;

    lock_take(&shared->lock);
    if (evidence_is_for(&shared->evidence, terms)) {
        unsigned serving = shared->evidence.serving;

        threshold = shared->evidence.arms.threshold[serving != ARM_NONE ? serving : ARMS - 1];
    }
    lock_drop(&shared->lock);
    return threshold;
}

bool
shared_evidence_refutes(struct shared_evidence *shared, const struct evidence_terms *terms)
{
    bool refutes;

    lock_take(&shared->lock);
    refutes = evidence_is_for(&shared->evidence, terms) && evidence_refutes(&shared->evidence);
    lock_drop(&shared->lock);
    return refutes;
}

bool
shared_evidence_audited(struct shared_evidence *shared, bool *refutes)
{
    bool audited;

    lock_take(&shared->lock);
    audited = shared->evidence.audits > 0;
    *refutes = evidence_refutes(&shared->evidence);
    lock_drop(&shared->lock);
    return audited;
}

bool
shared_evidence_is_near(struct shared_evidence *shared, const struct evidence_terms *terms, double score)
{
    bool near;

    lock_take(&shared->lock);
    near = evidence_is_for(&shared->evidence, terms) && evidence_is_near(&shared->evidence, score);
    lock_drop(&shared->lock);
    return near;
}

uint64_t
shared_evidence_round_id(struct shared_evidence *shared)
{
    uint64_t id;

    lock_take(&shared->lock);
    id = evidence_round_id(&shared->evidence);
    lock_drop(&shared->lock);
    return id;
}

uint32_t
shared_evidence_audit_ppm(struct shared_evidence *shared, const struct evidence_terms *terms, bool shadow)
{
    uint32_t audit_ppm = AUDIT_SHADOW_PPM;

    lock_take(&shared->lock);
    if (evidence_is_for(&shared->evidence, terms))
        audit_ppm = evidence_audit_ppm(&shared->evidence, shadow);
    lock_drop(&shared->lock);
    return audit_ppm;
}

unsigned
shared_evidence_observe(struct shared_evidence *shared, const struct evidence_terms *terms, const struct audit *audit)
{
    unsigned events = 0;

    lock_take(&shared->lock);
    if (evidence_is_for(&shared->evidence, terms))
        events = evidence_observe(&shared->evidence, audit);
    lock_drop(&shared->lock);
    return events;
}

unsigned
shared_evidence_observe_part(struct shared_evidence *shared, const struct evidence_terms *terms,
                             const struct audit *audit)
{
    unsigned events = 0;

    lock_take(&shared->lock);
    if (evidence_is_for(&shared->evidence, terms)) {
        bool refuted = evidence_refutes(&shared->evidence);

        events = evidence_observe(&shared->evidence, audit) & (EVENT_SUSPENDED | EVENT_BELOW_FLOOR);
        if (shared->evidence.below)
            evidence_start_over(&shared->evidence);
        events = refuted ? 0 : events;
    }
    lock_drop(&shared->lock);
    return events;
}

/* Nobody else holds two of these locks. */
bool
shared_evidence_become(struct shared_evidence *shared, const struct evidence_terms *terms,
                       struct shared_evidence *other, const struct evidence_terms *other_terms,
                       bool (*agrees)(void *context), void *context)
{
    bool becomes;

    lock_take(&shared->lock);
    lock_take(&other->lock);
    becomes = evidence_is_for(&shared->evidence, terms) && evidence_is_for(&other->evidence, other_terms) &&
              shared->evidence.serving != ARM_NONE && other->evidence.serving != ARM_NONE &&
              other->evidence.serving > shared->evidence.serving && agrees(context);
    if (becomes) {
        shared->evidence = other->evidence;
        other->evidence = (struct evidence){.begun = false};
    }
    lock_drop(&other->lock);
    lock_drop(&shared->lock);
    return becomes;
}

struct evidence_verdict
shared_evidence_verdict(struct shared_evidence *shared)
{
    struct evidence copy;

    lock_take(&shared->lock);
    copy = shared->evidence;
    lock_drop(&shared->lock);
    return evidence_verdict(&copy); /* hundreds of looks at all counts, for which nobody need wait */
}

void
shared_evidence_save(struct shared_evidence *shared, struct buffer *out)
{
    struct evidence copy;

    lock_take(&shared->lock);
    copy = shared->evidence;
    lock_drop(&shared->lock);
    evidence_save(&copy, out);
}

enum status
shared_evidence_restore(struct shared_evidence *shared, struct slice bytes)
{
    struct evidence restored = {0};
    enum status status = evidence_restore(&restored, bytes);

    if (status != OK)
        return status;
    lock_take(&shared->lock);
    shared->evidence = restored;
    lock_drop(&shared->lock);
    return OK;
}
