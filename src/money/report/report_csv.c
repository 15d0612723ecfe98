/* The report's lines as CSV (RFC 4180); without `by`, one line for all. */
#include "money/amount.h"
#include "money/report/report.h"

void
csv_add(struct buffer *out, struct slice text)
{
    bool quote = false;

    for (size_t i = 0; i < text.len; i++)
        quote = quote || text.data[i] == '"' || text.data[i] == ',' || (unsigned char)text.data[i] < ' ';
    if (quote)
        buffer_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            buffer_add_byte(out, '"');
        buffer_add_byte(out, text.data[i]);
    }
    if (quote)
        buffer_add_byte(out, '"');
}

static void
add_quantile(struct buffer *out, const struct histogram *histogram, double share)
{
    double value = histogram_quantile(histogram, share);

    buffer_add_byte(out, ',');
    if (value >= 0)
        buffer_printf(out, "%.0f", value);
}

static void
add_sums(struct buffer *out, const struct sums *sums, struct interval useful)
{
    struct interval each = report_cost_per_useful(sums, useful);
    const char *comma = "";
    char text[AMOUNT_TEXT_SIZE];

#define SUM_COUNT(name, words)                                                                                         \
    buffer_printf(out, "%s%lld", comma, (long long)sums->name);                                                        \
    comma = ",";
#define SUM_USD(name, words)
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
    amount_format(sums->cost, text);
    buffer_printf(out, ",%s", text);
    amount_format(sums->baseline, text);
    buffer_printf(out, ",%s", text);
    amount_format(sums->saved, text);
    buffer_printf(out, ",%s", text);
    add_quantile(out, &sums->first_token_us, 0.5);
    add_quantile(out, &sums->first_token_us, 0.95);
    add_quantile(out, &sums->total_us, 0.5);
    add_quantile(out, &sums->total_us, 0.95);
    if (each.known)
        buffer_printf(out, ",%.12g,%.12g,%.12g\r\n", each.low, each.middle, each.high);
    else
        buffer_add_text(out, ",,,\r\n");
}

void
report_write_csv(const struct report *report, struct buffer *out)
{
    const struct report_options *options = &report->options;

    for (size_t k = 0; k < options->by_count; k++)
        buffer_printf(out, "%s,", report_by_name(options->by[k]));
#define SUM_COUNT(name, words) buffer_add_text(out, #name ",");
#define SUM_USD(name, words)
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
    buffer_add_text(out,
                    "cost_usd,baseline_usd,saved_usd,first_token_p50_us,first_token_p95_us,total_p50_us,total_p95_us,"
                    "cost_per_useful_low_usd,cost_per_useful_usd,cost_per_useful_high_usd\r\n");
    if (options->by_count == 0)
        add_sums(out, &report->all, report->useful);
    for (size_t i = 0; i < report->line_count; i++) {
        for (size_t k = 0; k < options->by_count; k++) {
            csv_add(out, report->lines[i].label[k]);
            buffer_add_byte(out, ',');
        }
        add_sums(out, &report->lines[i].sums, report->lines[i].useful);
    }
}
