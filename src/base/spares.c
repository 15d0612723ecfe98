#include "base/spares.h"

#include <stdlib.h>

#include "base/sanitize.h"
#include "base/status.h"

void
spares_init(struct spares *spares, size_t size, size_t most)
{
    ENSURE(size >= sizeof(void *));
#ifdef HAVE_ASAN
    most = 0;
#endif
    *spares = (struct spares){.size = size, .most = most};
}

void
spares_clear(struct spares *spares)
{
    while (spares->count > 0)
        free(spares_take(spares));
}

void *
spares_take(struct spares *spares)
{
    void **block = spares->spare;

    if (block == NULL)
        return must_alloc(spares->size);
    spares->spare = *block;
    spares->count--;
    return block;
}

void
spares_give(struct spares *spares, void *block)
{
    void **spare = block;

    if (spare == NULL)
        return;
    if (spares->count == spares->most) {
        free(spare);
        return;
    }
    *spare = spares->spare;
    spares->spare = spare;
    spares->count++;
}
