/* Evidence in bytes: a head, the thresholds, the CUSUM, and those counts that are not 0. All numbers little-endian, doubles
 * as their bits (IEEE 754); the last eight bytes are the checksum of all before them. */
#include "base/hash.h"
#include "quality/evidence.h"

#define MAGIC 0x44495645u /* "EVID" */
enum { VERSION = 1, CHECKSUM_BYTES = 8 };

static void
put(struct buffer *out, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buffer_add_byte(out, (char)(number >> (8 * i)));
}

static void
put_double(struct buffer *out, double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    put(out, bits, sizeof(bits));
}

static void
put_counts(struct buffer *out, const struct evidence *evidence)
{
    for (unsigned band = 0; band < ARMS; band++)
        for (unsigned h = 0; h <= OUTCOME_HALVINGS_MOST; h++)
            for (unsigned i = 0; i <= OUTCOME_STEPS; i++) {
                uint32_t count = evidence->bands[band].count[h][i];

                if (count == 0)
                    continue;
                put(out, band, 1);
                put(out, h, 1);
                put(out, i, 1);
                put(out, count, 4);
            }
}

void
evidence_save(const struct evidence *evidence, struct buffer *out)
{
    size_t from = buffer_len(out);

    put(out, MAGIC, 4);
    put(out, VERSION, 1);
    put(out, evidence->begun, 1);
    put(out, evidence->terms.scope, 1);
    put(out, evidence->terms.floor_ppm, 4);
    put(out, evidence->terms.alpha_ppm, 4);
    put(out, evidence->terms.epoch, 8);
    put(out, evidence->serving, 1);
    put(out, evidence->arms.start, 1);
    put(out, evidence->round, 4);
    put(out, evidence->audits, 8);
    put(out, evidence->failures, 8);
    put(out, evidence->judge_told, 1);
    put(out, evidence->waited, 8);
    for (unsigned arm = 0; arm < ARMS; arm++)
        put_double(out, evidence->arms.threshold[arm]);
    for (unsigned f = 0; f < BETS; f++)
        put_double(out, evidence->fall.log_m[f]);
    put_counts(out, evidence);
    put(out, hash_fast(slice_from(buffer_content(out), from), MAGIC), CHECKSUM_BYTES);
}

/* Once the bytes are at an end, all numbers are 0 and *rest.data NULL. */
static uint64_t
take(struct slice *rest, unsigned bytes)
{
    uint64_t number = 0;

    if (rest->data == NULL || rest->len < bytes) {
        *rest = SLICE_NONE;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        number |= (uint64_t)(unsigned char)rest->data[i] << (8 * i);
    *rest = slice_from(*rest, bytes);
    return number;
}

static double
take_double(struct slice *rest)
{
    uint64_t bits = take(rest, sizeof(bits));
    double number;

    memcpy(&number, &bits, sizeof(number));
    return number;
}

/* Each place at most once, in the order in which they are written. */
static bool
take_counts(struct slice *rest, struct evidence *out)
{
    int last = -1;

    while (rest->len > 0) {
        unsigned band = (unsigned)take(rest, 1), h = (unsigned)take(rest, 1), i = (unsigned)take(rest, 1);
        uint32_t count = (uint32_t)take(rest, 4);
        int place = (int)((band * (OUTCOME_HALVINGS_MOST + 1) + h) * (OUTCOME_STEPS + 1) + i);

        if (rest->data == NULL || band >= ARMS || h > OUTCOME_HALVINGS_MOST || i > OUTCOME_STEPS || count == 0 ||
            place <= last)
            return false;
        out->bands[band].count[h][i] = count;
        last = place;
    }
    return true;
}

/* A flag is 0 or 1. */
static bool
take_flag(struct slice *rest)
{
    uint64_t flag = take(rest, 1);

    if (flag > 1)
        *rest = SLICE_NONE;
    return flag == 1;
}

static bool
take_all(struct slice rest, struct evidence *out)
{
    if (take(&rest, 4) != MAGIC || take(&rest, 1) != VERSION)
        return false;
    out->begun = take_flag(&rest);
    out->terms.scope = (enum floor_scope)take(&rest, 1);
    out->terms.floor_ppm = (uint32_t)take(&rest, 4);
    out->terms.alpha_ppm = (uint32_t)take(&rest, 4);
    out->terms.epoch = take(&rest, 8);
    out->serving = (unsigned)take(&rest, 1);
    out->arms.start = (unsigned)take(&rest, 1);
    out->round = (uint32_t)take(&rest, 4);
    out->audits = take(&rest, 8);
    out->failures = take(&rest, 8);
    out->judge_told = take_flag(&rest);
    out->waited = take(&rest, 8);
    for (unsigned arm = 0; arm < ARMS; arm++)
        out->arms.threshold[arm] = take_double(&rest);
    for (unsigned f = 0; f < BETS; f++)
        out->fall.log_m[f] = take_double(&rest);
    return rest.data != NULL && take_counts(&rest, out) && evidence_check(out);
}

enum status
evidence_restore(struct evidence *evidence, struct slice bytes)
{
    struct evidence out = {0};
    struct slice content = slice_first(bytes, bytes.len - CHECKSUM_BYTES), checksum;

    if (bytes.len < CHECKSUM_BYTES)
        return ERR_CORRUPT;
    checksum = slice_from(bytes, content.len);
    if (take(&checksum, CHECKSUM_BYTES) != hash_fast(content, MAGIC) || !take_all(content, &out))
        return ERR_CORRUPT;
    if (out.begun)
        evidence_restate(&out);
    *evidence = out;
    return OK;
}
