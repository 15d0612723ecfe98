/* The file of evidence: what is written is read again, and what is damaged is as none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "cmocka_ready.h"
#include "gateway/evidence_keeper.h"

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

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_earned_is_kept),
        cmocka_unit_test(no_damaged_byte_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
