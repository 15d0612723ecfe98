/* What `equipoise eval` offers beside the cache. */
#ifndef CMD_EVAL_COMMANDS_H
#define CMD_EVAL_COMMANDS_H

int eval_router(int argc, char **argv);
int eval_guard(int argc, char **argv);
int eval_judge(int argc, char **argv);

#endif
