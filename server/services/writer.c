#include "services/writer.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/os.h"
#include "base/status.h"
#include "log.h"

/* Of one transaction. */
#define MAX_BATCHES 256
#define MAX_RECORDS 16384

struct llmlab__writer_s {
    llmlab__store_t *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    llmlab__batch_t *first;
    llmlab__batch_t **last;
    uint64_t depth;
    bool stopping;
};

static uint64_t
weight(const llmlab__batch_t *batch)
{
    return 1 + batch->row_count + batch->unsampled_count + batch->score_count;
}

/* Take what goes into one transaction; 0 when it is time to end. */
static size_t
take(llmlab__writer_t *writer, llmlab__batch_t **out)
{
    size_t count = 0;
    uint64_t records = 0;

    pthread_mutex_lock(&writer->lock);
    while (writer->first == NULL && !writer->stopping) {
        pthread_cond_wait(&writer->wake, &writer->lock);
    }
    while (writer->first != NULL && count < MAX_BATCHES &&
           records < MAX_RECORDS) {
        out[count] = writer->first;
        records += weight(writer->first);
        writer->first = writer->first->next;
        out[count++]->next = NULL;
    }
    if (writer->first == NULL) {
        writer->last = &writer->first;
    }
    writer->depth -= records;
    pthread_mutex_unlock(&writer->lock);
    return count;
}

static void *
run(void *payload)
{
    llmlab__writer_t *writer = payload;
    llmlab__batch_t *batches[MAX_BATCHES];
    size_t count;

    llmlab__os_thread_setup("llmlab-writer");
    while ((count = take(writer, batches)) > 0) {
        writer->store->ops->apply(writer->store, batches, count);
        for (size_t i = 0; i < count; i++) {
            if (batches[i]->status == LLMLAB_EIO ||
                batches[i]->status == LLMLAB_ENOMEM) {
                llmlab__server_log(LLMLAB_LOG_ERROR, "cannot store a batch",
                                   "%s", llmlab_status_detail());
            }
            batches[i]->done(batches[i]);
        }
        /* After the replies, so that nobody waits for it alone. */
        writer->store->ops->idle(writer->store);
    }
    return NULL;
}

llmlab_status_t
llmlab__writer_start(llmlab__writer_t **out, llmlab__store_t *store)
{
    llmlab__writer_t *writer = llmlab__calloc(1, sizeof(*writer));

    *out = NULL;
    if (writer == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for the writer");
    }
    writer->store = store;
    writer->last = &writer->first;
    (void)pthread_mutex_init(&writer->lock, NULL);
    (void)pthread_cond_init(&writer->wake, NULL);
    if (pthread_create(&writer->thread, NULL, run, writer) != 0) {
        llmlab__free(writer);
        return llmlab__fail(LLMLAB_EINTERNAL, "cannot start the writer");
    }
    *out = writer;
    return LLMLAB_OK;
}

bool
llmlab__writer_submit(llmlab__writer_t *writer, llmlab__batch_t *batch)
{
    bool taken = false;

    pthread_mutex_lock(&writer->lock);
    if (!writer->stopping && writer->depth <= LLMLAB__WRITER_DEPTH) {
        batch->next = NULL;
        *writer->last = batch;
        writer->last = &batch->next;
        writer->depth += weight(batch);
        taken = true;
        pthread_cond_signal(&writer->wake);
    }
    pthread_mutex_unlock(&writer->lock);
    return taken;
}

uint64_t
llmlab__writer_depth(llmlab__writer_t *writer)
{
    uint64_t depth;

    pthread_mutex_lock(&writer->lock);
    depth = writer->depth;
    pthread_mutex_unlock(&writer->lock);
    return depth;
}

void
llmlab__writer_stop(llmlab__writer_t *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
}

void
llmlab__writer_destroy(llmlab__writer_t *writer)
{
    if (writer == NULL) {
        return;
    }
    pthread_mutex_destroy(&writer->lock);
    pthread_cond_destroy(&writer->wake);
    llmlab__free(writer);
}
