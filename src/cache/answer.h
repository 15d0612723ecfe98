/* Whether an answer may be given to somebody else later. */
#ifndef CACHE_ANSWER_H
#define CACHE_ANSWER_H

#include "dialect/meter.h"
#include "dialect/request.h"

/* Only a whole answer with status 200 that came to its own end (dialect/stop_of.h): never an error, a stream that was
 * cut (`complete` false: its flight did not end well), one that a filter stopped, a response that is incomplete or in
 * the background. The meter must have had stop.wanted set from its start. An answer of more than 1 MiB that was not
 * streamed is not read as a whole, and so not stored; batches of embeddings have their own way (dialect/embedding_batch.h). */
bool cache_may_store(unsigned status, bool complete, const struct meter *meter);

/* Whether an equal request may get an equal answer: it asks for one that does not change, or its route says
 * `repeatable: yes`; never where the API does more than to answer. */
bool cache_may_serve(const struct request_facts *facts, bool repeatable);

#endif
