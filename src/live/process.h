/* What concerns the process as a whole: how many files it may open, and whether its memory may be left behind. */
#ifndef LIVE_PROCESS_H
#define LIVE_PROCESS_H

/* Raises how many files may be open as far as is allowed without privileges; returns how many that are. */
unsigned process_raise_files(void);

/* No core file after a crash, and no look into the memory by other programs of the same user: keys and prompts are in it.
 * (prctl(2), PR_SET_DUMPABLE.) */
void process_keep_memory_private(void);

/* SIGHUP asks to read the configuration again. While the program starts nobody is there to do it, and the signal would end
 * it: held, it waits for whoever listens, and is let in then; held again, it ends nothing that is being closed. Of the
 * calling thread, and those that it starts. */
void process_hold_hangups(void);
void process_let_hangups_in(void);

/* How many clients a worker may take so that, with a connection to a backend for each, the files suffice. */
unsigned process_clients_of(unsigned files, unsigned workers);

#endif
