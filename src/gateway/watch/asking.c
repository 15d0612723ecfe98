#include "gateway/watch/asking.h"

#include <stdlib.h>

#include "gateway/watch/discovery.h"
#include "gateway/watch/probes.h"
#include "gateway/watch/scrape.h"

struct asking {
    struct discovery *discovery;
    struct scrapes *scrapes;
    struct probes *probes;
};

struct asking *
asking_start(struct gateway_worker *worker)
{
    struct asking *asking = must_calloc(1, sizeof(*asking));

    asking->discovery = discovery_start(worker);
    asking->scrapes = scrapes_start(worker);
    asking->probes = probes_start(worker);
    return asking;
}

void
asking_stop(struct asking *asking)
{
    discovery_stop(asking->discovery);
    scrapes_stop(asking->scrapes);
    probes_stop(asking->probes);
    free(asking);
}
