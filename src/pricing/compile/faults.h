/* What is wrong with a table, told on stderr and counted, but for what a person
 * has reviewed: {"llmlab_reviewed": 1, "reviewed": [{"model", "rate", "fault",
 * "why"}]}. */
#ifndef LLMLAB_PRICING_COMPILE_FAULTS_H
#define LLMLAB_PRICING_COMPILE_FAULTS_H

#include <stdbool.h>

#include "base/json_dom.h"

#define LLMLAB__REVIEWED_MAX 1024

typedef struct llmlab__faults_s {
    const cJSON *rows;
    unsigned count;
    bool is_used[LLMLAB__REVIEWED_MAX]; /* by row */
} llmlab__faults_t;

/* root outlives it. False when it is no such file, after a line on stderr. */
bool llmlab__faults_init(llmlab__faults_t *faults, const cJSON *root);
void llmlab__fault(llmlab__faults_t *faults, const char *model,
                   const char *rate, const char *what);
/* A review that nothing needs any more is a fault, too: the list stays what it
 * says. */
void llmlab__faults_close(llmlab__faults_t *faults);

#endif
