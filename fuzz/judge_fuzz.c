/* Any two texts before every judge that needs no call: each says 1 or 0 or that it cannot tell, says it twice, and finds
 * each text as acceptable as itself. The input is the reference, a line with a single 0x1e, and the candidate. */
#include "quality/degenerate.h"
#include "quality/judge.h"
#include "quality/judge_model.h"
#include "quality/judge_told.h"
#include <yyjson.h>

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

/* What a model would be asked is JSON, whatever the texts; and its reply is one of three words, or none. */
static void
ask_model(struct slice reference, struct slice candidate)
{
    struct judge_question question = {.request = candidate, .reference = reference, .candidate = candidate};
    struct buffer body = {0};
    bool first = false, second = false;
    char words[JUDGE_WORDS_SIZE];
    double outcome = -1.0;
    yyjson_doc *doc;

    judge_question(&question, "m", &body);
    doc = yyjson_read(body.data + body.start, buffer_len(&body), 0);
    ENSURE(doc != NULL);
    yyjson_doc_free(doc);
    buffer_free(&body);
    ENSURE(judge_reply(reference, true, &first) == judge_reply(reference, false, &second));
    if (judge_told_answer(reference, &outcome, words) == OK)
        ENSURE(outcome >= 0.0 && outcome <= 1.0 && strlen(words) < sizeof(words));
    ENSURE(degenerate_text(reference, reference) == DEGENERATE_NOT);
    ENSURE(degenerate_text(reference, candidate) != DEGENERATE_SAME);
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
    ask_model(reference, candidate);
    return 0;
}
