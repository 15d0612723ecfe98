/* Evidence in bytes: a head, the thresholds, the CUSUM, where the floor speaks of the route also the served floor and its
 * CUSUM, where the judge's mistakes are known what bounds them, and those counts that are not 0 (saved.h). */
#include "quality/evidence.h"
#include "quality/saved.h"

#define MAGIC 0x44495645u /* "EVID" */
enum { VERSION = 1, VERSION_WITH_NOISE = 2 };

static void
put_counts(struct buffer *out, const struct evidence *evidence)
{
    for (unsigned band = 0; band <= ARMS; band++)
        for (unsigned h = 0; h <= OUTCOME_HALVINGS_MOST; h++)
            for (unsigned i = 0; i <= OUTCOME_STEPS; i++) {
                uint32_t count = evidence->bands[band].count[h][i];

                if (count == 0)
                    continue;
                saved_put(out, band, 1);
                saved_put(out, h, 1);
                saved_put(out, i, 1);
                saved_put(out, count, 4);
            }
}

static void
put_served_floor(struct buffer *out, const struct evidence *evidence)
{
    saved_put(out, evidence->terms.served_floor_ppm, 4);
    for (unsigned f = 0; f < BETS; f++)
        saved_put_double(out, evidence->served_fall.log_m[f]);
}

static void
put_noise(struct buffer *out, const struct judge_noise *noise)
{
    saved_put(out, noise->sensitive_low_ppm, 4);
    saved_put(out, noise->sensitive_high_ppm, 4);
    saved_put(out, noise->specific_low_ppm, 4);
    saved_put(out, noise->specific_high_ppm, 4);
}

void
evidence_save(const struct evidence *evidence, struct buffer *out)
{
    size_t from = buffer_len(out);
    bool noisy = noise_is_set(&evidence->terms.noise);

    saved_put(out, MAGIC, 4);
    saved_put(out, noisy ? VERSION_WITH_NOISE : VERSION, 1);
    saved_put(out, evidence->begun, 1);
    saved_put(out, evidence->terms.scope, 1);
    saved_put(out, evidence->terms.floor_ppm, 4);
    saved_put(out, evidence->terms.alpha_ppm, 4);
    saved_put(out, evidence->terms.epoch, 8);
    saved_put(out, evidence->serving, 1);
    saved_put(out, evidence->arms.start, 1);
    saved_put(out, evidence->round, 4);
    saved_put(out, evidence->audits, 8);
    saved_put(out, evidence->failures, 8);
    saved_put(out, evidence->judge_told, 1);
    saved_put(out, evidence->waited, 8);
    for (unsigned arm = 0; arm < ARMS; arm++)
        saved_put_double(out, evidence->arms.threshold[arm]);
    for (unsigned f = 0; f < BETS; f++)
        saved_put_double(out, evidence->fall.log_m[f]);
    if (evidence->terms.scope != FLOOR_SERVED)
        put_served_floor(out, evidence);
    if (noisy)
        put_noise(out, &evidence->terms.noise);
    put_counts(out, evidence);
    saved_seal(out, from, MAGIC);
}

static unsigned
bands_last(const struct evidence *evidence)
{
    return evidence->terms.scope == FLOOR_SERVED ? ARMS - 1 : ARMS;
}

static unsigned
places_last(const struct evidence *evidence)
{
    return evidence->terms.scope == FLOOR_RELATIVE ? OUTCOME_PAIRS - 1 : OUTCOME_STEPS;
}

/* Each place at most once, in the order in which they are written. */
static bool
take_counts(struct slice *rest, struct evidence *out)
{
    int last = -1;

    while (rest->len > 0) {
        unsigned band = (unsigned)saved_take(rest, 1), h = (unsigned)saved_take(rest, 1),
                 i = (unsigned)saved_take(rest, 1);
        uint32_t count = (uint32_t)saved_take(rest, 4);
        int place = (int)((band * (OUTCOME_HALVINGS_MOST + 1) + h) * (OUTCOME_STEPS + 1) + i);

        if (rest->data == NULL || band > bands_last(out) || h > OUTCOME_HALVINGS_MOST || i > places_last(out) ||
            count == 0 || place <= last)
            return false;
        out->bands[band].count[h][i] = count;
        last = place;
    }
    return true;
}

static void
take_served_floor(struct slice *rest, struct evidence *out)
{
    out->terms.served_floor_ppm = (uint32_t)saved_take(rest, 4);
    for (unsigned f = 0; f < BETS; f++)
        out->served_fall.log_m[f] = saved_take_double(rest);
}

static void
take_noise(struct slice *rest, struct judge_noise *out)
{
    out->sensitive_low_ppm = (uint32_t)saved_take(rest, 4);
    out->sensitive_high_ppm = (uint32_t)saved_take(rest, 4);
    out->specific_low_ppm = (uint32_t)saved_take(rest, 4);
    out->specific_high_ppm = (uint32_t)saved_take(rest, 4);
}

static bool
take_all(struct slice rest, struct evidence *out)
{
    bool is_ours = saved_take(&rest, 4) == MAGIC;
    uint64_t version = saved_take(&rest, 1);

    if (!is_ours || version < VERSION || version > VERSION_WITH_NOISE)
        return false;
    out->begun = saved_take_flag(&rest);
    out->terms.scope = (enum floor_scope)saved_take(&rest, 1);
    out->terms.floor_ppm = (uint32_t)saved_take(&rest, 4);
    out->terms.alpha_ppm = (uint32_t)saved_take(&rest, 4);
    out->terms.epoch = saved_take(&rest, 8);
    out->serving = (unsigned)saved_take(&rest, 1);
    out->arms.start = (unsigned)saved_take(&rest, 1);
    out->round = (uint32_t)saved_take(&rest, 4);
    out->audits = saved_take(&rest, 8);
    out->failures = saved_take(&rest, 8);
    out->judge_told = saved_take_flag(&rest);
    out->waited = saved_take(&rest, 8);
    for (unsigned arm = 0; arm < ARMS; arm++)
        out->arms.threshold[arm] = saved_take_double(&rest);
    for (unsigned f = 0; f < BETS; f++)
        out->fall.log_m[f] = saved_take_double(&rest);
    if (out->terms.scope != FLOOR_SERVED)
        take_served_floor(&rest, out);
    if (version == VERSION_WITH_NOISE)
        take_noise(&rest, &out->terms.noise);
    return rest.data != NULL && (version == VERSION || noise_is_set(&out->terms.noise)) && take_counts(&rest, out) &&
           evidence_check(out);
}

enum status
evidence_restore(struct evidence *evidence, struct slice bytes)
{
    struct evidence out = {0};

    if (!take_all(saved_open(bytes, MAGIC), &out))
        return ERR_CORRUPT;
    if (out.begun)
        evidence_restate(&out);
    *evidence = out;
    return OK;
}
