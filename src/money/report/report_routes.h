/* Routes, in reports: what is promised on each, who serves it, what it saves and how surely, the holdout beside the rest; and
 * what a useful output of each model costs. */
#ifndef MONEY_REPORT_ROUTES_H
#define MONEY_REPORT_ROUTES_H

#include "money/ledger/group.h"
#include "money/ledger/text_table.h"
#include "money/report/report.h"

/* How evidence of a judge names its lever (levers/router.h). */
#define REPORT_JUDGE "judge"

/* The line of a group of kind `request`; of calls of our own there is no model's (NULL). Tables hold structs of these. */
struct report_route *report_routes_line(struct text_table *table, struct arena *arena, const struct group *group);
struct report_model *report_routes_model(struct text_table *table, struct arena *arena, const struct group *group);

/* Adds the sums of that group; returns those of its side, holdout or not. */
struct sums *report_routes_add(struct report_route *route, const struct group *group, const struct sums *sums);

void report_routes_finish(const struct text_table *routes, const struct text_table *models, struct report *report);

/* What a route saved in dollars, as its requests vary; unknown where hours of an older program are among them. */
struct interval report_saved(const struct sums *sums);

/* The mean cost in dollars of a request of `other` less that of one of `one`, with its interval. */
struct interval report_cost_difference(const struct sums *one, const struct sums *other);

/* The lines for a person, of routes that have evidence or a holdout; and of models on routes where outcomes are known. */
void report_routes_text(const struct report *report, struct buffer *out);
void report_models_text(const struct report *report, struct buffer *out);

/* Whether there are such. */
bool report_routes_any(const struct report *report);
bool report_models_any(const struct report *report);

/* ,"routes":[...],"models":[...] */
void report_routes_json(const struct report *report, struct buffer *out);

#endif
