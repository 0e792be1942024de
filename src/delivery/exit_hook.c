#include "delivery/exit_hook.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/sabotage.h"
#include "delivery/fork_lock.h"
#include "delivery/worker_state.h"

#define NS_PER_MS    INT64_C(1000000)
#define EXIT_WAIT_NS (200 * NS_PER_MS)

static llmlab__fork_lock_t list_lock;
static llmlab__exit_node_t *list;
static uint64_t list_generation; /* in which the list was begun */
static atomic_bool has_begun;

/* In a child the list is the parent's: forgotten, not walked. */
static void
enter_list(void)
{
    uint64_t generation = llmlab__fork_generation();

    llmlab__fork_lock(&list_lock);
    if (list_generation != generation) {
        list = NULL;
        list_generation = generation;
    }
}

void
llmlab__exit_add(llmlab__exit_node_t *node, llmlab__worker_t *worker)
{
    enter_list();
    node->worker = worker;
    node->next = list;
    node->link = &list;
    if (list != NULL) {
        list->link = &node->next;
    }
    list = node;
    llmlab__fork_unlock(&list_lock);
}

void
llmlab__exit_remove(llmlab__exit_node_t *node)
{
    enter_list();
    if (node->link != NULL) {
        *node->link = node->next;
        if (node->next != NULL) {
            node->next->link = node->link;
        }
        node->link = NULL;
    }
    llmlab__fork_unlock(&list_lock);
}

/* What the settings give it of time to deliver. All share it. */
static void
flush_all(void)
{
    int64_t begin = llmlab__clock_mono_ns();

    for (llmlab__exit_node_t *node = list; node != NULL; node = node->next) {
        int64_t gone_ms = (llmlab__clock_mono_ns() - begin) / NS_PER_MS;
        int64_t left_ms = node->worker->config.options.exit_flush_ms - gone_ms;

        if (left_ms > 0) {
            llmlab__worker_flush(node->worker, left_ms, NULL);
        }
    }
}

static void
stop_all(void)
{
    int64_t deadline;

    atomic_store(&has_begun, true);
    enter_list();
    flush_all();
    deadline = llmlab__clock_mono_ns() + EXIT_WAIT_NS;
    for (llmlab__exit_node_t *node = list; node != NULL; node = node->next) {
        atomic_store(&node->worker->stop, 1);
        llmlab__worker_wake(node->worker);
    }
    for (llmlab__exit_node_t *node = list; node != NULL; node = node->next) {
        llmlab__worker_await_end(node->worker, deadline);
    }
    llmlab__fork_unlock(&list_lock);
}

void
llmlab__exit_register(void)
{
    static atomic_flag done = ATOMIC_FLAG_INIT;

    if (!atomic_flag_test_and_set(&done) &&
        !llmlab__sabotaged("exit_unhooked")) {
        atexit(stop_all);
    }
}

bool
llmlab__exit_begun(void)
{
    return atomic_load(&has_begun);
}
