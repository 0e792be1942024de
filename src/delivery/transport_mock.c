#include "delivery/transport_mock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

/* What a test that never takes its batches may pile up. */
#define KEPT_MAX_BYTES ((size_t)64 << 20)

typedef struct kept_s {
    struct kept_s *next;
    size_t size;
    char *json;
} kept_t;

typedef struct scripted_s {
    struct scripted_s *next;
    int http_status;
    int64_t retry_after_ms;
} scripted_t;

struct llmlab__mock_s {
    pthread_mutex_t lock;
    kept_t *kept;
    kept_t **kept_end;
    size_t kept_bytes;
    scripted_t *script;
    scripted_t **script_end;
};

llmlab__mock_t *
llmlab__mock_new(void)
{
    llmlab__mock_t *mock = llmlab__calloc(1, sizeof(*mock));

    if (mock != NULL) {
        pthread_mutex_init(&mock->lock, NULL);
        mock->kept_end = &mock->kept;
        mock->script_end = &mock->script;
    }
    return mock;
}

/* The lock is held, or nobody else knows the mock. */
static kept_t *
unlink_kept(llmlab__mock_t *mock)
{
    kept_t *kept = mock->kept;

    if (kept != NULL) {
        mock->kept = kept->next;
        mock->kept_bytes -= kept->size;
        if (mock->kept == NULL) {
            mock->kept_end = &mock->kept;
        }
    }
    return kept;
}

static void
free_kept(kept_t *kept)
{
    llmlab__free(kept->json);
    llmlab__free(kept);
}

void
llmlab__mock_destroy(llmlab__mock_t *mock)
{
    kept_t *kept;

    if (mock == NULL) {
        return;
    }
    while ((kept = unlink_kept(mock)) != NULL) {
        free_kept(kept);
    }
    while (mock->script != NULL) {
        scripted_t *next = mock->script->next;

        llmlab__free(mock->script);
        mock->script = next;
    }
    pthread_mutex_destroy(&mock->lock);
    llmlab__free(mock);
}

llmlab_status_t
llmlab__mock_take(llmlab__mock_t *mock, char **out, size_t *out_size)
{
    kept_t *kept;

    pthread_mutex_lock(&mock->lock);
    kept = unlink_kept(mock);
    pthread_mutex_unlock(&mock->lock);
    if (kept == NULL) {
        return llmlab__fail(LLMLAB_ENOTFOUND, "no batch is waiting");
    }
    *out = kept->json;
    if (out_size != NULL) {
        *out_size = kept->size;
    }
    llmlab__free(kept);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__mock_push(llmlab__mock_t *mock, int http_status, int64_t retry_after_ms)
{
    scripted_t *step = llmlab__alloc(sizeof(*step));

    if (step == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    step->next = NULL;
    step->http_status = http_status;
    step->retry_after_ms = retry_after_ms;
    pthread_mutex_lock(&mock->lock);
    *mock->script_end = step;
    mock->script_end = &step->next;
    pthread_mutex_unlock(&mock->lock);
    return LLMLAB_OK;
}

static void
keep(llmlab__mock_t *mock, const llmlab_request_t *request)
{
    kept_t *kept = llmlab__calloc(1, sizeof(*kept));

    if (kept == NULL) {
        return;
    }
    kept->json = llmlab__strndup(request->body, request->body_size);
    kept->size = request->body_size;
    if (kept->json == NULL) {
        llmlab__free(kept);
        return;
    }
    pthread_mutex_lock(&mock->lock);
    while (mock->kept != NULL &&
           mock->kept_bytes + kept->size > KEPT_MAX_BYTES) {
        free_kept(unlink_kept(mock));
    }
    *mock->kept_end = kept;
    mock->kept_end = &kept->next;
    mock->kept_bytes += kept->size;
    pthread_mutex_unlock(&mock->lock);
}

static int
next_status(llmlab__mock_t *mock, llmlab_response_t *response)
{
    scripted_t *step;
    int status = 200;

    pthread_mutex_lock(&mock->lock);
    step = mock->script;
    if (step != NULL) {
        mock->script = step->next;
        if (mock->script == NULL) {
            mock->script_end = &mock->script;
        }
        status = step->http_status;
        response->retry_after_ms = step->retry_after_ms;
    }
    pthread_mutex_unlock(&mock->lock);
    llmlab__free(step);
    return status;
}

/* "Idempotency-Key: <instance>-<first>-<count>" is all the mock knows of a
 * batch, and all that the echo needs. */
static bool
answer(const llmlab_request_t *request, llmlab_response_t *response)
{
    static const char name[] = "Idempotency-Key: ";
    enum { INSTANCE_SIZE = 36 };

    for (const char *const *header = request->headers; *header != NULL;
         header++) {
        const char *at = *header;
        unsigned long long first;
        unsigned long long count;
        char text[200];
        char *end;
        int size;

        if (strncmp(at, name, sizeof(name) - 1) != 0 ||
            strlen(at) < sizeof(name) + INSTANCE_SIZE) {
            continue;
        }
        at += sizeof(name) - 1;
        first = strtoull(at + INSTANCE_SIZE + 1, &end, 10);
        count = *end == '-' ? strtoull(end + 1, NULL, 10) : 0;
        size = snprintf(text, sizeof(text),
                        "{\"instance\":\"%.36s\",\"first\":%llu,\"count\":%llu,"
                        "\"accepted\":%llu,\"duplicate\":0,\"rejected\":[]}",
                        at, first, count, count);
        return llmlab_response_append(response, text, (size_t)size) == 0;
    }
    return false;
}

static int
mock_send(void *self, const llmlab_request_t *request,
          llmlab_response_t *response)
{
    llmlab__mock_t *mock = self;
    int status = next_status(mock, response);

    if (status == 0) {
        snprintf(response->error, sizeof(response->error), "scripted");
        return -1;
    }
    response->http_status = status;
    if (status == 200) {
        keep(mock, request);
        answer(request, response);
    }
    return 0;
}

void
llmlab__mock_transport(llmlab__mock_t *mock, llmlab__transport_t *out)
{
    memset(out, 0, sizeof(*out));
    out->hooks.struct_size = sizeof(out->hooks);
    out->hooks.send = mock_send;
    out->hooks.self = mock;
}
