#include "gateway/acceptance.h"

#include <math.h>

#include "levers/cascade.h"
#include "levers/terms.h"

/* Changes when the same answer would get another score than before. */
enum { RULE = 1 };

static uint64_t
with_text(uint64_t mark, const char *text)
{
    return terms_with_text(terms_with_number(mark, text != NULL), text != NULL ? text : "");
}

uint64_t
acceptance_rule(const struct route_config *route)
{
    const struct validator_config *validate = &route->validate;
    uint64_t mark = terms_with_number(RULE, route->cascade.accept);

    mark = with_text(with_text(mark, validate->json_schema), validate->regex);
    return with_text(with_text(mark, validate->command), validate->http);
}

bool
acceptance_is_plain(const struct route_config *route)
{
    return route->cascade.accept == ACCEPT_VALIDATORS;
}

static void
finish(struct acceptance *acceptance, double score, const char *why)
{
    acceptance->score = score;
    acceptance->why = why;
    acceptance->done(acceptance);
}

static void
validated(struct validation *validation)
{
    struct acceptance *acceptance = CONTAINER_OF(validation, struct acceptance, validation);

    acceptance->validated = validation->opinion == OPINION_USEFUL;
    if (acceptance->validated)
        finish(acceptance, CASCADE_SCORE_MOST, NULL);
    else
        finish(acceptance, NAN, validation->reason);
}

/* Why nobody can tell of it; NULL: one may. */
static const char *
objection(const struct flight *flight)
{
    const struct text_of *text = &flight->meter.text;

    if (flight->state != FLIGHT_COMPLETE || flight->status >= 300 || flight->meter.failed)
        return "no whole answer";
    if (!text->wanted || text->cut || flight->opaque || flight->unread)
        return "it cannot be read";
    return text->called ? "it calls a tool, of which validators cannot tell" : NULL;
}

void
acceptance_start(struct acceptance *acceptance, struct exchange *exchange)
{
    struct flight *flight = exchange->cursor.flight;
    struct validation *validation = &acceptance->validation;
    const char *why = objection(flight);

    *validation = (struct validation){.worker = exchange->worker,
                                      .view = view_hold(exchange->view),
                                      .route = exchange->request.route,
                                      .tenant = exchange->identity.tenant,
                                      .done = validated};
    memcpy(validation->id_text, exchange->id_text, sizeof(validation->id_text));
    acceptance->validated = false;
    if (why != NULL) {
        finish(acceptance, NAN, why);
        return;
    }
    validation->text = flight->meter.text.text;
    buffer_init(&flight->meter.text.text);
    validation_start(validation);
}

void
acceptance_free(struct acceptance *acceptance)
{
    validation_free(&acceptance->validation);
}
