/* Any two texts before every judge that needs no call: each says 1 or 0 or that it cannot tell, says it twice, and finds
 * each text as acceptable as itself. The input is the reference, a line with a single 0x1e, and the candidate. */
#include "quality/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
judge(const struct judge_rule *rule, struct slice reference, struct slice candidate)
{
    double once = -1, again = -1;
    enum status status = judge_compare(rule, reference, candidate, &once);

    ENSURE(judge_compare(rule, reference, candidate, &again) == status);
    if (status == OK)
        ENSURE((once == 0 || once == 1) && once == again);
    ENSURE(judge_compare(rule, reference, reference, &once) == OK && once == 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice candidate = slice_make(size > 0 ? (const char *)data : "", size);
    struct slice reference = slice_split(&candidate, '\x1e');
    const struct judge_rule rules[] = {{.judge = JUDGE_EXACT},
                                       {.judge = JUDGE_NUMERIC, .tolerance = 1e-6},
                                       {.judge = JUDGE_NUMERIC, .any_number = true},
                                       {.judge = JUDGE_JSON, .same_fields = true}};

    for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        judge(&rules[i], reference, candidate);
    return 0;
}
