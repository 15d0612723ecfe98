#include "quality/coin.h"

#include <string.h>

#include "base/hash.h"
#include "quality/betting.h"

uint64_t
coin_draw(const struct coin *coin, uint64_t id)
{
    char bytes[COIN_SECRET_BYTES + sizeof(id)];
    struct digest digest;
    uint64_t draw = 0;

    memcpy(bytes, coin->secret, COIN_SECRET_BYTES);
    for (unsigned i = 0; i < sizeof(id); i++)
        bytes[COIN_SECRET_BYTES + i] = (char)(id >> (8 * i));
    digest = hash_sha256(slice_make(bytes, sizeof(bytes)));
    for (unsigned i = 0; i < sizeof(draw); i++)
        draw |= (uint64_t)digest.bytes[i] << (8 * i);
    return draw;
}

bool
coin_falls(uint64_t draw, uint32_t p_ppm)
{
    return (draw >> 32) * PPM < (uint64_t)p_ppm << 32;
}
