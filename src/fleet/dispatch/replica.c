#include "fleet/dispatch/replica.h"

#include <math.h>

#include "base/status.h"
#include "fleet/health/told.h"

/* More than any engine holds. What clients and answers claim beyond it is not believed, so that sums stay sums. */
static const int64_t TOKENS_MOST = (int64_t)1 << 32;

static int64_t
believed(int64_t tokens)
{
    return tokens < 0 ? 0 : tokens < TOKENS_MOST ? tokens : TOKENS_MOST;
}

/* What is expected to be known counts as if it had come true of so many tokens, before anything was seen; and what was seen
 * fades when it is of so many. */
static const double TRUST_BEFORE = 4096, TRUST_FADE_AT = 4e6;

void
replica_check(const struct replica *replica)
{
    const struct replica_now *now = &replica->now;
    const struct replica_totals *totals = &replica->totals;

    ENSURE(now->requests >= now->filling && now->filling >= 0);
    ENSURE(now->filling_us >= 0 && (now->filling == 0) == list_empty(&replica->filling));
    ENSURE(now->filling_tokens >= 0 && now->context_tokens >= 0 && now->output_tokens >= 0);
    ENSURE(now->requests > 0 || (now->filling_tokens == 0 && now->context_tokens == 0 && now->output_tokens == 0));
    ENSURE(totals->taken == totals->completed + totals->failed + totals->closed + (uint64_t)now->requests);
}

static void
count_time(const struct replica *replica, usec now_us, struct replica_totals *totals)
{
    usec span_us = now_us - replica->counted_us;

    if (replica->now.requests == 0 || span_us <= 0)
        return;
    totals->busy_us += span_us;
    totals->request_us += span_us * replica->now.requests;
    totals->filling_us += span_us * replica->now.filling;
}

usec
replica_fill_us(const struct replica_model *model, double fresh, double before, double beside_us)
{
    const struct step_time *time = &model->time;
    double steps = fmax(1, fresh / (double)model->step_tokens_most);
    double fill_us = steps * (hypot(time->alpha_us, time->beta_us * fresh / steps) + beside_us + time->host_us) +
                     time->epsilon_us * (fresh * before + fresh * fresh / 2);

    return fill_us < (double)REPLICA_FILL_MOST_US ? (usec)fill_us : REPLICA_FILL_MOST_US;
}

double
replica_beside_us(const struct replica_model *model, double sequences, double kv_tokens)
{
    return model->time.delta_us * kv_tokens + model->time.gamma_us * sequences;
}

static struct replica_ticket *
head_of(struct replica *replica)
{
    struct list *first = list_first(&replica->filling);

    return first != NULL ? CONTAINER_OF(first, struct replica_ticket, link) : NULL;
}

static void
leave_line(struct replica_ticket *ticket, usec now_us)
{
    struct replica *replica = ticket->replica;

    if (head_of(replica) == ticket)
        replica->head_us = now_us;
    list_remove(&ticket->link);
    ticket->begun = true;
    replica->now.filling--;
    replica->now.filling_us -= ticket->filling_us;
    replica->now.filling_tokens -= ticket->filling_tokens;
}

/* Answers that are no streams do not tell when their prompts were computed: they leave when they should have been. */
static void
pass_silent(struct replica *replica, usec now_us)
{
    struct replica_ticket *head;

    while ((head = head_of(replica)) != NULL && !head->streamed && replica->head_us + head->filling_us <= now_us)
        leave_line(head, replica->head_us + head->filling_us);
}

/* What is overdue is expected to take as long again as it is overdue by now, and all behind it to be as much slower than
 * expected: an engine that is stuck, or slower than its model, looks the worse the longer it is. */
static usec
wait_us(struct replica *replica, usec now_us)
{
    const struct replica_ticket *head = head_of(replica);
    double fill_us, left_us, behind_us, all_us;

    if (head == NULL)
        return 0;
    fill_us = head->filling_us > 0 ? (double)head->filling_us : 1;
    left_us = fmin((double)(replica->head_us + head->filling_us - now_us), fill_us);
    behind_us = (double)(replica->now.filling_us - head->filling_us);
    all_us = left_us >= 0 ? behind_us + left_us : behind_us * (1 - left_us / fill_us) - left_us;
    return all_us < (double)REPLICA_WAIT_MOST_US ? (usec)all_us : REPLICA_WAIT_MOST_US;
}

/* Before every change of how many there are. Workers' clocks may be a little apart: time never goes back here. */
static void
pass_time(struct replica *replica, usec now_us)
{
    count_time(replica, now_us, &replica->totals);
    if (now_us > replica->counted_us)
        replica->counted_us = now_us;
    pass_silent(replica, now_us);
}

static usec
expected_fill_us(const struct replica *replica, int64_t fresh, int64_t matched)
{
    const struct replica_now *now = &replica->now;
    double context = (double)(now->context_tokens - now->filling_tokens);

    return replica_fill_us(&replica->model, (double)fresh, (double)matched,
                           replica_beside_us(&replica->model, (double)(now->requests - now->filling), context));
}

static double
trust_of(const struct replica *replica)
{
    return (replica->hits_seen + TRUST_BEFORE) / (replica->hits_expected + TRUST_BEFORE);
}

static struct engine_view
view_of(const struct replica *replica)
{
    return (struct engine_view){&replica->model.time, replica->model.step_tokens_most};
}

/* What one replica's answers teach holds for all that are like it: also for one that has not answered yet. */
static void
take_model(struct replica *replica, const struct step_time *time)
{
    replica->model.time = *time;
    replica->model.fitted = true;
}

void
replica_take(struct replica *replica, struct replica_ticket *ticket, const struct replica_wish *wish, usec now_us)
{
    int64_t prompt = believed(wish->prompt_tokens), output = believed(wish->output_tokens);
    int64_t matched = wish->matched_tokens < prompt ? wish->matched_tokens : prompt, fresh;
    struct step_time time;
    bool learned = wish->fit != NULL && shared_fit_time(wish->fit, &time);

    ENSURE(ticket->replica == NULL && matched >= 0);
    *ticket = (struct replica_ticket){.replica = replica,
                                      .prompt_tokens = prompt,
                                      .matched_tokens = matched,
                                      .output_tokens = output,
                                      .taken_us = now_us,
                                      .streamed = wish->streamed,
                                      .fit = wish->fit};
    lock_take(&replica->lock);
    pass_time(replica, now_us);
    if (learned)
        take_model(replica, &time);
    ticket->known_tokens = (int64_t)((double)matched * trust_of(replica));
    ticket->filling_tokens = fresh = prompt - ticket->known_tokens;
    ticket->filling_us = expected_fill_us(replica, fresh, ticket->known_tokens);
    if (list_empty(&replica->filling))
        replica->head_us = now_us;
    list_append(&replica->filling, &ticket->link);
    replica->now.filling_us += ticket->filling_us;
    replica->now.requests++;
    replica->now.filling++;
    replica->now.filling_tokens += fresh;
    replica->now.context_tokens += prompt;
    replica->now.output_tokens += output;
    replica->totals.taken++;
    replica->totals.sent_tokens += prompt;
    replica->totals.matched_tokens += matched;
    if (wish->fit != NULL)
        engine_track_take(&replica->track, view_of(replica), &ticket->turn, prompt, ticket->known_tokens,
                          wish->streamed, now_us);
    replica_check(replica);
    lock_drop(&replica->lock);
}

/* It may have left the line by itself meanwhile, on any thread. */
static void
begin(struct replica_ticket *ticket, usec now_us)
{
    pass_time(ticket->replica, now_us);
    if (!ticket->begun)
        leave_line(ticket, now_us);
}

void
replica_begun(struct replica_ticket *ticket, usec now_us)
{
    struct replica *replica = ticket->replica;

    if (replica == NULL || ticket->told_begun)
        return;
    ticket->told_begun = true;
    lock_take(&replica->lock);
    begin(ticket, now_us);
    engine_track_begun(&replica->track, view_of(replica), &ticket->turn, now_us);
    replica_check(replica);
    lock_drop(&replica->lock);
}

/* What is expected beyond shrinks with what has come, down to nothing: how much more comes then is anybody's guess. */
static void
produce(struct replica_ticket *ticket, int64_t fresh)
{
    int64_t expected = fresh < ticket->output_tokens ? fresh : ticket->output_tokens;

    ticket->produced += fresh;
    ticket->output_tokens -= expected;
    ticket->replica->now.context_tokens += fresh;
    ticket->replica->now.output_tokens -= expected;
}

void
replica_produced(struct replica_ticket *ticket, int64_t output_tokens)
{
    struct replica *replica = ticket->replica;
    int64_t fresh = believed(output_tokens) - ticket->produced;

    if (replica == NULL || fresh < REPLICA_STEP_TOKENS)
        return;
    lock_take(&replica->lock);
    produce(ticket, fresh);
    replica_check(replica);
    lock_drop(&replica->lock);
}

static void
count_ending(struct replica_totals *totals, enum replica_ending ending)
{
    totals->completed += ending == REPLICA_COMPLETED;
    totals->failed += ending == REPLICA_FAILED;
    totals->closed += ending == REPLICA_CLOSED;
}

/* A sum of what was expected and what came, for the share of it that can be relied on. */
static void
learn_trust(struct replica *replica, double expected, double seen)
{
    if (expected <= 0)
        return;
    replica->hits_expected += expected;
    replica->hits_seen += fmin(seen, expected);
    if (replica->hits_expected > TRUST_FADE_AT) {
        replica->hits_expected /= 2;
        replica->hits_seen /= 2;
    }
}

static void
count_metered(struct replica_totals *totals, const struct replica_metered *metered)
{
    if (metered == NULL)
        return;
    totals->metered++;
    totals->input_tokens += believed(metered->input_tokens);
    totals->cached_tokens += believed(metered->cached_tokens);
    totals->output_tokens += believed(metered->output_tokens);
}

/* Whole answers whose times are the engine's teach what it is like. */
static void
end_turn(struct replica_ticket *ticket, enum replica_ending ending, const struct replica_metered *metered, usec now_us,
         struct engine_lesson *lesson)
{
    struct replica *replica = ticket->replica;
    bool teaches = ending == REPLICA_COMPLETED && metered != NULL && !ticket->held_up;

    engine_track_end(&replica->track, view_of(replica), &ticket->turn, teaches ? believed(metered->input_tokens) : -1,
                     teaches ? metered->cached_tokens : -1, teaches ? believed(metered->output_tokens) : -1,
                     ending == REPLICA_FAILED && !ticket->refused, now_us, lesson);
    ticket->share_us = lesson->share_us;
}

static void
learn(struct replica *replica, struct shared_fit *fit, const struct engine_lesson *lesson)
{
    struct step_time time;

    if (fit == NULL || (!(lesson->first_token.seen_us > 0) && !(lesson->rest.seen_us > 0)))
        return;
    lock_take(&fit->lock);
    engine_fit_learn_lesson(&fit->fit, lesson);
    time = engine_fit_time(&fit->fit);
    lock_drop(&fit->lock);
    lock_take(&replica->lock);
    take_model(replica, &time);
    lock_drop(&replica->lock);
}

double
replica_share_us(struct replica_ticket *ticket, usec now_us)
{
    struct replica *replica = ticket->replica;
    double share_us;

    if (replica == NULL)
        return ticket->share_us;
    lock_take(&replica->lock);
    engine_track_advance(&replica->track, view_of(replica), now_us);
    share_us = engine_track_share_us(&replica->track, &ticket->turn);
    lock_drop(&replica->lock);
    return share_us;
}

void
replica_give_back(struct replica_ticket *ticket, enum replica_ending ending, const struct replica_metered *metered,
                  usec now_us)
{
    struct replica *replica = ticket->replica;
    struct engine_lesson lesson;

    if (replica == NULL)
        return;
    lock_take(&replica->lock);
    begin(ticket, now_us);
    end_turn(ticket, ending, metered, now_us, &lesson);
    replica->now.requests--;
    replica->now.context_tokens -= ticket->prompt_tokens + ticket->produced;
    replica->now.output_tokens -= ticket->output_tokens;
    count_ending(&replica->totals, ending);
    count_metered(&replica->totals, metered);
    if (metered != NULL && metered->cached_tokens >= 0)
        learn_trust(replica, (double)ticket->matched_tokens, (double)metered->cached_tokens);
    replica_check(replica);
    lock_drop(&replica->lock);
    ticket->replica = NULL;
    learn(replica, ticket->fit, &lesson);
}

void
replica_look(struct replica *replica, usec now_us, struct replica_look *out)
{
    lock_take(&replica->lock);
    pass_time(replica, now_us);
    out->wait_us = wait_us(replica, now_us);
    out->trust = trust_of(replica);
    out->now = replica->now;
    out->totals = replica->totals;
    out->told = replica->told;
    out->model = replica->model;
    engine_track_advance(&replica->track, view_of(replica), now_us);
    out->track = replica->track;
    lock_drop(&replica->lock);
}

void
replica_ask(struct replica *replica)
{
    lock_take(&replica->lock);
    replica->asked = true;
    replica->now_before = replica->now;
    lock_drop(&replica->lock);
}

/* Ours may have come or gone while it was asked: the larger number, so that none of ours is taken for another's. Whose the
 * queue is nobody tells: of those that may stand in it, ours without an answer yet and others', in proportion. */
static void
tell_others_apart(const struct replica *replica, struct replica_told *told)
{
    const struct replica_now *after = &replica->now, *before = replica->asked ? &replica->now_before : after;
    double filling = (double)(before->filling > after->filling ? before->filling : after->filling);
    double ours = (double)(before->requests > after->requests ? before->requests : after->requests);
    double queued = fmax(0, told->queued), ours_queued = 0;

    told->others = told->others_queued = -1;
    if (told->queued >= 0 || told->running >= 0) {
        /* A page that tells the queue alone says nothing of those that are answered. */
        told->others = fmax(0, queued + fmax(0, told->running) - (told->running >= 0 ? ours : filling));
        if (filling + told->others > 0)
            ours_queued = fmin(filling, queued * filling / (filling + told->others));
        told->others_queued = fmin(told->others, queued - ours_queued);
    }
    /* A prompt that waits has no place in the cache yet. */
    told->kv_beyond = told->kv_share >= 0
                          ? told->kv_share * (double)replica->model.kv_tokens - (double)before->context_tokens +
                                (filling > 0 ? (double)before->filling_tokens * ours_queued / filling : 0)
                          : 0;
}

void
replica_tell(struct replica *replica, const struct replica_told *told)
{
    lock_take(&replica->lock);
    /* Where answers do not tell what was cached, the engine's own counters do. */
    if (told->prefix_found > replica->told.prefix_found && replica->told.prefix_found >= 0 &&
        replica->totals.cached_tokens == 0)
        learn_trust(replica, (double)(replica->totals.matched_tokens - replica->matched_then),
                    (double)(told->prefix_found - replica->told.prefix_found));
    replica->matched_then = replica->totals.matched_tokens;
    replica->told = *told;
    tell_others_apart(replica, &replica->told);
    replica->asked = false;
    lock_drop(&replica->lock);
}

void
replica_learn_model(struct replica *replica, const struct replica_model *model)
{
    lock_take(&replica->lock);
    replica->model = *model;
    lock_drop(&replica->lock);
}
