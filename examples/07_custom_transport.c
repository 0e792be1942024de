/* Your own way to the server: the library keeps queue, batches, retries and
 * deadlines; you send one request and tell the reply. This one only counts
 * and answers as the server would. */
#include <stdio.h>
#include <string.h>

#include <llmlab/llmlab.h>
#include <llmlab/sys/transport.h>

typedef struct counter_s {
    int requests;
    size_t bytes;
} counter_t;

/* Runs on the library's thread, one request at a time. */
static int
send_request(void *self, const llmlab_request_t *request,
             llmlab_response_t *response)
{
    static const char key[] = "Idempotency-Key: ";
    counter_t *counter = self;
    char body[256];
    unsigned long first = 0;
    unsigned long count = 0;
    char instance[37] = "";

    counter->requests++;
    counter->bytes += request->body_size;
    /* The header says what the batch holds; a reply that repeats it tells that
     * these records are stored. */
    for (size_t i = 0; request->headers[i] != NULL; i++) {
        if (strncmp(request->headers[i], key, sizeof(key) - 1) == 0) {
            sscanf(request->headers[i] + sizeof(key) - 1, "%36c-%lu-%lu",
                   instance, &first, &count);
        }
    }
    snprintf(body, sizeof(body),
             "{\"instance\":\"%s\",\"first\":%lu,\"count\":%lu,"
             "\"accepted\":%lu,\"duplicate\":0,\"rejected\":[]}",
             instance, first, count, count);
    response->http_status = 200;
    return llmlab_response_append(response, body, strlen(body));
}

int
main(void)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client;
    llmlab_status_t status;
    counter_t counter = {0, 0};
    llmlab_transport_t transport = {.struct_size = sizeof(transport),
                                    .send = send_request,
                                    .self = &counter};

    /* Your transport proves who you are: no key is needed here. */
    llmlab_config_set_transport(config, &transport);
    status = llmlab_config_set(config, "exporter", "server");
    if (status == LLMLAB_OK) {
        status = llmlab_client_open(&client, config);
    }
    llmlab_config_destroy(config);
    if (status != LLMLAB_OK) {
        fprintf(stderr, "%s\n", llmlab_status_detail());
        return 1;
    }
    for (int i = 0; i < 250; i++) {
        LLMLAB_TRACE(client, "tick");
    }
    status = llmlab_client_close(client, 5000);
    printf("%d requests, %zu bytes: %s\n", counter.requests, counter.bytes,
           llmlab_status_text(status));
    return status == LLMLAB_OK && counter.requests > 0 ? 0 : 1;
}
