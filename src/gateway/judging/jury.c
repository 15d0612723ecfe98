#include "gateway/judging/jury.h"

#include "quality/judge_model.h"

bool
jury_may_start(const struct gateway_worker *worker)
{
    return worker->missions + QUESTIONS <= MISSIONS_AT_ONCE_MOST;
}

double
jury_outcome(const struct jury *jury)
{
    return (double)jury->acceptable / QUESTIONS;
}

static void
take_reply(struct jury *jury, const struct mission *mission, const struct exchange *exchange)
{
    const struct text_of *text = &exchange->cursor.flight->meter.text;
    bool acceptable = false;

    if (text->cut || judge_reply(buffer_content(&text->text), mission == &jury->missions[1], &acceptable) != OK)
        jury->failed = true;
    jury->acceptable += acceptable;
}

static void
take_mission(struct jury *jury, const struct mission *mission, const struct exchange *exchange)
{
    enum mission_result result = mission_result(exchange);

    if (usd_known(exchange->cost))
        jury->cost += exchange->cost;
    jury->dropped |= result == MISSION_DROPPED;
    jury->failed |= result == MISSION_FAILED || result == MISSION_BAD;
    if (result == MISSION_ANSWERED)
        take_reply(jury, mission, exchange);
    if (--jury->under_way == 0)
        jury->done(jury);
}

/* Each knows its jury by its place there. */

static void
first_done(struct mission *mission, struct exchange *exchange)
{
    take_mission(CONTAINER_OF(mission, struct jury, missions[0]), mission, exchange);
}

static void
second_done(struct mission *mission, struct exchange *exchange)
{
    take_mission(CONTAINER_OF(mission, struct jury, missions[1]), mission, exchange);
}

void
jury_ask(struct jury *jury, const struct exchange *about, const char *about_id, const struct target *judge,
         struct chunk *questions[QUESTIONS], void (*done)(struct jury *))
{
    static void (*const each_done[QUESTIONS])(struct mission *, struct exchange *) = {first_done, second_done};

    *jury = (struct jury){.under_way = QUESTIONS, .done = done};
    for (unsigned i = 0; i < QUESTIONS; i++) {
        struct mission *mission = &jury->missions[i];

        *mission = (struct mission){.source = SOURCE_JUDGE, .target = judge, .done = each_done[i]};
        mission_prepare(mission, about, API_CHAT, questions[i]);
        memcpy(mission->about, about_id, sizeof(mission->about));
        chunk_release(questions[i]);
        questions[i] = NULL;
    }
    /* The jury may be gone with the last one. */
    mission_go(&jury->missions[0]);
    mission_go(&jury->missions[1]);
}
