/* Any bytes as a saved router: what is restored must be saved as the same bytes, and whatever it is asked or taught then, it
 * says a probability. */
#include <math.h>
#include <stdlib.h>

#include "quality/router.h"
#include "sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small, so that the seeds are. */
enum { MODELS = 1, DIMS = 32, TABLE = 7 };

static void
make_features(struct features *features, unsigned number)
{
    features->count = 3;
    for (unsigned i = 0; i < features->count; i++)
        features->words[i] = (struct word_feature){.place = (number * 40503 + i) % FEATURE_PLACES, .value = .5f};
    for (unsigned i = 0; i < TRAITS; i++)
        features->traits[i] = (float)(i % 3) / 2;
    features->dims = number % 3 == 0 ? 0 : DIMS;
    for (unsigned i = 0; i < features->dims; i++)
        features->vector[i] = i == number % DIMS ? 1 : 0;
    features->tagged = number % 2 == 0;
    features->tag_place = 5;
}

static void
use(struct router *router)
{
    struct features *features = must_calloc(1, sizeof(*features));
    struct router_view *view;
    struct router_explanation why;

    for (unsigned i = 0; i < 4; i++) {
        float outcome = (float)(i % 2), p;

        make_features(features, i);
        view = router_freeze(router);
        router_view_score(view, features, &p);
        router_view_explain(view, features, 0, &why);
        if (!isnan(p) && !(p >= 0 && p <= 1))
            abort();
        router_view_free(view);
        router_learn(router, features, &outcome, i);
    }
    free(features);
}

static void
restore(struct slice bytes)
{
    struct buffer again = {0};
    struct router *router;

    if (router_restore(bytes, MODELS, TABLE, DIMS, &router) != OK)
        return;
    router_save(router, &again);
    if (!slice_equal(buffer_content(&again), bytes))
        abort();
    buffer_free(&again);
    use(router);
    router_free(router);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_sealed(data, size, 0x54554f52u, restore);
    return 0;
}
