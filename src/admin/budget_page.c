#include "admin/budget_page.h"

#include <inttypes.h>

#include "base/clock.h"

enum { EARLY_PART = 20 };

/* What is spent by the window's end if it goes on as it did since the window's start; -1 in its first twentieth, when
 * that says nothing. */
static int64_t
forecast_of(const struct budget_info *info, usec wall_us)
{
    usec length = info->end_wall_us - info->start_wall_us, gone = wall_us - info->start_wall_us;
    wide_int forecast;

    if (gone <= length / EARLY_PART || gone > length)
        return -1;
    forecast = (wide_int)info->spent * length / gone;
    return forecast < INT64_MAX ? (int64_t)forecast : INT64_MAX;
}

static void
put_text(struct buffer *out, const char *name, struct slice text)
{
    buffer_printf(out, "\"%s\":\"", name);
    buffer_add_json(out, text);
    buffer_add_text(out, "\",");
}

/* Negative: unknown. */
static void
put_amount(struct buffer *out, const char *name, enum budget_unit unit, int64_t amount)
{
    char text[USD_TEXT_SIZE];

    if (amount < 0)
        buffer_printf(out, "\"%s\":null,", name);
    else if (unit != BUDGET_USD)
        buffer_printf(out, "\"%s\":%" PRId64 ",", name, amount);
    else {
        usd_format(amount, text);
        buffer_printf(out, "\"%s\":\"%s\",", name, text);
    }
}

static void
put_what(struct buffer *out, const struct budget_rule *rule)
{
    put_text(out, "budget", rule->identity);
    put_text(out, "scope", slice_of(budget_scope_name(rule->scope)));
    put_text(out, "name", rule->name);
    put_text(out, "limit_text", rule->text);
    put_text(out, "unit", slice_of(budget_unit_name(rule->unit)));
    put_text(out, "window", slice_of(budget_window_name(rule->window)));
}

static void
put_budget(struct buffer *out, const struct budget_info *info, const struct config *config, usec wall_us)
{
    enum budget_unit unit = info->rule.unit;
    struct budget_policy policy = config_budget_policy(config, &info->rule);
    wide_int left = (wide_int)info->rule.limit - info->spent - info->reserved;
    char resets[CLOCK_TEXT_SIZE], words[160];

    buffer_add_byte(out, '{');
    put_what(out, &info->rule);
    put_amount(out, "limit", unit, info->rule.limit);
    put_amount(out, "spent", unit, info->spent);
    put_amount(out, "reserved", unit, info->reserved);
    put_amount(out, "left", unit, left > 0 ? (int64_t)left : 0);
    put_amount(out, "forecast", unit, forecast_of(info, wall_us));
    put_amount(out, "exposed", unit, info->exposed);
    clock_format_utc(info->end_wall_us, resets);
    put_text(out, "resets_at", slice_of(resets));
    put_text(out, "on_exceed", slice_of(policy.on_exceed == ON_EXCEED_DEGRADE ? "degrade" : "refuse"));
    put_text(out, "exposure", slice_of(policy.exposure == EXPOSURE_STRICT ? "strict" : "expected"));
    put_text(out, "exposure_words", slice_of(budget_exposure_words(info, words, sizeof(words))));
    buffer_printf(out, "\"resets_in_s\":%" PRId64 ",\"unbounded\":%" PRIu64 ",\"refusals\":%" PRIu64 "}",
                  (info->end_wall_us - wall_us) / USEC_PER_S, info->unbounded, info->refusals);
}

void
budget_page_write(struct budgets *budgets, const struct config *config, usec wall_us, struct buffer *out)
{
    struct budget_info info;
    char at_text[CLOCK_TEXT_SIZE];
    size_t at = 0;
    bool first = true;

    clock_format_utc(wall_us, at_text);
    buffer_printf(out, "{\"at\":\"%s\",\"budgets\":[", at_text);
    for (; budgets_next(budgets, &at, wall_us, &info); first = false) {
        if (!first)
            buffer_add_byte(out, ',');
        put_budget(out, &info, config, wall_us);
    }
    buffer_add_text(out, "]}");
}
