#include "gateway/running/alert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "gateway/gateway.h"
#include "money/amount.h"

static const struct {
    const char *name;
    unsigned most;
} kinds[ALERT_KINDS] = {
#define ALERT(id, name, most, words) [id] = {name, most},
#include "gateway/running/alert.def"
#undef ALERT
};

const char *
alert_kind_name(enum alert_kind kind)
{
    ENSURE(kind < ALERT_KINDS);
    return kinds[kind].name;
}

/* Making one */

void
alert_init(struct alert *alert, enum alert_kind kind, const char *about, ...)
{
    va_list args;

    alert->kind = kind;
    alert->words[0] = '\0';
    alert->facts_len = 0;
    alert->quiet_us = 0;
    va_start(args, about);
    vsnprintf(alert->about, sizeof(alert->about), about, args);
    va_end(args);
}

void
alert_words(struct alert *alert, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(alert->words, sizeof(alert->words), format, args);
    va_end(args);
}

static void
add_fact(struct alert *alert, const char *name, struct slice json)
{
    size_t room = sizeof(alert->facts) - alert->facts_len;
    int len = snprintf(alert->facts + alert->facts_len, room, ",\"%s\":%.*s", name, SLICE_ARGS(json));

    if (len > 0 && (size_t)len < room)
        alert->facts_len += (size_t)len;
}

void
alert_fact_text(struct alert *alert, const char *name, struct slice text)
{
    struct buffer json = {0};

    buffer_add_byte(&json, '"');
    buffer_add_json(&json, text);
    buffer_add_byte(&json, '"');
    add_fact(alert, name, buffer_content(&json));
    buffer_free(&json);
}

void
alert_fact_number(struct alert *alert, const char *name, int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, number);
    add_fact(alert, name, slice_of(text));
}

void
alert_fact_usd(struct alert *alert, const char *name, wide_int pico)
{
    char text[AMOUNT_TEXT_SIZE];

    amount_format(pico, text);
    alert_fact_text(alert, name, slice_of(text));
}

/* What has been told */

/* Takes the place of the one that would be forgotten first anyway. */
static struct alert_known *
new_known(struct alerts *alerts)
{
    struct alert_known *oldest = &alerts->known[0];

    if (alerts->known_count < ALERTS_KNOWN_MOST)
        return &alerts->known[alerts->known_count++];
    for (size_t i = 1; i < ALERTS_KNOWN_MOST; i++)
        if (alerts->known[i].quiet_until_us < oldest->quiet_until_us)
            oldest = &alerts->known[i];
    return oldest;
}

static struct alert_known *
find_known(struct alerts *alerts, uint64_t hash)
{
    for (size_t i = 0; i < alerts->known_count; i++)
        if (alerts->known[i].hash == hash)
            return &alerts->known[i];
    return NULL;
}

/* False: this kind has been told often enough for now. */
static bool
kind_has_room(struct alerts *alerts, enum alert_kind kind, usec now_us, usec repeat_us)
{
    if (kinds[kind].most == 0)
        return true;
    if (alerts->kinds[kind].told == 0 || now_us - alerts->kinds[kind].since_us >= repeat_us) {
        alerts->kinds[kind].since_us = now_us;
        alerts->kinds[kind].told = 0;
    }
    if (alerts->kinds[kind].told == kinds[kind].most)
        return false;
    alerts->kinds[kind].told++;
    return true;
}

/* How often it happened since it was last told, this time included; 0: it is not to be told now. */
static int64_t
times_to_tell(struct alerts *alerts, const struct alert *alert, uint64_t hash, usec now_us, usec repeat_us)
{
    struct alert_known *known = find_known(alerts, hash);
    int64_t times;

    if (known != NULL && now_us < known->quiet_until_us) {
        known->unsaid++;
        return 0;
    }
    if (!kind_has_room(alerts, alert->kind, now_us, repeat_us))
        return 0;
    times = 1 + (known != NULL ? known->unsaid : 0);
    if (known == NULL)
        known = new_known(alerts);
    *known = (struct alert_known){.hash = hash,
                                  .quiet_until_us = now_us + (alert->quiet_us > 0 ? alert->quiet_us : repeat_us)};
    return times;
}

/* The queue */

static void
deliver_wake(struct message *message, struct world *to)
{
    struct alerts *alerts = CONTAINER_OF(message, struct alerts, wake);

    (void)to;
    lock_take(&alerts->lock);
    alerts->woken = false;
    lock_drop(&alerts->lock);
    if (alerts->outlet != NULL)
        alerts->outlet->look(alerts->outlet);
}

void
alerts_init(struct alerts *alerts)
{
    *alerts = (struct alerts){.wake.deliver = deliver_wake};
    lock_init(&alerts->lock);
    list_init(&alerts->waiting);
}

void
alerts_free(struct alerts *alerts)
{
    struct letter *letter;

    while ((letter = alerts_take(alerts)) != NULL)
        letter_free(letter);
    lock_destroy(&alerts->lock);
}

struct letter *
alerts_take(struct alerts *alerts)
{
    struct list *first;

    lock_take(&alerts->lock);
    first = list_first(&alerts->waiting);
    if (first != NULL) {
        list_remove(first);
        alerts->waiting_count--;
    }
    lock_drop(&alerts->lock);
    return first != NULL ? CONTAINER_OF(first, struct letter, link) : NULL;
}

void
letter_free(struct letter *letter)
{
    buffer_free(&letter->json);
    free(letter);
}

static struct letter *
write_letter(const struct alert *alert, usec wall_us, int64_t times)
{
    struct letter *letter = must_calloc(1, sizeof(*letter));
    char at[CLOCK_TEXT_SIZE];

    clock_format_utc(wall_us, at);
    letter->kind = alert->kind;
    buffer_printf(&letter->json, "{\"kind\":\"%s\",\"at\":\"%s\",\"text\":\"", alert_kind_name(alert->kind), at);
    buffer_add_json(&letter->json, slice_of(alert->words));
    buffer_printf(&letter->json, "\",\"count\":%" PRId64 "%.*s}", times, (int)alert->facts_len, alert->facts);
    return letter;
}

/* Takes the letter; false: there was no room. */
static bool
put_in_line(struct alerts *alerts, struct letter *letter, bool *wake)
{
    bool room = alerts->waiting_count < ALERTS_WAITING_MOST;

    *wake = room && !alerts->woken;
    if (!room)
        return false;
    list_append(&alerts->waiting, &letter->link);
    alerts->waiting_count++;
    alerts->woken = true;
    return true;
}

void
alert_raise(struct gateway_worker *worker, const struct alert *alert)
{
    struct alerts *alerts = &worker->gateway->alerts;
    struct world *world = worker_world(worker);
    usec now_us = world_now_us(world), repeat_us = worker->view->config->alerts.repeat_us;
    uint64_t hash = hash_fast(slice_of(alert->about), worker->gateway->salt + (uint64_t)alert->kind);
    struct letter *letter = NULL;
    bool kept = true, wake = false;
    int64_t times;

    lock_take(&alerts->lock);
    times = times_to_tell(alerts, alert, hash, now_us, repeat_us);
    lock_drop(&alerts->lock);
    if (times == 0)
        return;
    letter = write_letter(alert, world_wall_us(world), times);
    log_line(worker->gateway->log, LOG_WARN, "alert, %s: %s", alert_kind_name(alert->kind), alert->words);
    lock_take(&alerts->lock);
    kept = put_in_line(alerts, letter, &wake);
    lock_drop(&alerts->lock);
    if (wake)
        world->ops->post(world, 0, &alerts->wake);
    if (kept)
        return;
    letter_free(letter);
    count(&worker->counters, COUNT_ALERTS_DROPPED, 1);
    log_line(worker->gateway->log, LOG_ERROR, "alerts: %d wait to be sent already; this one is in the log only",
             ALERTS_WAITING_MOST);
}
