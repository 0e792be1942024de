#include "http/lane.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/os.h"
#include "base/status.h"

#define THREADS_MAX 4
/* Requests that may wait. */
#define DEPTH_MAX 256

struct llmlab__lane_s {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t threads[THREADS_MAX];
    unsigned count;
    llmlab__lane_fn run;
    llmlab__request_t *first;
    llmlab__request_t **last;
    unsigned depth;
    bool stopping;
};

static llmlab__request_t *
take(llmlab__lane_t *lane)
{
    llmlab__request_t *request;

    pthread_mutex_lock(&lane->lock);
    while (lane->first == NULL && !lane->stopping) {
        pthread_cond_wait(&lane->wake, &lane->lock);
    }
    request = lane->first;
    if (request != NULL) {
        lane->first = request->next;
        if (lane->first == NULL) {
            lane->last = &lane->first;
        }
        lane->depth--;
        request->next = NULL;
    }
    pthread_mutex_unlock(&lane->lock);
    return request;
}

static void *
work(void *payload)
{
    llmlab__lane_t *lane = payload;
    llmlab__request_t *request;

    llmlab__os_thread_setup("llmlab-lane");
    while ((request = take(lane)) != NULL) {
        lane->run(request);
    }
    return NULL;
}

llmlab_status_t
llmlab__lane_start(llmlab__lane_t **out, unsigned threads, llmlab__lane_fn run)
{
    llmlab__lane_t *lane = llmlab__calloc(1, sizeof(*lane));

    *out = NULL;
    if (lane == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for the lane");
    }
    lane->run = run;
    lane->last = &lane->first;
    (void)pthread_mutex_init(&lane->lock, NULL);
    (void)pthread_cond_init(&lane->wake, NULL);
    while (lane->count < threads && lane->count < THREADS_MAX) {
        if (pthread_create(&lane->threads[lane->count], NULL, work, lane) !=
            0) {
            llmlab__lane_stop(lane);
            return llmlab__fail(LLMLAB_EINTERNAL, "cannot start the lane");
        }
        lane->count++;
    }
    *out = lane;
    return LLMLAB_OK;
}

bool
llmlab__lane_submit(llmlab__lane_t *lane, llmlab__request_t *request)
{
    bool taken;

    pthread_mutex_lock(&lane->lock);
    taken = !lane->stopping && lane->depth < DEPTH_MAX;
    if (taken) {
        request->next = NULL;
        *lane->last = request;
        lane->last = &request->next;
        lane->depth++;
        pthread_cond_signal(&lane->wake);
    }
    pthread_mutex_unlock(&lane->lock);
    return taken;
}

void
llmlab__lane_stop(llmlab__lane_t *lane)
{
    if (lane == NULL) {
        return;
    }
    pthread_mutex_lock(&lane->lock);
    lane->stopping = true;
    pthread_cond_broadcast(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
    for (unsigned i = 0; i < lane->count; i++) {
        pthread_join(lane->threads[i], NULL);
    }
    pthread_mutex_destroy(&lane->lock);
    pthread_cond_destroy(&lane->wake);
    llmlab__free(lane);
}
