#include "levers/semantic_notes.h"

/* Of a note: kind, RULE, and then what follows, numbers in this machine's order.
 *
 *   turn:      u64 table, u16 dims, answer's key, u64 partition, u64 check, literals, the vector
 *   promotion: request's key, answer's key, i64 created, u64 under */
enum { KIND_TURN = 1, KIND_PROMOTION = 2 };

/* Changes when a turn, or its literals, are read in another way. */
enum { RULE = 1 };

static void
put(struct buffer *out, const void *bytes, size_t len)
{
    buffer_add(out, slice_make(bytes, len));
}

static void
begin(struct buffer *out, unsigned kind)
{
    buffer_add_byte(out, (char)kind);
    buffer_add_byte(out, RULE);
}

void
semantic_note_turn(const struct semantic_space *space, const struct digest *key, const struct semantic_turn *turn,
                   struct buffer *out)
{
    uint16_t dims = (uint16_t)space->dims;

    begin(out, KIND_TURN);
    put(out, &space->table, sizeof(space->table));
    put(out, &dims, sizeof(dims));
    put(out, key, sizeof(*key));
    put(out, &turn->partition, sizeof(turn->partition));
    put(out, &turn->check, sizeof(turn->check));
    put(out, &turn->literals, sizeof(turn->literals));
    put(out, turn->vector, dims);
}

void
semantic_note_promotion(const struct promotion *promotion, struct buffer *out)
{
    begin(out, KIND_PROMOTION);
    put(out, &promotion->request, sizeof(promotion->request));
    put(out, &promotion->answer, sizeof(promotion->answer));
    put(out, &promotion->answer_created_us, sizeof(promotion->answer_created_us));
    put(out, &promotion->under, sizeof(promotion->under));
}

/* False: there is not as much. */
static bool
take(struct slice *rest, void *out, size_t len)
{
    if (rest->len < len)
        return false;
    memcpy(out, rest->data, len);
    *rest = slice_from(*rest, len);
    return true;
}

/* As embedder_quantize makes them: a vector of zeros has no direction. */
static bool
is_vector(const int8_t *vector, unsigned dims)
{
    bool some = false;

    for (unsigned i = 0; i < dims; i++) {
        if (vector[i] == INT8_MIN)
            return false;
        some = some || vector[i] != 0;
    }
    return some;
}

static enum semantic_note_kind
read_turn(const struct semantic_space *space, struct slice rest, struct semantic_note *out)
{
    uint64_t table;
    uint16_t dims;

    if (!take(&rest, &table, sizeof(table)) || !take(&rest, &dims, sizeof(dims)))
        return NOTE_DAMAGED;
    if (table != space->table || dims != space->dims)
        return NOTE_FOREIGN;
    if (!take(&rest, &out->key, sizeof(out->key)) || !take(&rest, &out->turn.partition, sizeof(out->turn.partition)) ||
        !take(&rest, &out->turn.check, sizeof(out->turn.check)) ||
        !take(&rest, &out->turn.literals, sizeof(out->turn.literals)) || !take(&rest, out->turn.vector, dims) ||
        rest.len != 0 || !is_vector(out->turn.vector, dims))
        return NOTE_DAMAGED;
    return NOTE_TURN;
}

static enum semantic_note_kind
read_promotion(struct slice rest, struct semantic_note *out)
{
    struct promotion *promotion = &out->promotion;

    if (!take(&rest, &promotion->request, sizeof(promotion->request)) ||
        !take(&rest, &promotion->answer, sizeof(promotion->answer)) ||
        !take(&rest, &promotion->answer_created_us, sizeof(promotion->answer_created_us)) ||
        !take(&rest, &promotion->under, sizeof(promotion->under)) || rest.len != 0)
        return NOTE_DAMAGED;
    out->key = promotion->answer;
    return NOTE_PROMOTION;
}

void
semantic_note_read(const struct semantic_space *space, struct slice note, struct semantic_note *out)
{
    unsigned char kind = 0, rule = 0;

    memset(out, 0, sizeof(*out));
    if (!take(&note, &kind, 1) || !take(&note, &rule, 1))
        return;
    if (rule != RULE)
        out->kind = NOTE_FOREIGN;
    else if (kind == KIND_TURN)
        out->kind = read_turn(space, note, out);
    else if (kind == KIND_PROMOTION)
        out->kind = read_promotion(note, out);
}
