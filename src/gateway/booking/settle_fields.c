/* What a row says of its request. */
#include "gateway/booking/settle_parts.h"

#include <inttypes.h>

#include "base/text.h"
#include "dialect/translate/translate.h"
#include "gateway/attempt/batch.h"
#include "gateway/booking/reserve.h"
#include "gateway/judging/mission.h"
#include "gateway/reuse/look_ups.h"

/* {"t":"backend/model","s":"reference","c":"0.01","f":400,"m":900,"q":1000000,"v":"chosen"}: target, source, expected
 * cost, first token and total in milliseconds, quality bound (ppm), verdict; of some also "x":0.93, how its lever scored the
 * request, and "d":"numbers", in what it is another, or why it serves. Of the one that served from one of several
 * endpoints: "at":"10.0.0.11:8000", "by":"affinity", and where that knows a cost, "k":12.3 in milliseconds of waiting, with the next best
 * "at2" and "k2". Of one on an engine that is paid by the hour: "p":"0.001", the marginal price that the balance went by. Of a
 * cascade's: "g":250000, the share (ppm) of its answers that are expected not to be kept, "n":"backend/model" of who is asked then. Of one whose
 * backend is asked in another API than the request's: "a":"messages"; "d" then says why it cannot be, behind what it says
 * of the plan else. */
static void
put_seat(const struct exchange *exchange, const struct plan *plan, struct buffer *out)
{
    const struct policy_choice *choice = &exchange->choice;
    const struct seat *seats;

    if (plan != exchange->plan || exchange->attempts == 0 || plan->facts == NULL || plan->facts->standing.count < 2)
        return;
    seats = plan->facts->standing.seats;
    buffer_printf(out, ",\"at\":\"%s\",\"by\":\"%s\"", seats[exchange->seat].replica->name,
                  policy_name(plan->target->backend->policy));
    if (choice->cost_us >= 0)
        buffer_printf(out, ",\"k\":%.1f", choice->cost_us / 1e3);
    if (choice->cost_us >= 0 && choice->second != choice->seat)
        buffer_printf(out, ",\"at2\":\"%s\",\"k2\":%.1f", seats[choice->second].replica->name,
                      choice->second_cost_us / 1e3);
}

/* In what it is another or why it serves, in which other API the backend is asked, and why it cannot be. */
static void
put_detail(const struct plan *plan, struct buffer *out)
{
    const char *detail = plan->evidence.detail, *why = plan->translated != NULL ? plan->translated->why : NULL;

    if (detail != NULL || why != NULL) {
        buffer_add_text(out, ",\"d\":\"");
        buffer_add_json(out, slice_of(detail));
        buffer_add_text(out, detail != NULL && why != NULL ? "; " : "");
        buffer_add_json(out, slice_of(why));
        buffer_add_byte(out, '"');
    }
    if (plan->translated != NULL)
        buffer_printf(out, ",\"a\":\"%s\"", api_name(plan->translated->api));
}

/* Of a cascade's: how many of its answers are expected not to be kept, and who is asked then, if not the reference. */
static void
put_way_on(const struct plan *plan, struct buffer *out)
{
    if (plan->source != SOURCE_CASCADE)
        return;
    buffer_printf(out, ",\"g\":%u", plan->goes_on_ppm);
    if (plan->way_on != NULL)
        buffer_printf(out, ",\"n\":\"%s\"", plan->way_on->target->name);
}

static struct slice
plans_json(const struct exchange *exchange, struct buffer *out)
{
    buffer_clear(out);
    for (size_t i = 0; i < exchange->plans.count; i++) {
        const struct plan *plan = &exchange->plans.all[i];
        char cost[USD_TEXT_SIZE];

        usd_format(plan->cost, cost);
        buffer_add_text(out, i == 0 ? "[{\"t\":\"" : ",{\"t\":\"");
        buffer_add_json(out, slice_of(plan_model(plan)));
        buffer_add_text(out, "\",\"s\":\"");
        buffer_add_text(out, source_name(plan->source));
        buffer_add_text(out, usd_known(plan->cost) ? "\",\"c\":\"" : "\",\"c\":");
        buffer_add_text(out, cost);
        buffer_add_text(out, usd_known(plan->cost) ? "\",\"f\":" : ",\"f\":");
        buffer_add_number(out, (uint64_t)(plan->first_token_us / USEC_PER_MS));
        buffer_add_text(out, ",\"m\":");
        buffer_add_number(out, (uint64_t)(plan->total_us / USEC_PER_MS));
        buffer_add_text(out, ",\"q\":");
        buffer_add_number(out, plan->quality_ppm);
        if (plan->by_the_hour && usd_known(plan->marginal)) {
            usd_format(plan->marginal, cost);
            buffer_printf(out, ",\"p\":\"%s\"", cost);
        }
        if (plan->evidence.score > 0.0)
            buffer_printf(out, ",\"x\":%.4f", plan->evidence.score);
        put_way_on(plan, out);
        put_detail(plan, out);
        put_seat(exchange, plan, out);
        buffer_add_text(out, ",\"v\":\"");
        buffer_add_text(out, verdict_words(plan->verdict));
        buffer_add_text(out, "\"}");
    }
    if (exchange->plans.count > 0)
        buffer_add_byte(out, ']');
    return buffer_content(out);
}

void
settle_put_asker(const struct exchange *exchange, struct row *row)
{
    const struct identity *identity = &exchange->identity;
    const struct route_config *route = exchange->request.route;

    row->id = exchange->id;
    row->arrived_wall_us = exchange->arrived_wall_us;
    row->key_name = slice_of(identity->key != NULL ? identity->key->name : NULL);
    row->tenant = slice_of(identity->tenant->name);
    row->tags = exchange->tags;
    row->api = slice_of(api_name(identity->api));
    row->streamed = exchange->facts.stream;
    row->model_asked = exchange->facts.model;
    row->route = slice_of(route != NULL ? route->name : NULL);
    row->owner = slice_of(route != NULL ? route->owner : NULL);
    row->worth = route != NULL ? route->worth : USD_UNKNOWN;
    row->request_bytes = exchange->request_bytes;
    row->holdout = exchange->holdout;
    row->fingerprint = exchange->fingerprint;
    if (exchange->mission != NULL) {
        row->source = slice_of(source_name(exchange->mission->source));
        row->about = slice_of(exchange->mission->about);
        row->worth = USD_UNKNOWN;
    }
}

static void
put_conversation(struct exchange *exchange, struct row *row)
{
    unsigned char bytes[sizeof(exchange->conversation)];
    char *text;

    if (exchange->conversation == 0)
        return;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(exchange->conversation >> (56 - 8 * i));
    text = arena_alloc(&exchange->arena, 2 * sizeof(bytes) + 1);
    text_format_hex(slice_make((const char *)bytes, sizeof(bytes)), text);
    row->conversation = slice_of(text);
}

void
settle_put_server(const struct exchange *exchange, struct row *row)
{
    const struct plan *plan = settle_named_plan(exchange);
    const struct flight *flight = exchange->cursor.flight;

    if (plan == NULL && flight != NULL) {
        row->source = SLICE_LITERAL("replayed");
        row->answer_bytes = flight_answer_bytes(flight);
    }
    if (plan == NULL)
        return;
    row->source = slice_of(source_name(plan->source));
    if (flight != NULL)
        row->answer_bytes = flight_answer_bytes(flight);
    row->modelled = plan_modelled(plan, exchange->request.route);
    if (plan->target == NULL) { /* nothing was bought from anybody */
        row->model_served = slice_of(plan->made_by);
        return;
    }
    row->backend = slice_of(plan->target->backend->name);
    row->provider = slice_of(plan->target->backend->provider);
    row->model_served = slice_of(plan->target->upstream);
    if (flight != NULL && exchange->identity.api == API_PASSTHROUGH)
        row->model_served = slice_of(flight->meter.model);
}

static void
put_usage(const struct exchange *exchange, struct row *row)
{
    const struct usage *usage = &exchange->usage;

    row->input_tokens = usage->input_tokens;
    row->cache_read_tokens = usage->cache_read_tokens;
    row->cache_write_tokens = usage->cache_write_tokens;
    row->cache_write_1h_tokens = usage->cache_write_1h_tokens;
    row->output_tokens = usage->output_tokens;
    row->reasoning_tokens = usage->output_reasoning_tokens;
    row->audio_input_tokens = usage->input_audio_tokens;
    row->audio_output_tokens = usage->output_audio_tokens;
    row->tool_calls = usage->web_searches;
    row->service_tier = slice_of(usage->service_tier);
    row->exactness = SLICE_LITERAL("exact");
    if (!usd_known(exchange->cost))
        row->exactness = SLICE_LITERAL("unpriced");
    else if (exchange->try_count > 0 && usage->exactness == USAGE_ESTIMATED)
        row->exactness = SLICE_LITERAL("estimated");
}

static void
put_kinds(const struct exchange *exchange, struct row *row)
{
    const struct cost *kinds = &exchange->kinds;
    const struct price *price;
    bool is_part = batch_part_of(exchange) != NULL || settle_is_part(exchange);
    usd by_book = kinds->why_unknown == NULL && !is_part ? kinds->total : USD_UNKNOWN;

    if (exchange->try_count == 0)
        return;
    if (exchange->identity.api != API_PASSTHROUGH || exchange->cursor.flight != NULL) {
        price = exchange->identity.api != API_PASSTHROUGH ? settle_named_plan(exchange)->facts->price
                                                          : settle_served_price(exchange);
        settle_price_cache(exchange, price, &exchange->usage, by_book, &row->cache_discount, &row->cache_surcharge);
    }
    if (kinds->why_unknown != NULL)
        return;
    row->input_cost = kinds->input - kinds->cache_read - kinds->cache_write;
    row->cache_read_cost = kinds->cache_read;
    row->cache_write_cost = kinds->cache_write;
    row->output_cost = kinds->output;
}

static void
put_counted(const struct exchange *exchange, struct row *row)
{
    row->counted_cost = exchange->counted.of[BUDGET_USD];
    row->counted_tokens = exchange->counted.of[BUDGET_TOKENS];
    row->counted_requests = exchange->counted.of[BUDGET_REQUESTS];
}

static unsigned
cache_transform(const struct exchange *exchange)
{
    const struct plan *plan = settle_named_plan(exchange);
    bool sent = plan != NULL && plan->cache.on && (plan->cache.marks != 0 || plan->cache.family != 0);

    return sent ? (unsigned)TRANSFORM_CACHE : 0;
}

void
settle_fill_row(struct exchange *exchange, struct row *row)
{
    usec total_us = world_now_us(worker_world(exchange->worker)) - exchange->arrived_us;

    row_init(row);
    settle_put_asker(exchange, row);
    put_conversation(exchange, row);
    settle_put_server(exchange, row);
    put_usage(exchange, row);
    put_kinds(exchange, row);
    row->state = slice_of(ending_name(exchange->ending));
    row->status = exchange->ending == ENDING_CLIENT_GONE && exchange->first_byte_us == 0 ? 0 : exchange->status;
    row->attempts = exchange->attempts;
    row->transforms = reserve_transforms(exchange) | cache_transform(exchange) |
                      (batch_part_of(exchange) != NULL ? (unsigned)TRANSFORM_BATCHED : 0) |
                      (exchange->asked_logprobs ? (unsigned)TRANSFORM_LOGPROBS : 0);
    row->cost = exchange->cost;
    row->baseline = settle_baseline(exchange);
    row->reserved_estimate = exchange->plan != NULL ? settle_named_plan(exchange)->cost : 0;
    put_counted(exchange, row);
    row->queue_us = exchange->queue_us != 0 ? exchange->queue_us : ROW_UNKNOWN;
    row->first_token_us = exchange->first_byte_us != 0 ? exchange->first_byte_us : ROW_UNKNOWN;
    row->total_us = total_us;
    row->why = slice_of(exchange->why != NULL ? exchange->why : exchange->unpriced);
    row->plans = plans_json(exchange, &exchange->worker->text);
    row->look_ups = look_ups_text(exchange);
    memcpy(row->tries, exchange->tries, exchange->try_count * sizeof(row->tries[0]));
    row->try_count = exchange->try_count;
    settle_put_savings(exchange, row);
}
