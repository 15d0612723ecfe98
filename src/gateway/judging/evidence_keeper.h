/* Keeps what was learned of levers over a restart: one small file, written anew beside itself when something has changed,
 * every few seconds, at once when something was suspended, and when the program stops. A process that is killed loses the
 * audits since, and brings back nothing that had been taken back; a file that is
 * damaged, or of another version, is as none, and everything must be earned anew. */
#ifndef GATEWAY_EVIDENCE_KEEPER_H
#define GATEWAY_EVIDENCE_KEEPER_H

#include "cache/file.h"
#include "gateway/gateway.h"

struct evidence_keeper;

/* A longer file is none. Scores that would make it one are left out. */
#define EVIDENCE_FILE_BYTES_MOST ((size_t)64 << 20)

/* Reads the file into the gateway's evidence; takes over the disk. Blocks: before anything is served. */
struct evidence_keeper *evidence_keeper_open(struct gateway *gateway, struct cache_disk *disk)
    __attribute__((returns_nonnull));

/* On the first worker; stop before its world ends. NULL is fine. */
void evidence_keeper_start(struct evidence_keeper *keeper, struct gateway_worker *first);
void evidence_keeper_stop(struct evidence_keeper *keeper);

/* Something was taken back that may not serve again after a restart: writes it down now, off the loop of the worker that
 * learned it; once for all who ask before that begins. NULL is fine. */
void evidence_keeper_hurry(struct evidence_keeper *keeper, struct gateway_worker *worker);

/* Writes down what is new; any thread that may block. */
enum status evidence_keeper_write(struct evidence_keeper *keeper) MUST_CHECK;

/* Writes it down for the last time. When no worker learns any more; blocks. NULL is fine. */
void evidence_keeper_close(struct evidence_keeper *keeper);

/* All evidence as that file has it, with the parts of routes and the scores that it is about (NULL: without), and back; whoever
 * serves by it then has the parts follow the configuration (gateway/choice/part.h). ERR_CORRUPT: it is no such file; nothing is
 * taken from it. */
void evidence_file_write(struct evidences *all, struct scorers *scorers, struct buffer *out);
enum status evidence_file_read(struct evidences *all, struct scorers *scorers, struct slice bytes) MUST_CHECK;

#endif
