#include "quality/judge_told.h"

#include <yyjson.h>

#include "base/text.h"

void
judge_told_question(const char *route, const char *id, struct slice request, struct slice reference,
                    struct slice candidate, struct buffer *out)
{
    buffer_add_byte(out, '{');
    buffer_add_json_member(out, "route", slice_of(route));
    buffer_add_byte(out, ',');
    buffer_add_json_member(out, "id", slice_of(id));
    buffer_add_text(out, ",\"request\":");
    buffer_add(out, request);
    buffer_add_byte(out, ',');
    buffer_add_json_member(out, "reference", reference);
    buffer_add_byte(out, ',');
    buffer_add_json_member(out, "candidate", candidate);
    buffer_add_byte(out, '}');
}

/* Cut at a whole character. */
static void
take_words(yyjson_val *reason, char words[JUDGE_WORDS_SIZE])
{
    struct slice text = slice_make(yyjson_get_str(reason), yyjson_get_len(reason));

    words[0] = '\0';
    if (!yyjson_is_str(reason))
        return;
    text = slice_first(text, JUDGE_WORDS_SIZE - 1);
    while (text.len > 0 && !text_is_utf8(text))
        text.len--;
    memcpy(words, text.data, text.len);
    words[text.len] = '\0';
}

static enum status
read_outcome(yyjson_val *acceptable, double *outcome)
{
    if (yyjson_is_bool(acceptable))
        *outcome = yyjson_get_bool(acceptable) ? 1.0 : 0.0;
    else if (yyjson_is_num(acceptable))
        *outcome = yyjson_get_num(acceptable);
    else
        return ERR_INVALID;
    return *outcome >= 0.0 && *outcome <= 1.0 ? OK : ERR_INVALID;
}

enum status
judge_told_answer(struct slice answer, double *outcome, char words[JUDGE_WORDS_SIZE])
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    enum status status = read_outcome(yyjson_obj_get(root, "acceptable"), outcome);

    words[0] = '\0';
    if (status == OK)
        take_words(yyjson_obj_get(root, "reason"), words);
    yyjson_doc_free(doc);
    return status;
}
