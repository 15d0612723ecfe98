#include "twin/said.h"

#include "base/rng.h"
#include "base/text.h"
#include "fleet/engine/kv_cache.h"

static enum status
read_count(const struct http_head *head, const char *name, int64_t *out)
{
    struct slice text = http_head_get(head, name);
    uint64_t number = 0;

    if (text.data == NULL)
        return OK;
    if (text_parse_u64(text, &number) != OK || number < 1 || number > SAID_TOKENS_MOST)
        return ERR_INVALID;
    *out = (int64_t)number;
    return OK;
}

static size_t
count_items(struct slice list)
{
    size_t count = 1;

    for (size_t i = 0; i < list.len; i++)
        count += list.data[i] == ',';
    return count;
}

/* Each number stands for block_tokens / 16 hashes, chained to all before. */
static enum status
read_blocks(struct said *said, struct slice list, size_t per_block, struct arena *arena)
{
    size_t most = (size_t)said->prompt_tokens / KV_BLOCK_TOKENS / per_block, blocks = count_items(list);
    uint64_t *hashes;
    uint64_t hash = 0, number = 0;
    struct slice rest = list;

    blocks = blocks < most ? blocks : most;
    hashes = arena_alloc(arena, blocks * per_block * sizeof *hashes);
    while (rest.data != NULL) {
        if (text_parse_u64(slice_trim(slice_split(&rest, ',')), &number) != OK)
            return ERR_INVALID;
        for (size_t i = 0; i < per_block && said->hash_count < blocks * per_block; i++) {
            hash = rng_mix(hash ^ rng_mix(number));
            hashes[said->hash_count++] = hash;
        }
    }
    said->hashes = hashes;
    return OK;
}

enum status
said_read(struct said *said, const struct http_head *head, struct arena *arena, const char **why)
{
    struct slice blocks = http_head_get(head, "x-twin-blocks");
    int64_t block_tokens = KV_BLOCK_TOKENS;

    *said = (struct said){0};
    if (read_count(head, "x-twin-prompt-tokens", &said->prompt_tokens) != OK ||
        read_count(head, "x-twin-output-tokens", &said->output_tokens) != OK)
        *why = "x-twin-prompt-tokens and x-twin-output-tokens must be numbers from 1 to 16777216";
    else if (read_count(head, "x-twin-block-tokens", &block_tokens) != OK || block_tokens % KV_BLOCK_TOKENS != 0)
        *why = "x-twin-block-tokens must be a multiple of 16";
    else if (blocks.data != NULL && said->prompt_tokens == 0)
        *why = "x-twin-blocks needs x-twin-prompt-tokens beside it";
    else if (blocks.data != NULL && read_blocks(said, blocks, (size_t)(block_tokens / KV_BLOCK_TOKENS), arena) != OK)
        *why = "x-twin-blocks must be numbers with commas between them, as in 46,47,53";
    else
        return OK;
    return ERR_INVALID;
}
