/* The file of evidence: what is written is read again, and what is damaged is as none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/sealed.h"
#include "cmocka_ready.h"
#include "gateway/judging/evidence_keeper.h"

static const struct evidence_terms terms = {.floor_ppm = 800000, .alpha_ppm = 50000, .epoch = 7};

static void
learn(struct evidences *all, const char *route, unsigned labels)
{
    struct shared_evidence *at = evidences_at(all, route, "semantic_cache");

    for (unsigned i = 0; i < SAMPLE_SCORES; i++)
        (void)shared_evidence_sample(at, &terms, 0.9);
    for (unsigned i = 0; i < labels; i++)
        (void)shared_evidence_observe(at, &terms, &(struct audit){.score = 0.9, .outcome = 1.0});
}

static uint32_t
bound(struct evidences *all, const char *route)
{
    enum evidence_reason reason;

    return shared_evidence_may_serve(evidences_at(all, route, "semantic_cache"), &terms, 0.9, &reason);
}

static void
what_was_earned_is_kept(void **state)
{
    struct evidences before, after;
    struct buffer file = {0};

    (void)state;
    evidences_init(&before);
    evidences_init(&after);
    learn(&before, "earned", 60);
    learn(&before, "waiting", 3);
    evidence_file_write(&before, NULL, &file);
    assert_int_equal(evidence_file_read(&after, NULL, buffer_content(&file)), OK);
    assert_true(bound(&before, "earned") >= terms.floor_ppm);
    assert_int_equal(bound(&after, "earned"), bound(&before, "earned"));
    assert_int_equal(bound(&after, "waiting"), 0);
    assert_int_equal(shared_evidence_verdict(evidences_at(&after, "waiting", "semantic_cache")).audits, 3);
    buffer_free(&file);
    evidences_free(&before);
    evidences_free(&after);
}

static void
no_damaged_byte_is_taken(void **state)
{
    struct evidences before, after;
    struct buffer file = {0};

    (void)state;
    evidences_init(&before);
    evidences_init(&after);
    learn(&before, "earned", 60);
    evidence_file_write(&before, NULL, &file);
    for (size_t i = 0; i < buffer_len(&file); i++) {
        file.data[file.start + i] = (char)(file.data[file.start + i] ^ 0x10);
        assert_int_equal(evidence_file_read(&after, NULL, buffer_content(&file)), ERR_CORRUPT);
        file.data[file.start + i] = (char)(file.data[file.start + i] ^ 0x10);
        assert_int_equal(evidence_file_read(&after, NULL, slice_first(buffer_content(&file), i)), ERR_CORRUPT);
    }
    assert_null(evidences_next(&after, NULL));
    buffer_free(&file);
    evidences_free(&before);
    evidences_free(&after);
}

static size_t
kept_of(struct scorers *scorers, const char *route)
{
    struct buffer bytes = {0};
    size_t len;

    scorer_save(scorer_at(scorers, route), &bytes);
    len = buffer_len(&bytes);
    buffer_free(&bytes);
    return len;
}

/* What is written can be read, however many routes have scores. */
static void
scores_that_have_no_room_are_left_out(void **state)
{
    struct evidences before, after;
    struct scorers scores, again;
    struct buffer file = {0}, large = {0};

    (void)state;
    evidences_init(&before);
    evidences_init(&after);
    scorers_init(&scores);
    scorers_init(&again);
    learn(&before, "earned", 60);
    memset(buffer_reserve(&large, EVIDENCE_FILE_BYTES_MOST), 7, EVIDENCE_FILE_BYTES_MOST);
    scorer_restore(scorer_at(&scores, "small"), SLICE_LITERAL("12345678 and what was learned"));
    scorer_restore(scorer_at(&scores, "large"), slice_make(large.data + large.end, EVIDENCE_FILE_BYTES_MOST / 4 * 3));
    scorer_restore(scorer_at(&scores, "other"), slice_make(large.data + large.end, EVIDENCE_FILE_BYTES_MOST / 2));
    evidence_file_write(&before, &scores, &file);
    assert_true(buffer_len(&file) <= EVIDENCE_FILE_BYTES_MOST);
    assert_int_equal(evidence_file_read(&after, &again, buffer_content(&file)), OK);
    assert_int_equal(bound(&after, "earned"), bound(&before, "earned"));
    assert_int_equal(kept_of(&again, "small"), kept_of(&scores, "small"));
    assert_true(kept_of(&again, "large") + kept_of(&again, "other") >= EVIDENCE_FILE_BYTES_MOST / 2);
    buffer_free(&large);
    buffer_free(&file);
    scorers_free(&scores);
    scorers_free(&again);
    evidences_free(&before);
    evidences_free(&after);
}

/* Its head was half as long. */
static void
scores_that_an_older_version_kept_are_not_read(void **state)
{
    struct evidences all;
    struct scorers scores;
    struct buffer file = {0};

    (void)state;
    evidences_init(&all);
    scorers_init(&scores);
    sealed_begin(&file, "EQEVID1");
    sealed_put(&file, SLICE_LITERAL("assistant"));
    sealed_put(&file, SLICE_LITERAL("scores of the router"));
    sealed_put(&file, SLICE_LITERAL("12345678 and what was learned"));
    sealed_end(&file);
    assert_int_equal(evidence_file_read(&all, &scores, buffer_content(&file)), OK);
    assert_int_equal(kept_of(&scores, "assistant"), 0);
    assert_null(evidences_next(&all, NULL));
    buffer_free(&file);
    scorers_free(&scores);
    evidences_free(&all);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_earned_is_kept),
        cmocka_unit_test(no_damaged_byte_is_taken),
        cmocka_unit_test(scores_that_have_no_room_are_left_out),
        cmocka_unit_test(scores_that_an_older_version_kept_are_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
