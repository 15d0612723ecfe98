#include "alerts/sender.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "version.h"

/* At a time; the others wait in line. */
enum { SENT_AT_ONCE_MOST = 4 };

/* 1 s, 4 s, 16 s and 64 s after the tries before, each longer by up to a half of it; or as retry-after says. */
enum { TRIES_MOST = 5 };
static const usec FIRST_PAUSE_US = USEC_PER_S, PAUSE_MOST_US = 600 * USEC_PER_S;

static const usec TRY_US = 30 * USEC_PER_S;     /* one try, from its start to the answer's end */
static const usec COMMAND_US = 10 * USEC_PER_S; /* what the command may take */
static const usec GRACE_US = 3 * USEC_PER_S;    /* when the program stops */
enum { ANSWER_BYTES_MOST = 64 * 1024, COMMAND_OUTPUT_MOST = 256 };

/* One alert being sent. */
struct delivery {
    struct list link;
    struct alert_sender *sender;
    struct letter *letter;
    struct config *config; /* held: the endpoint is in it */
    struct call call;
    struct timer timer; /* the end of a try, or of a pause between two */
    struct command_run run;
    bool posting, calling, running; /* the webhook is not done; a call is open; the command runs */
    unsigned tries, status;
    usec retry_after_us;
    size_t answer_bytes;
};

struct alert_sender {
    struct alert_outlet outlet;
    struct gateway_worker *worker;
    struct list deliveries;
    size_t delivery_count;
    struct timer grace;
    bool finishing; /* nothing is tried again */
    bool over;      /* nor sent */
};

static struct world *
world_of(const struct delivery *delivery)
{
    return worker_world(delivery->sender->worker);
}

static void send_waiting(struct alert_sender *sender);

static void
free_delivery(struct delivery *delivery)
{
    world_timer_stop(world_of(delivery), &delivery->timer);
    list_remove(&delivery->link);
    delivery->sender->delivery_count--;
    config_release(delivery->config);
    letter_free(delivery->letter);
    free(delivery);
}

static void
end_if_done(struct delivery *delivery)
{
    struct alert_sender *sender = delivery->sender;

    if (delivery->posting || delivery->running)
        return;
    free_delivery(delivery);
    send_waiting(sender);
}

/* The webhook */

static void
end_posting(struct delivery *delivery, const char *why)
{
    struct gateway_worker *worker = delivery->sender->worker;

    delivery->posting = false;
    count(&worker->counters, why == NULL ? COUNT_ALERTS_POSTED : COUNT_ALERTS_POST_FAILED, 1);
    if (why != NULL)
        log_line(worker->gateway->log, LOG_ERROR, "alerts: the webhook at %s did not take \"%s\" (%u tries): %s",
                 delivery->config->alerts.endpoint->authority, alert_kind_name(delivery->letter->kind), delivery->tries,
                 why);
    end_if_done(delivery);
}

/* The pause before the next try. */
static usec
pause_us(struct delivery *delivery)
{
    usec pause = FIRST_PAUSE_US << (2 * (delivery->tries - 1));

    pause += (usec)(world_random(world_of(delivery)) % (uint64_t)(pause / 2));
    if (pause < delivery->retry_after_us)
        pause = delivery->retry_after_us;
    return pause < PAUSE_MOST_US ? pause : PAUSE_MOST_US;
}

static void
try_failed(struct delivery *delivery, const char *why)
{
    world_timer_stop(world_of(delivery), &delivery->timer);
    delivery->calling = false;
    if (delivery->tries == TRIES_MOST || delivery->sender->finishing)
        end_posting(delivery, why);
    else
        world_timer_start(world_of(delivery), &delivery->timer, pause_us(delivery));
}

/* Whether the same request may fare better later (RFC 9110, 15.5.9; RFC 6585, 4). */
static bool
is_passing(unsigned status)
{
    return status == 408 || status == 429 || status >= 500;
}

/* The answer's status is all that matters. */
static void
answered(struct delivery *delivery)
{
    char why[32];

    world_timer_stop(world_of(delivery), &delivery->timer);
    delivery->calling = false;
    if (delivery->status >= 200 && delivery->status < 300) {
        end_posting(delivery, NULL);
        return;
    }
    snprintf(why, sizeof(why), "it answered with status %u", delivery->status);
    if (is_passing(delivery->status))
        try_failed(delivery, why);
    else
        end_posting(delivery, why);
}

static struct delivery *
delivery_of(struct call *call)
{
    return CONTAINER_OF(call, struct delivery, call);
}

static void
on_head(struct call *call, const struct http_head *head)
{
    uint64_t seconds;

    delivery_of(call)->status = head->status;
    if (text_parse_u64(http_head_get(head, "retry-after"), &seconds) == OK)
        delivery_of(call)->retry_after_us =
            seconds < (uint64_t)(PAUSE_MOST_US / USEC_PER_S) ? (usec)seconds * USEC_PER_S : PAUSE_MOST_US;
}

static void
on_body(struct call *call, struct slice piece)
{
    struct delivery *delivery = delivery_of(call);

    delivery->answer_bytes += piece.len;
    if (delivery->answer_bytes <= ANSWER_BYTES_MOST)
        return;
    world_of(delivery)->ops->call_close(world_of(delivery), call);
    answered(delivery);
}

static void
on_end(struct call *call)
{
    answered(delivery_of(call));
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    (void)failure;
    try_failed(delivery_of(call), text);
}

static const struct call_events webhook_events = {.head = on_head, .body = on_body, .end = on_end, .failed = on_failed};

static void
post_letter(struct delivery *delivery)
{
    static const struct http_header headers[] = {
        {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")},
        {SLICE_LITERAL("user-agent"), SLICE_LITERAL("equipoise/" EQUIPOISE_VERSION)},
        {SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("identity")}};
    const struct alert_config *config = &delivery->config->alerts;
    struct body_part body = {buffer_content(&delivery->letter->json), NULL};
    struct world *world = world_of(delivery);

    delivery->tries++;
    delivery->status = 0;
    delivery->retry_after_us = 0;
    delivery->answer_bytes = 0;
    delivery->calling = true;
    delivery->call = (struct call){.events = &webhook_events};
    world_timer_start(world, &delivery->timer, TRY_US);
    world->ops->call_open(world, &delivery->call,
                          &(struct call_request){.endpoint = config->endpoint,
                                                 .method = SLICE_LITERAL("POST"),
                                                 .target = slice_of(config->target),
                                                 .headers = headers,
                                                 .header_count = sizeof(headers) / sizeof(headers[0]),
                                                 .parts = &body,
                                                 .part_count = 1});
}

static void
on_timer(struct timer *timer)
{
    struct delivery *delivery = CONTAINER_OF(timer, struct delivery, timer);

    if (!delivery->calling) {
        post_letter(delivery);
        return;
    }
    world_of(delivery)->ops->call_close(world_of(delivery), &delivery->call);
    try_failed(delivery, "it took too long");
}

/* The command */

static void
command_done(struct command_run *run, int exit_status, struct slice output)
{
    struct delivery *delivery = CONTAINER_OF(run, struct delivery, run);
    struct gateway_worker *worker = delivery->sender->worker;
    struct slice line = slice_first(output, slice_find_byte(output, '\n'));

    delivery->running = false;
    count(&worker->counters, exit_status == 0 ? COUNT_ALERTS_COMMANDED : COUNT_ALERTS_COMMAND_FAILED, 1);
    if (exit_status > 0)
        log_line(worker->gateway->log, LOG_ERROR, "alerts: the command ended with status %d on \"%s\"%s%.*s",
                 exit_status, alert_kind_name(delivery->letter->kind), line.len > 0 ? ": " : "", SLICE_ARGS(line));
    else if (exit_status < 0)
        log_line(worker->gateway->log, LOG_ERROR,
                 "alerts: the command could not be run on \"%s\", or took longer than %d s",
                 alert_kind_name(delivery->letter->kind), (int)(COMMAND_US / USEC_PER_S));
    end_if_done(delivery);
}

static void
run_command(struct delivery *delivery)
{
    struct world *world = world_of(delivery);

    delivery->running = true;
    delivery->run = (struct command_run){.command = delivery->config->alerts.command,
                                         .input = buffer_content(&delivery->letter->json),
                                         .timeout_us = COMMAND_US,
                                         .output_most = COMMAND_OUTPUT_MOST,
                                         .done = command_done};
    world->ops->command(world, &delivery->run);
}

/* Letters */

static void
send_letter(struct alert_sender *sender, struct letter *letter)
{
    struct delivery *delivery = must_calloc(1, sizeof(*delivery));

    delivery->sender = sender;
    delivery->letter = letter;
    delivery->config = config_hold(sender->worker->view->snapshot->config);
    delivery->timer.fire = on_timer;
    list_append(&sender->deliveries, &delivery->link);
    sender->delivery_count++;
    delivery->posting = delivery->config->alerts.endpoint != NULL;
    if (delivery->posting)
        post_letter(delivery);
    if (delivery->config->alerts.command != NULL)
        run_command(delivery);
    if (!delivery->posting && !delivery->running)
        free_delivery(delivery);
}

static void
send_waiting(struct alert_sender *sender)
{
    struct letter *letter;

    while (!sender->over && sender->delivery_count < SENT_AT_ONCE_MOST &&
           (letter = alerts_take(&sender->worker->gateway->alerts)) != NULL)
        send_letter(sender, letter);
}

static void
on_waiting(struct alert_outlet *outlet)
{
    send_waiting(CONTAINER_OF(outlet, struct alert_sender, outlet));
}

struct alert_sender *
alert_sender_start(struct gateway_worker *worker)
{
    struct alert_sender *sender = must_calloc(1, sizeof(*sender));

    ENSURE(worker_world(worker)->worker == 0 && worker->gateway->alerts.outlet == NULL);
    sender->worker = worker;
    list_init(&sender->deliveries);
    sender->outlet.look = on_waiting;
    worker->gateway->alerts.outlet = &sender->outlet;
    send_waiting(sender);
    return sender;
}

static void
grace_over(struct timer *timer)
{
    struct alert_sender *sender = CONTAINER_OF(timer, struct alert_sender, grace);

    sender->over = true;
    LIST_EACH(&sender->deliveries, node, after)
    {
        struct delivery *delivery = CONTAINER_OF(node, struct delivery, link);

        if (!delivery->calling)
            continue;
        world_of(delivery)->ops->call_close(world_of(delivery), &delivery->call);
        try_failed(delivery, "the program stops");
    }
}

void
alert_sender_finish(struct alert_sender *sender)
{
    sender->finishing = true;
    sender->grace.fire = grace_over;
    world_timer_start(worker_world(sender->worker), &sender->grace, GRACE_US);
    LIST_EACH(&sender->deliveries, node, after)
    {
        struct delivery *delivery = CONTAINER_OF(node, struct delivery, link);

        if (delivery->posting && !delivery->calling)
            try_failed(delivery, "the program stops before the next try");
    }
}

void
alert_sender_free(struct alert_sender *sender)
{
    struct gateway *gateway = sender->worker->gateway;

    world_timer_stop(worker_world(sender->worker), &sender->grace);
    LIST_EACH(&sender->deliveries, node, after)
    {
        struct delivery *delivery = CONTAINER_OF(node, struct delivery, link);

        ENSURE(!delivery->running);
        if (delivery->calling)
            world_of(delivery)->ops->call_close(world_of(delivery), &delivery->call);
        free_delivery(delivery);
    }
    if (gateway->alerts.waiting_count > 0)
        log_line(gateway->log, LOG_ERROR, "alerts: %zu were not sent before the program stopped",
                 gateway->alerts.waiting_count);
    gateway->alerts.outlet = NULL;
    free(sender);
}
