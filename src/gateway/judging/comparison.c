#include "gateway/judging/comparison.h"

#include <yyjson.h>

#include "cache/entry.h"
#include "dialect/calls_of.h"
#include "dialect/text_of.h"
#include "embed/embedder.h"
#include "gateway/flight/made_over.h"
#include "quality/degenerate.h"
#include "quality/judge_model.h"
#include "quality/judge_told.h"

/* Per worker; beyond it an audit is dropped: it waits for nobody, so that says nothing of its answer. */
enum { AT_ONCE_MOST = 256 };

/* Of an answer is judged no more than so much text. */
enum { TEXT_MOST = 256 * 1024 };

/* What an answer says and does. */
struct said {
    struct text_of text;
    struct buffer calls; /* of tools, as JSON */
};

/* False: it could not be read, or says nothing that can be judged. */
static bool
read_said(enum api api, struct slice answer, struct said *out)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, 0);

    out->text = (struct text_of){.wanted = true, .most = TEXT_MOST};
    if (doc != NULL)
        text_of_event(&out->text, api, yyjson_doc_get_root(doc));
    if (out->text.called)
        calls_of(api, yyjson_doc_get_root(doc), &out->calls);
    yyjson_doc_free(doc);
    return doc != NULL && !out->text.cut;
}

static bool
read_cached(const struct compared_answer *answer, struct said *out)
{
    struct chunk *content = cache_entry_content(answer->cached);
    bool read = content != NULL && read_said(answer->api, chunk_bytes(content), out);

    chunk_release(content);
    return read;
}

static bool
read_answer(const struct compared_answer *answer, struct said *out)
{
    struct buffer whole = {0};
    bool read;

    if (answer->cached != NULL)
        return read_cached(answer, out);
    read = made_over_join(answer->kept, answer->is_stream, answer->api, &whole) == OK &&
           read_said(answer->api, buffer_content(&whole), out);
    buffer_free(&whole);
    return read;
}

static void
forget_said(struct said *said)
{
    buffer_free(&said->text.text);
    buffer_free(&said->calls);
}

static void
judge_calls(struct comparison *comparison, struct slice reference, struct slice candidate)
{
    struct judge_rule rule = {.judge = JUDGE_JSON, .same_fields = true};

    comparison->failed = reference.len == 0 || judge_compare(&rule, reference, candidate, &comparison->outcome) != OK;
}

static void
ask_model(struct comparison *comparison, struct slice reference, struct slice candidate)
{
    const struct screening *screening = &comparison->screening;
    struct judge_question question = {.request = chunk_bytes(screening->request),
                                      .reference = reference,
                                      .candidate = candidate,
                                      .mark = screening->mark};

    for (unsigned i = 0; i < QUESTIONS; i++) {
        struct buffer body = {0};

        question.candidate_first = i == 1;
        judge_question(&question, screening->judge, &body);
        comparison->questions[i] = chunk_from(buffer_content(&body));
        buffer_free(&body);
    }
}

static void
ask_outside(struct comparison *comparison, struct slice reference, struct slice candidate)
{
    const struct screening *screening = &comparison->screening;
    struct buffer question = {0};

    judge_told_question(screening->route, screening->id, chunk_bytes(screening->request), reference, candidate,
                        &question);
    comparison->questions[0] = chunk_from(buffer_content(&question));
    buffer_free(&question);
}

/* True: there is nothing more to ask of it. */
static bool
screen(struct comparison *comparison, struct slice reference, struct slice candidate)
{
    const struct screening *screening = &comparison->screening;
    enum degenerate kind;
    bool same;

    if (screening->sameness == NULL)
        return false;
    same = sameness_note(screening->sameness, hash_fast(chunk_bytes(screening->request), 0), reference, candidate);
    kind = degenerate_text(reference, candidate);
    if (kind == DEGENERATE_NOT && same)
        kind = DEGENERATE_SAME;
    comparison->outcome = 0.0;
    comparison->found = degenerate_words(kind);
    return kind != DEGENERATE_NOT;
}

static void
judge_texts(struct comparison *comparison, struct slice reference, struct slice candidate)
{
    const struct screening *screening = &comparison->screening;
    bool asks = screening->judge != NULL || screening->outside;

    if (screen(comparison, reference, candidate))
        return;
    if (slice_trim(reference).len == 0 && slice_trim(candidate).len == 0)
        comparison->failed = true; /* neither says anything that could be judged */
    else if (!asks)
        comparison->failed = judge_compare(&comparison->rule, reference, candidate, &comparison->outcome) != OK;
    else if (slice_equal(slice_trim(reference), slice_trim(candidate)))
        comparison->outcome = 1.0;
    else
        (screening->outside ? ask_outside : ask_model)(comparison, reference, candidate);
}

/* An answer that calls tools says too little by its text. */
static void
take_texts(struct comparison *comparison, struct said *reference, struct said *candidate)
{
    comparison->failed = reference->text.called || candidate->text.called;
    if (comparison->failed)
        return;
    comparison->texts[0] = reference->text.text;
    comparison->texts[1] = candidate->text.text;
    buffer_init(&reference->text.text);
    buffer_init(&candidate->text.text);
}

/* Who calls a tool where the other does not does something else, whatever it says beside it. */
static void
judge(struct comparison *comparison, struct said *reference, struct said *candidate)
{
    if (reference->text.called != candidate->text.called)
        comparison->outcome = 0.0;
    else if ((comparison->by_calls = reference->text.called))
        judge_calls(comparison, buffer_content(&reference->calls), buffer_content(&candidate->calls));
    else
        judge_texts(comparison, buffer_content(&reference->text.text), buffer_content(&candidate->text.text));
}

static void
run(struct job *job)
{
    struct comparison *comparison = CONTAINER_OF(job, struct comparison, job);
    struct said reference = {0}, candidate = {0};

    comparison->failed = !read_answer(&comparison->reference, &reference);
    comparison->failed = comparison->failed || !read_answer(&comparison->candidate, &candidate);
    if (!comparison->failed)
        (comparison->only_reads ? take_texts : judge)(comparison, &reference, &candidate);
    forget_said(&reference);
    forget_said(&candidate);
}

static void
release(struct compared_answer *answer)
{
    kept_release(answer->kept);
    cache_entry_release(answer->cached);
    answer->kept = NULL;
    answer->cached = NULL;
}

static void
release_all(struct comparison *comparison)
{
    release(&comparison->reference);
    release(&comparison->candidate);
    chunk_release(comparison->screening.request);
    comparison->screening.request = NULL;
}

static void
job_done(struct job *job)
{
    struct comparison *comparison = CONTAINER_OF(job, struct comparison, job);

    comparison->worker->comparing--;
    release_all(comparison);
    comparison->done(comparison);
}

bool
comparison_start(struct comparison *comparison)
{
    struct gateway_worker *worker = comparison->worker;
    struct world *world = worker_world(worker);

    if (worker->comparing >= AT_ONCE_MOST) {
        release_all(comparison);
        return false;
    }
    worker->comparing++;
    comparison->job = (struct job){.run = run, .done = job_done};
    world->ops->work(world, &comparison->job);
    return true;
}

void
comparison_rule_meaning(struct judge_rule *rule, struct gateway *gateway)
{
    if (rule->judge != JUDGE_EMBEDDING)
        return;
    gateway_open_meanings(gateway);
    rule->similarity = embedder_similarity;
    rule->context = gateway->embedder;
}
