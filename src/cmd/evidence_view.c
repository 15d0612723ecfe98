#define _GNU_SOURCE /* asprintf */
#include "cmd/evidence_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "gateway/judging/evidence_keeper.h"
#include "levers/semantic_cache.h"
#include "money/report/report_choice.h"

static enum status
read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    char piece[16 * 1024];
    size_t got;
    bool failed;

    if (file == NULL)
        return ERR_NOT_FOUND;
    while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
        buffer_add(out, slice_make(piece, got));
    failed = ferror(file) != 0;
    fclose(file);
    return failed ? ERR_IO : OK;
}

static uint64_t
labels_of(uint64_t labels)
{
    return labels == BETTING_NEVER ? REPORT_NEVER : labels;
}

/* What is served until a fall is noticed: about ln 10,000 ÷ KL audits (quality/betting.h), of which so many requests are. */
static double
noticed_after(const struct evidence_verdict *verdict)
{
    double floor = (double)verdict->judged_fall_ppm[0] / PPM, to = (double)verdict->judged_fall_ppm[1] / PPM;
    double divergence = to > 0 && to < floor ? to * log(to / floor) + (1 - to) * log((1 - to) / (1 - floor)) : 0;

    if (verdict->reason != EVIDENCE_SERVES || verdict->audit_ppm == 0 || !(divergence > 0) || !isfinite(divergence))
        return 0;
    return log(FALL_ALARM) / divergence * PPM / verdict->audit_ppm;
}

static struct report_evidence
line_of(struct shared_evidence *shared)
{
    struct evidence_verdict verdict = shared_evidence_verdict(shared);
    const struct arm_standing *arm = verdict.serving.arm != ARM_NONE ? &verdict.serving : &verdict.next;
    const struct arm_standing *next = &verdict.next;
    struct slice of = slice_of(shared_evidence_lever(shared)), part = evidence_split_part(&of);

    return (struct report_evidence){
        .lever = slice_of(shared_evidence_words(shared)),
        .model = slice_starts(of, REPORT_ROUTER) ? slice_from(of, strlen(REPORT_ROUTER)) : SLICE_NONE,
        .route = slice_of(shared_evidence_route(shared)),
        .part = part,
        .words = verdict.reason == EVIDENCE_SERVES ? "serves" : evidence_reason_text(verdict.reason),
        .of = floor_words(verdict.scope),
        .floor_ppm = verdict.floor_ppm,
        .floor_of = floor_name(verdict.scope),
        .of_route = verdict.scope != FLOOR_SERVED,
        .judged_floor_ppm = verdict.judged_floor_ppm,
        .arm = verdict.serving.arm != ARM_NONE ? verdict.serving.arm + 1 : 0,
        .arms = ARMS,
        .upper_ppm = arm->upper_ppm,
        .serves = verdict.reason == EVIDENCE_SERVES,
        .threshold = arm->threshold,
        .mean_ppm = arm->mean_ppm,
        .lower_ppm = arm->lower_ppm,
        .own_mean_ppm = arm->served_mean_ppm,
        .labels = arm->labels,
        .missing = next->arm != ARM_NONE ? labels_of(next->missing_at_best) : 0,
        .missing_slow = next->arm != ARM_NONE ? labels_of(next->missing_as_so_far) : 0,
        .audits = verdict.audits,
        .failures = verdict.failures,
        .suspensions = verdict.suspensions,
        .audit_ppm = verdict.audit_ppm,
        .fall_to_ppm = verdict.fall_to_ppm,
        .noticed_after = noticed_after(&verdict),
    };
}

/* That of a tenant is news only where it speaks against serving it what others are served. */
static bool
is_shown(struct shared_evidence *shared)
{
    return !slice_starts(slice_of(shared_evidence_lever(shared)), SEMANTIC_GUARD) ||
           shared_evidence_verdict(shared).refutes;
}

void
evidence_view_open(const char *dir, struct evidence_view *view)
{
    struct buffer bytes = {0};
    char *path = NULL;
    size_t size = 0;

    *view = (struct evidence_view){.lines = NULL};
    evidences_init(&view->all);
    if (asprintf(&path, "%s/evidence", dir) >= 0 && read_file(path, &bytes) == OK && buffer_len(&bytes) > 0 &&
        evidence_file_read(&view->all, NULL, buffer_content(&bytes)) != OK)
        cmd_complain("report: %s is damaged: what levers had earned is not shown", path);
    free(path);
    buffer_free(&bytes);
    for (struct shared_evidence *at = evidences_next(&view->all, NULL); at != NULL; at = evidences_next(&view->all, at))
        size++;
    view->lines = must_calloc(size + 1, sizeof(*view->lines));
    for (struct shared_evidence *at = evidences_next(&view->all, NULL); at != NULL; at = evidences_next(&view->all, at))
        if (is_shown(at))
            view->lines[view->count++] = line_of(at);
}

void
evidence_view_close(struct evidence_view *view)
{
    free(view->lines);
    evidences_free(&view->all);
}
