/* The coin of audits: each request draws one number, from its id and a secret. Below p, the reference answers the client
 * and what a lever would have served is judged beside it. It is the same for all levers and arms, so the audits are the
 * holdout as well; and as nobody without the secret can foretell it, no client can pick the answers that are judged. */
#ifndef QUALITY_COIN_H
#define QUALITY_COIN_H

#include <stdbool.h>
#include <stdint.h>

enum { COIN_SECRET_BYTES = 32 };

struct coin {
    unsigned char secret[COIN_SECRET_BYTES];
};

/* Evenly over all 64-bit numbers. `id`: the request's, or where a choice sticks to conversations the conversation's. */
uint64_t coin_draw(const struct coin *coin, uint64_t id);

/* Is the request audited at p = p_ppm? Who is at some p, is at any larger one too. */
bool coin_falls(uint64_t draw, uint32_t p_ppm);

#endif
