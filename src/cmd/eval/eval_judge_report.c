/* How good a judge is, for a person and as JSON. */
#include "cmd/eval/eval_judge.h"

#include "money/report/estimate.h"

static const uint32_t floors_ppm[] = {800000, 900000, 950000, 970000};
enum { FLOORS = sizeof(floors_ppm) / sizeof(floors_ppm[0]) };

static struct interval
interval_of(const struct judged_sum *sum)
{
    return estimate_share(sum->sum, (double)sum->count);
}

/* The share of acceptable answers that it accepts; of others that it does not. */
static struct judged_sum
sum_of(const struct outcomes *outcomes, bool accepted)
{
    size_t count = outcomes_total(outcomes);
    double sum = (double)outcomes_mean_ppm(outcomes) / PPM * (double)count;

    return (struct judged_sum){accepted ? sum : (double)count - sum, count};
}

static void
add_share(struct buffer *out, const char *name, struct judged_sum sum)
{
    struct interval share = interval_of(&sum);

    buffer_printf(out, "  %-62s", name);
    if (!share.known)
        buffer_add_text(out, "none to tell by\n");
    else
        buffer_printf(out, "%6.1f %%  %5.1f to %5.1f %%  of %zu\n", 100 * sum.sum / (double)sum.count, 100 * share.low,
                      100 * share.high, sum.count);
}

static void
add_head(const struct judge_told *told, struct buffer *out)
{
    buffer_printf(out, "%zu comparisons of %s, %.1f %% of them acceptable. Judge: %s", told->comparisons, told->name,
                  100 * (double)told->labelled_acceptable / (double)told->comparisons, told->words);
    if (told->asking->calls > 0)
        buffer_printf(out, " (%zu calls)", told->asking->calls);
    buffer_add_text(out, ".\n");
    if (told->screened + told->equal > 0)
        buffer_printf(out,
                      "Not asked, as the gateway would not: %zu candidates that are degenerate, %zu that say what the "
                      "reference says.\n",
                      told->screened, told->equal);
    if (told->failed > 0)
        buffer_printf(out, "It could not tell %zu times%s%s.\n", told->failed, told->asking->why[0] != '\0' ? ": " : "",
                      told->asking->why);
    buffer_add_byte(out, '\n');
}

static void
add_shares(const struct judge_told *told, struct buffer *out)
{
    add_share(out, "agrees with the labels", told->agrees);
    add_share(out, "accepts what is acceptable (sensitivity)", sum_of(&told->acceptable, true));
    add_share(out, "does not accept what is not (specificity)", sum_of(&told->others, false));
    add_share(out, "says the same in both orders, where it is asked", told->in_order);
    if (told->leans_first.count > 0)
        add_share(out, "  where not: is for whichever answer comes first", told->leans_first);
    add_share(out, "accepts the reference's own other answer (ceiling)", told->again);
}

static void
add_attacks(const struct judge_told *told, struct buffer *out)
{
    buffer_add_text(out, "\n  Answers that are worth nothing pass\n");
    for (unsigned attack = 0; attack < ATTACKS; attack++) {
        char name[64];

        snprintf(name, sizeof(name), "  %s, by the judge alone", judge_attack_name((enum judge_attack)attack));
        add_share(out, name, told->attacked[attack].alone);
        snprintf(name, sizeof(name), "  %s, as the gateway screens them", judge_attack_name((enum judge_attack)attack));
        add_share(out, name, told->attacked[attack].gateway);
    }
}

static bool
has_both_labels(const struct judge_told *told)
{
    return outcomes_total(&told->acceptable) > 0 && outcomes_total(&told->others) > 0;
}

static void
add_floors(const struct judge_told *told, struct buffer *out)
{
    struct judge_noise noise = eval_judge_noise(told);

    buffer_add_text(out, "\n  What a floor means with this judge's mistakes (`judge: calibration`)\n");
    if (!has_both_labels(told)) {
        buffer_add_text(out, "  unknown: labels of both kinds are needed\n");
        return;
    }
    for (unsigned i = 0; i < FLOORS; i++) {
        bool reachable = noise_reachable(&noise, false, floors_ppm[i]);

        buffer_printf(out,
                      "  %4.0f %% of what is served: it must accept %.1f %%; of flawless answers it accepts %.1f to "
                      "%.1f %%%s\n",
                      floors_ppm[i] / 1e4, noise_earn_ppm(&noise, false, floors_ppm[i]) / 1e4,
                      noise.sensitive_low_ppm / 1e4, noise.sensitive_high_ppm / 1e4, reachable ? "" : ": out of reach");
    }
    buffer_printf(out, "  %4.0f %% of the route: it must accept %.1f %%, what the reference answers included\n",
                  floors_ppm[2] / 1e4, noise_earn_ppm(&noise, true, floors_ppm[2]) / 1e4);
}

void
eval_judge_text(const struct judge_told *told, struct buffer *out)
{
    add_head(told, out);
    add_shares(told, out);
    add_attacks(told, out);
    add_floors(told, out);
    buffer_printf(out,
                  "\nShares with 95 %% intervals (Wilson); an outcome of a half counts as that. What a floor means is "
                  "bounded\nat %g %% confidence, by betting, as evidence is. Out of reach: label more examples, or "
                  "take a better judge.\n",
                  100 - told->alpha_ppm / 1e4);
}

/* As JSON */

static void
add_sum_json(struct buffer *out, const char *name, struct judged_sum sum)
{
    struct interval share = interval_of(&sum);

    if (share.known)
        buffer_printf(out, "\"%s\":{\"share\":%.6f,\"low\":%.6f,\"high\":%.6f,\"of\":%zu}", name,
                      sum.sum / (double)sum.count, share.low, share.high, sum.count);
    else
        buffer_printf(out, "\"%s\":null", name);
}

static void
add_attacks_json(const struct judge_told *told, struct buffer *out)
{
    buffer_add_text(out, ",\n \"attacks\":{");
    for (unsigned attack = 0; attack < ATTACKS; attack++) {
        buffer_printf(out, "%s\"%s\":{", attack > 0 ? "," : "", judge_attack_name((enum judge_attack)attack));
        add_sum_json(out, "alone", told->attacked[attack].alone);
        buffer_add_byte(out, ',');
        add_sum_json(out, "gateway", told->attacked[attack].gateway);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, '}');
}

static void
add_counts(struct buffer *out, const char *name, const struct outcomes *outcomes)
{
    buffer_printf(out, ",\"%s\":[", name);
    for (unsigned i = 0; i <= OUTCOME_STEPS; i++)
        buffer_printf(out, "%s%u", i > 0 ? "," : "", (unsigned)outcomes->count[0][i]);
    buffer_add_byte(out, ']');
}

static void
add_floors_json(const struct judge_told *told, struct buffer *out)
{
    struct judge_noise noise = eval_judge_noise(told);

    buffer_add_text(out, ",\n \"floors\":[");
    for (unsigned i = 0; has_both_labels(told) && i < FLOORS; i++)
        buffer_printf(out, "%s{\"floor\":%g,\"served\":%.6f,\"served_in_reach\":%s,\"route\":%.6f}", i > 0 ? "," : "",
                      floors_ppm[i] / 1e6, noise_earn_ppm(&noise, false, floors_ppm[i]) / 1e6,
                      noise_reachable(&noise, false, floors_ppm[i]) ? "true" : "false",
                      noise_earn_ppm(&noise, true, floors_ppm[i]) / 1e6);
    buffer_add_byte(out, ']');
}

/* `calibration` is what a configuration takes of it (config/calibration.h). */
void
eval_judge_json(const struct judge_told *told, struct buffer *out)
{
    const struct {
        const char *name;
        struct judged_sum sum;
    } sums[] = {{"agreement", told->agrees},
                {"sensitivity", sum_of(&told->acceptable, true)},
                {"specificity", sum_of(&told->others, false)},
                {"order_consistency", told->in_order},
                {"leans_first", told->leans_first},
                {"ceiling", told->again}};

    buffer_add_byte(out, '{');
    buffer_add_json_member(out, "file", slice_of(told->name));
    buffer_add_byte(out, ',');
    buffer_add_json_member(out, "judge", slice_of(told->words));
    buffer_printf(out, ",\"comparisons\":%zu,\"calls\":%zu,\"screened\":%zu,\"equal\":%zu,\"not_told\":%zu",
                  told->comparisons, told->asking->calls, told->screened, told->equal, told->failed);
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        buffer_add_text(out, ",\n ");
        add_sum_json(out, sums[i].name, sums[i].sum);
    }
    add_attacks_json(told, out);
    buffer_printf(out, ",\n \"confidence\":%g", 1 - told->alpha_ppm / 1e6);
    add_floors_json(told, out);
    buffer_add_text(out, ",\n \"calibration\":{");
    buffer_add_json_member(out, "judge", slice_of(told->words));
    add_counts(out, "acceptable", &told->acceptable);
    add_counts(out, "not_acceptable", &told->others);
    buffer_add_text(out, "}}\n");
}
