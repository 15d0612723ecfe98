/* What a configuration says of levers, keys, prices and budgets, as text for a person: what the log of changes keeps. */
#ifndef CONFIG_FACTS_H
#define CONFIG_FACTS_H

#include "config/config.h"

struct config_fact {
    const char *what;  /* "lever", "key", "price", "discount", "price file", "budget", "budget policy" */
    const char *name;  /* "assistant alternatives", "web", "openai/gpt-5.5", "gpus", "key web usd/day", "everything" */
    const char *value; /* "on 5%", "$2.5/hour", "$50/day"; levers that are off are left out */
};

/* All of them, in the order of the file; in the arena. A key's value ends with a mark that is another one when the key
 * is: 32 bits of its hash with the salt, from which neither can be found. */
size_t config_facts(const struct config *config, uint64_t salt, struct arena *arena, struct config_fact **out);

#endif
