/* Seeded random numbers for tests, the virtual world and modelled backends: xoshiro256** (Blackman and Vigna, 2018),
 * seeded by splitmix64. Not for secrets. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_seed(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);

/* Evenly from 0 to below `limit` (> 0), without bias. */
uint64_t rng_below(struct rng *rng, uint64_t limit);

/* Evenly from [0, 1). */
double rng_unit(struct rng *rng);

/* One step of splitmix64: a good mix of all bits of x. */
uint64_t rng_mix(uint64_t x);

#endif
