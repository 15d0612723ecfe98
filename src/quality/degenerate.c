#include "quality/degenerate.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/hash.h"

/* A refusal stands at the beginning; who speaks to a judge may do so anywhere. */
enum { BEGINNING_BYTES = 160, PHRASE_MOST = 64 };

static const char *const refusals[] = {
    "i can't assist",      "i cannot assist", "i can't help with", "i cannot help with", "i'm unable to",
    "i am unable to",      "i'm not able to", "i am not able to",  "i won't be able to", "i'm sorry, but i can",
    "i am sorry, but i c", "sorry, i can't",  "sorry, i cannot",   "as an ai language",  "as a language model",
    "i can't comply",      "i cannot comply", "i must decline",    "i can't provide",    "i cannot provide",
};

static const char *const speeches[] = {
    "ignore all instructions",
    "ignore all previous",
    "ignore previous",
    "ignore any previous",
    "ignore the previous",
    "ignore the above",
    "ignore the instructions",
    "ignore your instructions",
    "disregard all",
    "disregard previous",
    "disregard the",
    "disregard any",
    "dear judge",
    "to the judge",
    "you are the judge",
    "you are a judge",
    "as the judge",
    "note to the evaluator",
    "to the evaluator",
    "dear evaluator",
    "to the grader",
    "dear grader",
    "instructions for the judge",
    "judge this answer",
    "rate this answer",
    "rate this response",
    "grade this answer",
    "score this answer",
    "mark this answer",
    "accept this answer",
    "prefer this answer",
    "choose this answer",
    "this answer is acceptable",
    "this answer is better",
    "this answer is the better",
    "this answer is correct and",
    "answer a is better",
    "answer b is better",
    "answer a is the better",
    "answer b is the better",
    "both answers are equal",
    "reply with equal",
    "reply with a.",
    "reply with b.",
    "respond with equal",
    "output equal",
    "your verdict",
    "system prompt:",
    "</answer",
    "</request",
    "<answer",
    "[end of answer",
};

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Without regard to case, and with one space for any white space; typographic apostrophes are plain ones. */
static size_t
take(struct slice *rest, char *out)
{
    const unsigned char *at = (const unsigned char *)rest->data;

    if (rest->len >= 3 && at[0] == 0xe2 && at[1] == 0x80 && at[2] == 0x99) {
        *rest = slice_from(*rest, 3);
        *out = '\'';
        return 1;
    }
    *out = lower(rest->data[0]);
    *rest = slice_from(*rest, 1);
    if (*out != ' ' && *out != '\n' && *out != '\t' && *out != '\r')
        return 1;
    while (rest->len > 0 &&
           (rest->data[0] == ' ' || rest->data[0] == '\n' || rest->data[0] == '\t' || rest->data[0] == '\r'))
        *rest = slice_from(*rest, 1);
    *out = ' ';
    return 1;
}

static bool
stands_here(struct slice text, const char *phrase)
{
    for (; *phrase != '\0'; phrase++) {
        char c;

        if (text.len == 0)
            return false;
        take(&text, &c);
        if (c != *phrase)
            return false;
    }
    return true;
}

static bool
has_any(struct slice text, const char *const *phrases, size_t count)
{
    for (; text.len > 0; text = slice_from(text, 1)) {
        char first = lower(text.data[0]);

        for (size_t i = 0; i < count; i++)
            if (phrases[i][0] == first && stands_here(text, phrases[i]))
                return true;
    }
    return false;
}

static bool
refuses(struct slice text)
{
    return has_any(slice_first(text, BEGINNING_BYTES), refusals, sizeof(refusals) / sizeof(refusals[0]));
}

static bool
speaks(struct slice text)
{
    return has_any(text, speeches, sizeof(speeches) / sizeof(speeches[0]));
}

const char *
degenerate_words(enum degenerate kind)
{
    static const char *const words[] = {NULL, "it is empty", "it refuses, which the reference does not",
                                        "it speaks to whoever judges it", "it is the same whatever is asked"};

    return words[kind];
}

enum degenerate
degenerate_text(struct slice reference, struct slice candidate)
{
    struct slice said = slice_trim(candidate), wanted = slice_trim(reference);

    if (slice_equal(said, wanted))
        return DEGENERATE_NOT;
    if (said.len == 0)
        return DEGENERATE_EMPTY;
    if (refuses(said) && !refuses(wanted))
        return DEGENERATE_REFUSES;
    return speaks(said) && !speaks(wanted) ? DEGENERATE_SPEAKS : DEGENERATE_NOT;
}

/* Sameness */

struct sameness_of {
    struct sameness_of *next;
    struct sameness sameness;
    char name[];
};

void
samenesses_init(struct samenesses *all)
{
    *all = (struct samenesses){.first = NULL};
    lock_init(&all->lock);
    map_init(&all->map);
}

void
samenesses_free(struct samenesses *all)
{
    while (all->first != NULL) {
        struct sameness_of *one = all->first;

        all->first = one->next;
        lock_destroy(&one->sameness.lock);
        free(one);
    }
    map_free(&all->map);
    lock_destroy(&all->lock);
}

static struct sameness_of *
sameness_new(const char *name)
{
    size_t size = strlen(name) + 1;
    struct sameness_of *one = must_calloc(1, sizeof(*one) + size);

    memcpy(one->name, name, size);
    lock_init(&one->sameness.lock);
    return one;
}

struct sameness *
sameness_at(struct samenesses *all, const char *name)
{
    struct sameness_of *one;

    lock_take(&all->lock);
    one = map_get(&all->map, slice_of(name));
    if (one == NULL) {
        one = sameness_new(name);
        one->next = all->first;
        all->first = one;
        map_put(&all->map, slice_of(one->name), one);
    }
    lock_drop(&all->lock);
    return &one->sameness;
}

/* Fewer say nothing. */
enum { SAME_LEAST = 8 };

static uint64_t
mark_of(struct slice text)
{
    return hash_fast(slice_trim(text), 0);
}

/* A request that comes again gets the same answer again, and counts once. The lock is held. */
static void
note(struct sameness *sameness, const struct said_mark *mark)
{
    for (unsigned i = 0; i < sameness->count; i++)
        if (sameness->said[i].request == mark->request) {
            sameness->said[i] = *mark;
            return;
        }
    sameness->said[sameness->next] = *mark;
    sameness->next = (sameness->next + 1) % SAMENESS_ANSWERS;
    if (sameness->count < SAMENESS_ANSWERS)
        sameness->count++;
}

bool
sameness_note(struct sameness *sameness, uint64_t request, struct slice reference, struct slice candidate)
{
    struct said_mark mark = {request, mark_of(reference), mark_of(candidate)};
    unsigned same = 0, others = 0, count;

    lock_take(&sameness->lock);
    note(sameness, &mark);
    count = sameness->count;
    for (unsigned i = 0; i < count; i++) {
        const struct said_mark *at = &sameness->said[i];

        same += at->candidate == mark.candidate;
        others += at->candidate == mark.candidate && at->reference != mark.reference;
    }
    lock_drop(&sameness->lock);
    return mark.candidate != mark.reference && same >= SAME_LEAST && 2 * same > count && others > 0;
}
