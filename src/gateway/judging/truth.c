#include "gateway/judging/truth.h"

static void
start(struct truth *truth, struct buffer *text, void (*done)(struct validation *))
{
    struct validation *validation = &truth->validation;

    *validation = (struct validation){.worker = truth->worker,
                                      .view = view_hold(truth->view),
                                      .route = truth->route,
                                      .tenant = truth->tenant,
                                      .text = *text,
                                      .done = done};
    snprintf(validation->id_text, sizeof(validation->id_text), "%s", truth->id_text);
    buffer_init(text);
    validation_start(validation);
}

/* True: it is right. */
static bool
take(struct truth *truth)
{
    enum opinion opinion = truth->validation.opinion;

    truth->failed |= opinion == OPINION_UNKNOWN;
    validation_free(&truth->validation);
    return opinion == OPINION_USEFUL;
}

static void
candidate_done(struct validation *validation)
{
    struct truth *truth = CONTAINER_OF(validation, struct truth, validation);

    truth->candidate_right = take(truth);
    truth->done(truth);
}

static void
reference_done(struct validation *validation)
{
    struct truth *truth = CONTAINER_OF(validation, struct truth, validation);

    truth->reference_right = take(truth);
    start(truth, &truth->candidate, candidate_done);
}

void
truth_find(struct truth *truth)
{
    truth->failed = truth->reference_right = truth->candidate_right = false;
    start(truth, &truth->reference, reference_done);
}
