/* A process that ends while a thread is inside libcurl may crash: OpenSSL
 * takes its tables down by an exit handler of its own. One hook, which runs
 * before that one, stops all workers and waits a moment for them. */
#ifndef LLMLAB_DELIVERY_EXIT_HOOK_H
#define LLMLAB_DELIVERY_EXIT_HOOK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct llmlab__worker_s llmlab__worker_t;

typedef struct llmlab__exit_node_s {
    struct llmlab__exit_node_s *next;
    struct llmlab__exit_node_s **link; /* NULL: not in the list */
    llmlab__worker_t *worker;
} llmlab__exit_node_t;

/* Have this worker stopped at exit. */
void llmlab__exit_add(llmlab__exit_node_t *node, llmlab__worker_t *worker);
void llmlab__exit_remove(llmlab__exit_node_t *node);

/* Register the hook with the C library, once. Handlers run in the opposite
 * order of registration, so this comes after libcurl's initialisation, and
 * both come when a client opens: on a thread of ours exit() could begin
 * between the two. */
void llmlab__exit_register(void);

/* Has exit() begun? Then no thread starts any more. */
bool llmlab__exit_begun(void);

#endif
