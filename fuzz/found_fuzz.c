/* Any bytes as a file of replicas: what is taken are URLs, sorted and none twice, as many as may be; what is refused says
 * why. */
#include <stdint.h>

#include "config/found.h"
#include "config/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct found found;
    struct value_url url;
    const char *why = NULL, *wrong;
    enum status status;

    arena_init(&arena);
    status = found_parse(slice_make(size > 0 ? (const char *)data : "", size), &arena, &found, &why);
    ENSURE((status == OK) == (why == NULL));
    ENSURE(status != OK || (found.count > 0 && found.count <= FOUND_MOST));
    for (size_t i = 0; i < found.count && status == OK; i++) {
        ENSURE(value_url(slice_of(found.urls[i]), &url, &wrong) == OK);
        ENSURE(i == 0 || strcmp(found.urls[i - 1], found.urls[i]) < 0);
    }
    arena_reset(&arena);
    return 0;
}
