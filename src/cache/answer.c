#include "cache/answer.h"

bool
cache_may_store(unsigned status, bool complete, const struct meter *meter)
{
    return status == 200 && complete && meter->finished && !meter->failed && meter->stop.wanted &&
           stop_of_itself(&meter->stop);
}

bool
cache_may_serve(const struct request_facts *facts, bool repeatable)
{
    return facts->api != API_PASSTHROUGH && !facts->acts && (facts->deterministic || repeatable);
}
