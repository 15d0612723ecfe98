#include "cmd/serve/inquiries.h"

#include <stdlib.h>

#include "gateway/watch/asking.h"

struct inquiries {
    struct asking *asking;
    struct rediscover *rediscover;
};

struct inquiries *
inquiries_start(const struct rediscover_options *options)
{
    struct inquiries *inquiries = must_calloc(1, sizeof(*inquiries));

    inquiries->asking = asking_start(options->worker);
    inquiries->rediscover = rediscover_start(options);
    return inquiries;
}

void
inquiries_stop(struct inquiries *inquiries)
{
    if (inquiries == NULL)
        return;
    asking_stop(inquiries->asking);
    rediscover_stop(inquiries->rediscover);
    free(inquiries);
}
