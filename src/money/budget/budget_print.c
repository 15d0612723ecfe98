#include "money/budget/budget_print.h"

#include <inttypes.h>

static int64_t
limit_of(const struct budget_info *info)
{
    return info->rule.limit;
}

static int64_t
spent_of(const struct budget_info *info)
{
    return info->spent;
}

static int64_t
reserved_of(const struct budget_info *info)
{
    return info->reserved;
}

static int64_t
exposed_of(const struct budget_info *info)
{
    return info->exposed;
}

static const struct {
    const char *name, *help;
    int64_t (*value)(const struct budget_info *);
} gauges[] = {
    {"limit", "What a budget allows in its window: pico-dollars (10^-12 USD), tokens or requests", limit_of},
    {"spent", "What was used of it in the present window", spent_of},
    {"reserved", "What requests under way hold of it", reserved_of},
    {"exposed", "What those may take beyond it, as far as that is bounded", exposed_of},
};

/* A label's value may be any text of the configuration. */
static void
put_label(struct buffer *out, const char *name, struct slice value)
{
    buffer_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];

        if (c == '\\' || c == '"')
            buffer_add_byte(out, '\\');
        if (c == '\n')
            buffer_add_text(out, "\\n");
        else
            buffer_add_byte(out, c);
    }
    buffer_add_byte(out, '"');
}

static void
put_account(const struct budget_info *info, const char *name, int64_t value, struct buffer *out)
{
    buffer_printf(out, "equipoise_budget_%s{scope=\"%s\",", name, budget_scope_name(info->rule.scope));
    put_label(out, "name", info->rule.name);
    buffer_printf(out, ",window=\"%s\",unit=\"%s\"} %" PRId64 "\n", budget_window_name(info->rule.window),
                  budget_unit_name(info->rule.unit), value);
}

void
budgets_print(struct budgets *budgets, usec wall_us, struct buffer *out)
{
    struct budget_info info;

    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        size_t at = 0;
        bool first = true;

        for (; budgets_next(budgets, &at, wall_us, &info); first = false) {
            if (first)
                buffer_printf(out, "# HELP equipoise_budget_%s %s\n# TYPE equipoise_budget_%s gauge\n", gauges[i].name,
                              gauges[i].help, gauges[i].name);
            put_account(&info, gauges[i].name, gauges[i].value(&info), out);
        }
    }
}
