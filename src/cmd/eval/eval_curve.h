/* How good a router is, whatever a threshold: accuracy against how much goes to the strong model, or against cost. */
#ifndef CMD_EVAL_CURVE_H
#define CMD_EVAL_CURVE_H

#include <stddef.h>
#include <stdint.h>

enum { CURVE_POINTS = 11, LAMBDA_POINTS_MOST = 64 };

struct curve_point {
    double strong_share, accuracy, cost; /* cost: of a request, as prices say it */
};

/* Two models (RouteLLM; Ong and others, 2024). The performance gap recovered at a share of calls to the strong model is how
 * much of the way from the weak model's accuracy to the strong one's is gone. */
struct router_curve {
    double weak, strong; /* their accuracies */
    double apgr; /* the mean of the gap recovered over all shares from 0 to 1: .5 by chance; NAN: there is no gap */
    double cpt50, cpt80; /* the share of calls to the strong model that recovers 50 % and 80 % of the gap */
    struct curve_point points[CURVE_POINTS]; /* at 0 %, 10 %, ... */
};

/* A request with what a router thinks of sending it to the strong model: the higher, the sooner. */
struct routed {
    double need;
    float weak, strong; /* how right each model is */
};

/* Sorts them. Prices: of one answer; NAN if nobody says. Of equal needs all are taken to go in equal parts. */
void router_curve_measure(struct router_curve *curve, struct routed *requests, size_t count, double weak_price,
                          double strong_price);

/* More than two models: each request goes to the one of the highest P(acceptable) - lambda price, for one lambda after
 * another. The points are the corners of the way from the best whatever it costs to the cheapest. */
struct lambda_point {
    double lambda, accuracy, cost;
};

/* `expected` and `scores`: count x models. Returns the number of points, by falling cost: one that is not 5 % cheaper than the one
 * before is left out. */
size_t lambda_curve(struct lambda_point out[LAMBDA_POINTS_MOST], const float *expected, const float *scores,
                    const double *prices, unsigned models, size_t count);

/* The best accuracy of a point that costs at most so much; NAN: there is none. */
double lambda_accuracy_at(const struct lambda_point *points, size_t count, double cost);

#endif
