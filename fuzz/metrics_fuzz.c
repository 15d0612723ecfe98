/* Any bytes as an engine's page of metrics and as its list of slots: what is taken is finite and within its range, a page
 * that is refused says why and changes nothing, and each name stands within the page. The first byte is the engine. */
#include <math.h>
#include <stdint.h>

#include "fleet/health/engine_metrics.h"
#include "fleet/health/metrics_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_within(struct slice text, struct slice part)
{
    ENSURE(part.data >= text.data && part.data + part.len <= text.data + text.len);
}

static void
walk(struct slice text)
{
    struct metrics_page page;
    struct metrics_sample sample;
    enum status status;

    metrics_page_init(&page, text);
    while ((status = metrics_page_next(&page, &sample)) == OK) {
        ENSURE(sample.name.len > 0 && sample.label_count <= METRICS_LABELS_MOST);
        check_within(text, sample.name);
        for (size_t i = 0; i < sample.label_count; i++) {
            check_within(text, sample.labels[i].name);
            check_within(text, sample.labels[i].value);
        }
    }
    ENSURE((status == ERR_NOT_FOUND) == (page.why == NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = size > 0 ? slice_make((const char *)data + 1, size - 1) : SLICE_LITERAL("");
    enum engine engine = size > 0 ? (enum engine)(data[0] % (ENGINE_TWIN + 1)) : ENGINE_VLLM;
    struct engine_told told;
    double share = -2;
    unsigned line;
    const char *why;
    enum status status;

    walk(text);
    told.of[0] = -2;
    status = engine_metrics_read(engine, text, &told, &line, &why);
    ENSURE(status == OK ? why == NULL : (why != NULL && told.of[0] == -2));
    for (unsigned i = 0; i < TOLD_FIELDS && status == OK; i++)
        ENSURE(isfinite(told.of[i]) && (told.of[i] == -1 || told.of[i] >= 0));
    if (status == OK)
        ENSURE(told.of[TOLD_KV_SHARE] <= 1 && told.of[TOLD_PREFIX_SHARE] <= 1);
    if (engine_slots_read(text, &share) == OK)
        ENSURE(share >= 0 && share <= 1);
    else
        ENSURE(share == -2);
    return 0;
}
