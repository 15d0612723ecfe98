/* Any bytes as saved evidence: what is restored must be saved as the same bytes, and whatever it is asked or told then, it
 * keeps its invariants. */
#include <stdlib.h>

#include "quality/evidence.h"
#include "sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use(struct evidence *evidence)
{
    const double scores[] = {-1, 0, .3, .7, .95, 1, 1e300};
    enum evidence_reason reason;

    for (unsigned i = 0; i < 40; i++) {
        const struct audit audit = {.score = scores[i % 7], .outcome = (i % 3) / 2.0, .halvings = i % 6};

        evidence_observe(evidence, &audit);
        ENSURE(evidence_check(evidence));
        ENSURE(evidence_may_serve(evidence, scores[i % 5], &reason) <= PPM);
        ENSURE(evidence_reason_text(reason) != NULL);
        ENSURE(evidence_audit_ppm(evidence, i % 2 == 0) <= PPM);
    }
    ENSURE(evidence_reason_text(evidence_verdict(evidence).reason) != NULL);
}

static void
restore(struct slice bytes)
{
    struct evidence evidence;
    struct buffer again = {0};

    if (evidence_restore(&evidence, bytes) != OK)
        return;
    evidence_save(&evidence, &again);
    if (!slice_equal(buffer_content(&again), bytes))
        abort();
    buffer_free(&again);
    use(&evidence);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_sealed(data, size, 0x44495645u, restore);
    return 0;
}
