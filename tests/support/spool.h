/* A spool of the test's own, and programs that leave something in it. The test
 * program runs itself in a role: see spool_victim(). */
#ifndef LLMLAB_TEST_SPOOL_H
#define LLMLAB_TEST_SPOOL_H

#include <stdbool.h>
#include <sys/types.h>

#include <llmlab/llmlab.h>

typedef struct spool_s {
    char directory[64]; /* segments */
    char rings[64];     /* on tmpfs; "": there is none */
} spool_t;

/* Empty directories, in the environment of what runs next. */
void spool_begin(spool_t *spool);
void spool_end(spool_t *spool);

/* Files whose names end so; all: "". */
int spool_files(const spool_t *spool, const char *ending);
/* The path of one such file. */
void spool_file(const spool_t *spool, const char *ending, char out[512]);
/* Bytes in all segments. */
long spool_bytes(const spool_t *spool);

/* Run this program as a victim: it opens a client, records so many spans, and
 * ends: "return", "exit", "quick", "at_once" (_exit), "kill", "abort", "fault",
 * "flush" (deliver first, then as kill), "fork" (as kill, while a child of it
 * lives on), "wait" (for its standard input to end, then as kill). more:
 * further settings, "name=value" each, NULL at the end; may be NULL. */
typedef struct victim_s {
    pid_t pid;
    int input;
} victim_t;
void spool_begin_victim(victim_t *victim, const char *url, const char *key,
                        const char *how, int count, const char *const *more);
/* Its exit status; ends a "wait". */
int spool_end_victim(victim_t *victim);
int spool_run_victim(const char *url, const char *key, const char *how,
                     int count, const char *const *more);

/* To be called first in main(): does not return in a victim. */
void spool_victim(int argc, char **argv);

/* Open a client that sends what is there, and close it; the ledger before. */
llmlab_stats_t spool_recover(const char *url, const char *key);

#endif
