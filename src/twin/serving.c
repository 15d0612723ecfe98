#include "twin/serving.h"

#include "base/hash.h"
#include "base/text.h"
#include "twin/batching.h"
#include "twin/embed.h"
#include "twin/pace.h"
#include "twin/tokens.h"

/* At once, a stream is produced this many bytes at a time. */
enum { TELL_BYTES = 16 << 10 };

static const usec LAST_BYTES_US = 20 * USEC_PER_MS;

static void on_timer(struct timer *timer);
static void serving_go_on(struct serving *serving);

struct serving *
serving_new(struct twin_worker *worker, struct client *client)
{
    struct serving *serving = must_calloc(1, sizeof *serving);
    char id[TEXT_ID_SIZE];

    serving->worker = worker;
    serving->client = client;
    serving->timer.fire = on_timer;
    serving->strike = strike_none();
    serving->break_after = SIZE_MAX;
    serving->arrived_us = world_now_us(worker->application.world);
    arena_init(&serving->arena);
    buffer_init(&serving->out);
    text_format_id(world_random(worker->application.world), id);
    memcpy(serving->render.id, id, sizeof id);
    memcpy(serving->request_id, "req_", 4);
    memcpy(serving->request_id + 4, id, sizeof id);
    list_append(&worker->answers, &serving->member);
    client->user = serving;
    return serving;
}

/* Holds its slot: the model starts to work, and the timer fires when the first byte is due. */
static void
serving_prepare(struct serving *serving)
{
    ENSURE(serving->has_slot);
    serving->state = SERVING_PREPARING;
    world_timer_start(serving->worker->application.world, &serving->timer, pace_first_us(serving));
}

void
serving_free(struct serving *serving)
{
    struct serving *next = pace_drop_slot(serving);

    batching_leave(serving);
    world_timer_stop(serving->worker->application.world, &serving->timer);
    list_remove(&serving->member);
    ask_free(&serving->ask);
    arena_reset(&serving->arena);
    buffer_free(&serving->out);
    request_seen_free(&serving->seen);
    free(serving);
    if (next != NULL)
        serving_prepare(next);
}

/* Counts how it ended. */
static void
note_ending(const struct serving *serving, enum outcome outcome)
{
    usec now = world_now_us(serving->worker->application.world);
    struct ending ending = {
        .outcome = outcome,
        .usage = serving->state >= SERVING_TELLING ? &serving->reply.usage : NULL,
        .produced = serving->produced,
        .planned = serving->reply.usage.output,
        .whole_us = now - serving->arrived_us,
        .decode_us = now - serving->first_us,
    };

    if (serving->has_model)
        seen_ending(&serving->worker->twin->seen, serving->model, &ending);
}

/* Writing */

/* True when all that was produced has been taken. */
static bool
flush(struct serving *serving)
{
    while (buffer_len(&serving->out) != 0) {
        size_t taken = client_write(serving->client, buffer_content(&serving->out));

        if (taken == 0)
            return false;
        buffer_consume(&serving->out, taken);
    }
    return true;
}

static void
open_head(struct serving *serving, unsigned status, const char *type, int64_t body_len)
{
    const char *id_name = serving->dialect == DIALECT_ANTHROPIC ? "request-id" : "x-request-id";
    struct http_header headers[4] = {
        {SLICE_LITERAL("content-type"), slice_of(type)},
        {slice_of(id_name), slice_of(serving->request_id)},
    };
    struct http_answer head = {.status = status, .headers = headers, .header_count = 2, .body_len = body_len};

    if (status == 429 || status == 503)
        headers[head.header_count++] = (struct http_header){SLICE_LITERAL("retry-after"), SLICE_LITERAL("1")};
    if (serving->streams)
        headers[head.header_count++] = (struct http_header){SLICE_LITERAL("cache-control"), SLICE_LITERAL("no-cache")};
    client_answer(serving->client, &head);
}

void
serving_plain(struct serving *serving, unsigned status, const char *type, struct slice body)
{
    serving->streams = false;
    open_head(serving, status, type, (int64_t)body.len);
    buffer_clear(&serving->out);
    buffer_add(&serving->out, body);
    serving->state = SERVING_TELLING;
    serving->told = true;
    serving_go_on(serving);
}

void
serving_error(struct serving *serving, unsigned status, const char *message)
{
    struct buffer body;

    if (serving->has_model)
        note_ending(serving, OUTCOME_REFUSED);
    else
        seen_refused(&serving->worker->twin->seen);
    serving->has_model = false; /* it is counted */
    buffer_init(&body);
    render_error(serving->dialect, status, message, serving->request_id, &body);
    serving_plain(serving, status, "application/json", buffer_content(&body));
    buffer_free(&body);
}

/* Breaking, as a fault has it */

static void
serving_drop(struct serving *serving)
{
    note_ending(serving, OUTCOME_BROKEN);
    client_abort(serving->client);
    serving_free(serving);
}

static void
serving_break(struct serving *serving)
{
    if (serving->strike.break_kind == TWIN_FAULT_STALL && !serving->strike.break_at_start) {
        serving->state = SERVING_STALLED;
    } else if (serving->strike.break_kind == TWIN_FAULT_END && !serving->strike.break_at_start) {
        note_ending(serving, OUTCOME_BROKEN);
        client_finish(serving->client);
        serving_free(serving);
    } else {
        serving->state = SERVING_BREAKING;
        world_timer_start(serving->worker->application.world, &serving->timer, LAST_BYTES_US);
    }
}

/* Has the moment come at which a fault breaks a stream? */
static bool
stream_breaks(const struct serving *serving)
{
    int64_t at = serving->strike.break_at;

    if (!serving->streams || !serving->begun)
        return false;
    if (serving->strike.break_at_start)
        return true;
    if (at == STRIKE_HALFWAY)
        at = serving->reply.usage.output / 2;
    return at != STRIKE_NEVER && serving->produced >= at;
}

/* Telling */

/* The tokens that go out in one piece: what an engine has ready, up to where a fault strikes, or one. */
static int64_t
piece_tokens(const struct serving *serving)
{
    int64_t ready = serving->turn.tokens - serving->produced, at = serving->strike.break_at;

    if (!batching_paces(serving) || serving->strike.slow_us != 0)
        return 1;
    if (at == STRIKE_HALFWAY)
        at = serving->reply.usage.output / 2;
    if (at != STRIKE_NEVER && at - serving->produced < ready)
        ready = at - serving->produced;
    return ready > 1 ? ready : 1;
}

static void
tell_piece(struct serving *serving, const struct render_ops *ops)
{
    struct slice piece = token_first(serving->rest, piece_tokens(serving));

    ops->piece(&serving->render, serving->choice, serving->part, piece, &serving->out);
    serving->produced += token_count(piece);
    serving->rest = slice_from(serving->rest, piece.len);
}

/* One step of the part that is being told: it opens, says something, or closes. */
static void
tell_part(struct serving *serving, const struct render_ops *ops, const struct part *part)
{
    if (!serving->part_open) {
        ops->part_open(&serving->render, serving->choice, serving->part, &serving->out);
        serving->produced += part->tokens - token_count(part->text);
        serving->rest = part->text;
        serving->part_open = true;
    } else if (serving->rest.len != 0) {
        tell_piece(serving, ops);
    } else {
        ops->part_close(&serving->render, serving->choice, serving->part++, &serving->out);
        serving->part_open = false;
    }
}

static void
tell_step(struct serving *serving)
{
    const struct render_ops *ops = render_for(serving->ask.api);
    const struct reply_choice *choice;

    if (serving->choice == serving->reply.choice_count) {
        ops->end(&serving->render, &serving->out);
        serving->told = true;
        return;
    }
    choice = &serving->reply.choices[serving->choice];
    if (serving->part < choice->part_count) {
        tell_part(serving, ops, &choice->parts[serving->part]);
        return;
    }
    ops->choice_end(&serving->render, serving->choice++, &serving->out);
    serving->part = 0;
}

/* Writes up to one piece, and what stands before it, and behind it if it is the last. */
static void
tell_token(struct serving *serving)
{
    int64_t before = serving->produced, planned = serving->reply.usage.output;

    while (!serving->told && (serving->produced == before || serving->produced == planned))
        tell_step(serving);
    ENSURE(!serving->told || serving->produced == planned);
}

/* All that its engine had for it is told, and there will be more. */
static bool
waits_for_tokens(const struct serving *serving)
{
    return serving->begun && serving->produced >= batching_tokens(serving);
}

/* Once, in the middle. */
static void
garble(struct serving *serving)
{
    if (!serving->strike.malformed || serving->garbled || serving->produced < serving->reply.usage.output / 2)
        return;
    buffer_add_text(&serving->out, "data: {\"choices\": [{\"delta\": \n\n");
    serving->garbled = true;
}

static void
tell_more(struct serving *serving)
{
    usec pause_us;

    if (!serving->begun) {
        render_for(serving->ask.api)->begin(&serving->render, &serving->out);
        serving->begun = true;
        return;
    }
    do {
        tell_token(serving);
        garble(serving);
        pause_us = serving->told ? 0 : pace_token_us(serving);
    } while (pause_us == 0 && !serving->told && !stream_breaks(serving) && !waits_for_tokens(serving) &&
             buffer_len(&serving->out) < TELL_BYTES);
    if (pause_us != 0)
        world_timer_start(serving->worker->application.world, &serving->timer, pause_us);
}

static void
serving_complete(struct serving *serving)
{
    bool cut = serving->reply.choice_count != 0 && serving->reply.choices[0].finish == FINISH_LENGTH;

    note_ending(serving, cut ? OUTCOME_LENGTH : OUTCOME_STOP);
    client_finish(serving->client);
    serving_free(serving);
}

/* Writes as long as the client takes it and the pace allows; may end, and free, the answer. */
static void
serving_go_on(struct serving *serving)
{
    while (serving->state == SERVING_TELLING) {
        if (!flush(serving) || timer_running(&serving->timer))
            return;
        if (stream_breaks(serving) || (serving->told && serving->break_after != SIZE_MAX)) {
            serving_break(serving);
            return;
        }
        if (serving->told) {
            serving_complete(serving);
            return;
        }
        if (waits_for_tokens(serving))
            return;
        tell_more(serving);
    }
}

/* How many bytes of an answer in one piece go out before a fault breaks it. */
static size_t
break_point(const struct serving *serving, size_t len)
{
    int64_t planned = serving->reply.usage.output, at = serving->strike.break_at;

    if (serving->strike.break_at_start)
        return 1;
    if (at == STRIKE_NEVER || (at != STRIKE_HALFWAY && at >= planned))
        return SIZE_MAX;
    if (at == STRIKE_HALFWAY)
        return len / 2;
    return (size_t)((double)len * (double)at / (double)planned);
}

static void
tell_whole(struct serving *serving, struct buffer *body)
{
    size_t len = buffer_len(body);
    size_t most = break_point(serving, len);
    bool framed = serving->strike.break_kind != TWIN_FAULT_END || most == SIZE_MAX;

    open_head(serving, 200, "application/json", framed ? (int64_t)len : -1);
    buffer_add(&serving->out, slice_first(buffer_content(body), most));
    serving->break_after = most;
    serving->produced = most == SIZE_MAX ? serving->reply.usage.output
                                         : (int64_t)((double)serving->reply.usage.output * (double)most / (double)len);
    serving->told = true;
}

/* The first byte is due. */
static void
serving_begin(struct serving *serving)
{
    struct world *world = serving->worker->application.world;
    struct buffer body;

    serving->state = SERVING_TELLING;
    serving->first_us = serving->first_us != 0 ? serving->first_us : world_now_us(world);
    serving->render.created_s = world_wall_us(world) / USEC_PER_S;
    if (!batching_paces(serving))
        seen_first_token(&serving->worker->twin->seen, serving->model, serving->first_us - serving->arrived_us);
    if (serving->streams) {
        open_head(serving, 200, "text/event-stream; charset=utf-8", -1);
        serving_go_on(serving);
        return;
    }
    buffer_init(&body);
    if (serving->ask.api == API_EMBEDDINGS)
        embed_answer(&serving->ask, serving->strike.no_usage, &body);
    else
        render_for(serving->ask.api)->whole(&serving->render, &body);
    tell_whole(serving, &body);
    buffer_free(&body);
    serving_go_on(serving);
}

void
serving_tokens(struct serving *serving)
{
    const struct engine_request *turn = &serving->turn;
    usec now_us = world_now_us(serving->worker->application.world);

    if (serving->first_us == 0) {
        serving->first_us = now_us;
        serving->reply.usage.cache_read = turn->cached_tokens;
        seen_first_token(&serving->worker->twin->seen, serving->model, now_us - serving->arrived_us);
    }
    if (serving->state == SERVING_WAITING && (serving->streams || turn->tokens == turn->output_tokens))
        serving_begin(serving);
    else if (serving->state == SERVING_TELLING)
        serving_go_on(serving);
}

/* Hands it to the model's engine. */
static void
serving_submit(struct serving *serving)
{
    int64_t most = 0;

    serving->state = SERVING_WAITING;
    if (batching_submit(serving, &most) == OK)
        return;
    serving_error(
        serving, 400,
        arena_printf(&serving->arena,
                     "This model's maximum context length is %lld tokens. The request has %lld, and its answer "
                     "would have %lld.",
                     (long long)most, (long long)serving->reply.usage.input, (long long)serving->reply.usage.output));
}

/* Read, understood, and delayed as faults have it. */
static void
serving_queue(struct serving *serving)
{
    if (serving->strike.drop_before) {
        serving_drop(serving);
    } else if (serving->strike.status != 0) {
        serving_error(serving, serving->strike.status, "The modelled backend was told to fail like this.");
    } else if (batching_paces(serving)) {
        serving_submit(serving);
    } else if (!pace_take_slot(serving)) {
        serving->state = SERVING_WAITING;
    } else if (pace_first_us(serving) != 0) {
        serving_prepare(serving);
    } else {
        serving_begin(serving);
    }
}

static void
on_timer(struct timer *timer)
{
    struct serving *serving = CONTAINER_OF(timer, struct serving, timer);

    switch (serving->state) {
    case SERVING_DELAYED:
        serving_queue(serving);
        break;
    case SERVING_PREPARING:
        serving_begin(serving);
        break;
    case SERVING_TELLING:
        serving_go_on(serving);
        break;
    case SERVING_BREAKING:
        serving_drop(serving);
        break;
    default:
        ENSURE(false);
    }
}

/* Understanding */

static bool
find_model(struct serving *serving, enum api api)
{
    const struct twin_settings *settings = &serving->worker->twin->settings;

    for (unsigned i = 0; i < settings->model_count; i++)
        if (slice_is(serving->ask.model, settings->models[i].name) &&
            settings->models[i].embeds == (api == API_EMBEDDINGS)) {
            serving->model = i;
            serving->has_model = true;
            return true;
        }
    return false;
}

static int64_t
whole_blocks(struct slice text)
{
    return token_count(text) / PREFIX_BLOCK_TOKENS * PREFIX_BLOCK_TOKENS;
}

/* What of the prompt a provider would have found in its cache. Anthropic writes and reads only where it was told to. */
static void
use_prefix_cache(struct serving *serving)
{
    struct twin_worker *worker = serving->worker;
    struct reply_usage *usage = &serving->reply.usage;
    usec now = world_now_us(worker->application.world);
    bool marked = serving->ask.api == API_MESSAGES;
    struct slice text = serving->ask.context, hour = SLICE_NONE;

    if (marked) {
        hour = slice_first(text, serving->ask.cache_mark_hour);
        text = slice_first(text, serving->ask.cache_mark);
    }
    if (!worker->twin->settings.prefix_cache || serving->said.prompt_tokens != 0 || batching_paces(serving))
        return;
    usage->cache_read = prefix_use(worker->prefixes, serving->model + 1, text, hour.len, now);
    if (!marked || token_count(text) < PREFIX_TOKENS_LEAST)
        return;
    usage->cache_written = whole_blocks(text) - usage->cache_read;
    if (whole_blocks(hour) > usage->cache_read)
        usage->cache_written_hour = whole_blocks(hour) - usage->cache_read;
    ENSURE(usage->cache_read + usage->cache_written <= usage->input);
}

static void
compose(struct serving *serving)
{
    struct twin_worker *worker = serving->worker;
    const struct twin_model *model = &worker->twin->settings.models[serving->model];
    struct mind mind = {
        .name = slice_of(model->name),
        .ability = model->ability,
        .more = model->more,
        .thinks = model->thinks,
        .seed = worker->twin->settings.seed,
        .chance = serving->ask.varies ? world_random(worker->application.world) : 0,
    };

    reply_compose(&serving->reply, &serving->ask, &mind, &serving->arena);
    use_prefix_cache(serving);
    serving->render.ask = &serving->ask;
    serving->render.reply = &serving->reply;
    serving->render.no_usage = serving->strike.no_usage;
    serving->streams = serving->ask.stream;
}

static void
draw_faults(struct serving *serving)
{
    struct twin *twin = serving->worker->twin;

    lock_take(&twin->faults_lock);
    twin_faults_draw(&twin->faults, &serving->worker->rng, &serving->strike);
    lock_drop(&twin->faults_lock);
}

void
serving_model(struct serving *serving, enum api api, struct chunk *body)
{
    const char *why = NULL;

    if (ask_read(&serving->ask, api, chunk_bytes(body), &serving->arena, &why) != OK) {
        serving_error(serving, 400, why);
        return;
    }
    if (!find_model(serving, api)) {
        serving_error(serving, 404,
                      arena_printf(&serving->arena,
                                   "The model `%.*s` does not exist here. GET /v1/models lists those that do.",
                                   SLICE_ARGS(serving->ask.model)));
        return;
    }
    why = api == API_EMBEDDINGS ? embed_objection(&serving->ask) : NULL;
    if (why != NULL) {
        serving_error(serving, 400, why);
        return;
    }
    serving->ask.input_said = serving->said.prompt_tokens;
    serving->ask.output_said = serving->said.output_tokens;
    draw_faults(serving);
    if (api == API_EMBEDDINGS)
        serving->reply.usage.input = embed_tokens(&serving->ask);
    else
        compose(serving);
    if (serving->strike.delay_us == 0) {
        serving_queue(serving);
        return;
    }
    serving->state = SERVING_DELAYED;
    world_timer_start(serving->worker->application.world, &serving->timer, serving->strike.delay_us);
}

void
serving_drained(struct serving *serving)
{
    serving_go_on(serving);
}

void
serving_gone(struct serving *serving)
{
    note_ending(serving, OUTCOME_GONE);
    serving_free(serving);
}
