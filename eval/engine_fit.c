/* Fits the step time of engines (fleet/engine/step_time.h) to measured steps, and says how far it is off on steps that it was
 * not fitted to. Reads lines
 *
 *     pair,kind,row,configuration,new_tokens,kv_tokens,attended,sequences,time_us
 *
 * with the lines of each pair together, and prints one line of JSON for each pair and way to split: `rows` takes half of
 * the rows for the fit by lot, `configurations` half of the configurations with all of their rows. A row may have several
 * lines, which stay together. Only eval/engine.py runs it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/status.h"
#include "fleet/engine/step_time.h"

enum { ROWS_MOST = 20000, TEXT = 64, LINE = 512 };

struct row {
    char pair[TEXT], kind[TEXT];
    unsigned long row, configuration;
    struct step_sample sample;
};

struct split {
    struct step_sample fit[ROWS_MOST], rest[ROWS_MOST], rest_of_kind[ROWS_MOST];
    const struct row *rest_row[ROWS_MOST];
    size_t fit_count, rest_count;
};

static bool
read_row(struct row *row)
{
    char line[LINE];
    struct step_load *load = &row->sample.load;
    long long fresh, kv, attended, sequences;

    if (fgets(line, sizeof line, stdin) == NULL)
        return false;
    if (sscanf(line, "%63[^,],%63[^,],%lu,%lu,%lld,%lld,%lld,%lld,%lf", row->pair, row->kind, &row->row,
               &row->configuration, &fresh, &kv, &attended, &sequences, &row->sample.time_us) != 9) {
        fprintf(stderr, "engine_fit: not understood: %s", line);
        exit(2);
    }
    *load = (struct step_load){.new_tokens = fresh, .kv_tokens = kv, .attended = attended, .sequences = sequences};
    return true;
}

static unsigned long
unit_of(const struct row *row, bool by_configuration)
{
    return by_configuration ? row->configuration : row->row;
}

/* Half by lot: `lots` says for each line whether it is for the fit. */
static void
draw_lots(const struct row *rows, size_t count, bool by_configuration, uint64_t seed, bool *lots)
{
    size_t *order = must_calloc(count, sizeof *order), taken = 0;
    struct rng rng;

    rng_seed(&rng, seed);
    for (size_t i = 0; i < count; i++) {
        size_t at = (size_t)rng_below(&rng, i + 1);

        lots[i] = false;
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 0; i < count && taken < count / 2; i++)
        for (size_t k = 0; k < count; k++)
            if (!lots[k] && unit_of(&rows[k], by_configuration) == unit_of(&rows[order[i]], by_configuration)) {
                lots[k] = true;
                taken++;
            }
    free(order);
}

static double
median_of_kind(const struct split *split, const struct step_time *time, const char *kind, struct step_sample *room)
{
    size_t count = 0;

    for (size_t i = 0; i < split->rest_count; i++)
        if (strcmp(split->rest_row[i]->kind, kind) == 0)
            room[count++] = split->rest[i];
    return step_time_median_error(time, room, count);
}

static void
tell_kinds(struct split *split, const struct step_time *time)
{
    const char *told[8];
    size_t count = 0;

    for (size_t i = 0; i < split->rest_count; i++) {
        const char *kind = split->rest_row[i]->kind;
        bool known = false;

        for (size_t k = 0; k < count; k++)
            known = known || strcmp(told[k], kind) == 0;
        if (known || count == sizeof told / sizeof told[0])
            continue;
        printf("%s\"%s\":%.5f", count == 0 ? "" : ",", kind, median_of_kind(split, time, kind, split->rest_of_kind));
        told[count++] = kind;
    }
}

static void
judge(const struct row *rows, size_t count, bool by_configuration, uint64_t seed, struct split *split)
{
    bool *lots = must_calloc(count, sizeof *lots);
    struct step_time time;

    draw_lots(rows, count, by_configuration, seed, lots);
    split->fit_count = split->rest_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (lots[i]) {
            split->fit[split->fit_count++] = rows[i].sample;
            continue;
        }
        split->rest_row[split->rest_count] = &rows[i];
        split->rest[split->rest_count++] = rows[i].sample;
    }
    if (step_time_fit(split->fit, split->fit_count, &time) != OK) {
        fprintf(stderr, "engine_fit: %s cannot be fitted\n", rows->pair);
        exit(2);
    }
    printf("{\"pair\":\"%s\",\"split\":\"%s\",\"fitted\":%zu,\"judged\":%zu,\"median_error\":%.5f,"
           "\"median_error_fitted\":%.5f,\"by_kind\":{",
           rows->pair, by_configuration ? "configurations" : "rows", split->fit_count, split->rest_count,
           step_time_median_error(&time, split->rest, split->rest_count),
           step_time_median_error(&time, split->fit, split->fit_count));
    tell_kinds(split, &time);
    printf("},\"alpha_us\":%.6g,\"beta_us\":%.6g,\"delta_us\":%.6g,\"epsilon_us\":%.6g,\"gamma_us\":%.6g,"
           "\"host_us\":%.6g}\n",
           time.alpha_us, time.beta_us, time.delta_us, time.epsilon_us, time.gamma_us, time.host_us);
    free(lots);
}

int
main(int argc, char **argv)
{
    struct row *rows = must_calloc(ROWS_MOST, sizeof *rows);
    struct split *split = must_calloc(1, sizeof *split);
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    size_t count = 0, end;

    while (count < ROWS_MOST && read_row(&rows[count]))
        count++;
    for (size_t first = 0; first < count; first = end) {
        for (end = first; end < count && strcmp(rows[end].pair, rows[first].pair) == 0;)
            end++;
        judge(&rows[first], end - first, false, seed, split);
        judge(&rows[first], end - first, true, seed, split);
    }
    free(split);
    free(rows);
    return 0;
}
