/* What labelled examples told of a judge: `equipoise eval judge --json` writes it, a route's `judge: calibration` names the
 * file. */
#ifndef CONFIG_CALIBRATION_H
#define CONFIG_CALIBRATION_H

#include "config/config.h"

/* The judge in words: "exact", "numeric, 1% apart", "model openai/gpt-5.4-mini", ... Another judge has other ones. Without a
 * judge "none". */
const char *judge_words(const struct judge_config *judge, struct arena *arena);

/* Reads the text of such a file. NULL, with *why: it is none, or of another judge than that. */
const struct judge_calibration *calibration_read(struct slice text, const char *words, struct arena *arena,
                                                 const char **why);

#endif
