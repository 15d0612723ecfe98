/* Axes of pictures. */
#ifndef CMD_REPLAY_AXIS_H
#define CMD_REPLAY_AXIS_H

/* 1, 2 or 5 times a power of ten, so that `most` is reached in at most so many steps; 1 if there is nothing to reach. */
double replay_axis_step(double most, unsigned steps);

#endif
