#include "twin/batching.h"

#include "base/hash.h"
#include "fleet/engine/kv_cache.h"
#include "twin/tokens.h"

static struct world *
world_of(const struct batching *batching)
{
    return batching->worker->application.world;
}

/* For the engine that comes first. */
static void
arm(struct batching *batching)
{
    usec next_us = USEC_NEVER, now_us;

    for (unsigned i = 0; i < TWIN_MODELS_MOST; i++) {
        usec at_us = batching->engines[i] != NULL ? engine_next_us(batching->engines[i]) : USEC_NEVER;

        next_us = at_us < next_us ? at_us : next_us;
    }
    if (next_us == USEC_NEVER) {
        world_timer_stop(world_of(batching), &batching->timer);
        return;
    }
    now_us = world_now_us(world_of(batching));
    world_timer_start(world_of(batching), &batching->timer, next_us > now_us ? next_us - now_us : 0);
}

static void
on_timer(struct timer *timer)
{
    struct batching *batching = CONTAINER_OF(timer, struct batching, timer);
    usec now_us = world_now_us(world_of(batching));

    for (unsigned i = 0; i < TWIN_MODELS_MOST; i++)
        if (batching->engines[i] != NULL)
            engine_advance(batching->engines[i], now_us);
    arm(batching);
}

static void
on_tokens(struct engine_request *turn)
{
    serving_tokens(CONTAINER_OF(turn, struct serving, turn));
}

struct batching *
batching_new(struct twin_worker *worker)
{
    struct batching *batching = must_calloc(1, sizeof *batching);
    const struct twin_settings *settings = &worker->twin->settings;

    batching->worker = worker;
    batching->timer.fire = on_timer;
    for (unsigned i = 0; i < settings->model_count; i++) {
        struct engine_settings engine = settings->models[i].engine;

        if (engine.sequences_most == 0)
            continue;
        ENSURE(worker->application.world->workers == 1);
        engine.seed = rng_mix(settings->seed) + i;
        batching->engines[i] = engine_new(&engine, on_tokens);
    }
    return batching;
}

void
batching_free(struct batching *batching)
{
    world_timer_stop(world_of(batching), &batching->timer);
    for (unsigned i = 0; i < TWIN_MODELS_MOST; i++)
        if (batching->engines[i] != NULL)
            engine_free(batching->engines[i]);
    free(batching);
}

static struct engine_model *
engine_of(const struct serving *serving)
{
    return serving->worker->batching->engines[serving->model];
}

bool
batching_paces(const struct serving *serving)
{
    return serving->has_model && engine_of(serving) != NULL;
}

/* What the model reads and then writes, as the conversation's next turn will begin (ask.c puts the role before each
 * message); without the answer where that is not one text. */
static struct slice
whole_text(struct serving *serving)
{
    const struct reply_choice *choice = &serving->reply.choices[0];
    const char *role = serving->ask.api == API_COMPLETIONS ? "" : "assistant\n";
    const struct slice pieces[] = {serving->ask.context, slice_of(role), choice->parts[0].text};
    struct slice whole = {NULL, 0};
    char *text;

    if (serving->reply.choice_count != 1 || choice->part_count != 1 || choice->parts[0].kind != PART_TEXT)
        return serving->ask.context;
    text = arena_alloc(&serving->arena, pieces[0].len + pieces[1].len + pieces[2].len + 1);
    whole.data = text;
    for (unsigned i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (pieces[i].len != 0)
            memcpy(text + whole.len, pieces[i].data, pieces[i].len);
        whole.len += pieces[i].len;
    }
    return whole;
}

/* One hash for each 16 tokens of the text. */
static void
hash_text(struct serving *serving)
{
    struct engine_request *turn = &serving->turn;
    struct slice rest = whole_text(serving);
    size_t count = (size_t)((turn->prompt_tokens + turn->output_tokens) / KV_BLOCK_TOKENS);
    uint64_t *hashes = arena_alloc(&serving->arena, count * sizeof *hashes);
    uint64_t hash = 0;

    turn->block_hashes = hashes;
    for (; turn->block_count < count; turn->block_count++) {
        struct slice block = token_first(rest, KV_BLOCK_TOKENS);

        if (token_count(block) < KV_BLOCK_TOKENS) /* tokens of images, for which there is no text */
            return;
        hash = hash_fast(block, hash);
        hashes[turn->block_count] = hash;
        rest = slice_from(rest, block.len);
    }
}

enum status
batching_submit(struct serving *serving, int64_t *most)
{
    const struct twin_settings *settings = &serving->worker->twin->settings;
    struct engine_request *turn = &serving->turn;
    const struct reply_usage *usage = &serving->reply.usage;
    enum status status;

    *turn = (struct engine_request){
        .prompt_tokens = usage->input > 0 ? usage->input : 1,
        .output_tokens = usage->output > 0 ? usage->output : 1,
        .interval = !serving->streams               ? 0
                    : settings->stream_interval > 0 ? settings->stream_interval
                                                    : 1,
    };
    if (serving->said.prompt_tokens != 0) {
        turn->block_hashes = serving->said.hashes;
        turn->block_count = serving->said.hash_count;
    } else if (settings->prefix_cache) {
        hash_text(serving);
    }
    *most = engine_context_most(engine_of(serving));
    status = engine_submit(engine_of(serving), turn, world_now_us(serving->worker->application.world));
    arm(serving->worker->batching);
    return status;
}

void
batching_leave(struct serving *serving)
{
    if (serving->turn.state == ENGINE_OUTSIDE)
        return;
    engine_cancel(engine_of(serving), &serving->turn, world_now_us(serving->worker->application.world));
    arm(serving->worker->batching);
}

int64_t
batching_tokens(const struct serving *serving)
{
    if (!batching_paces(serving) || serving->turn.tokens == serving->turn.output_tokens)
        return INT64_MAX;
    return serving->turn.tokens;
}

void
batching_observe(struct twin_worker *worker)
{
    usec now_us = world_now_us(worker->application.world);

    for (unsigned i = 0; i < TWIN_MODELS_MOST; i++) {
        struct engine_metrics metrics;

        if (worker->batching->engines[i] == NULL)
            continue;
        engine_metrics(worker->batching->engines[i], now_us, &metrics);
        seen_engine(&worker->twin->seen, i, &metrics);
    }
    arm(worker->batching);
}
