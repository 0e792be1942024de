#include "support/threads.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"

static void *
tell_id(void *payload)
{
    *(uint32_t *)payload = llmlab__os_thread_id();
    return NULL;
}

bool
threads_end_visibly(const char *test)
{
    pthread_t thread;
    uint32_t id = 0;

    if (pthread_create(&thread, NULL, tell_id, &id) != 0) {
        return false;
    }
    pthread_join(thread, NULL);
    /* The join ends a little before the kernel forgets the thread. */
    for (int i = 0; i < 1000 && llmlab__os_thread_alive(id); i++) {
        usleep(1000);
    }
    if (llmlab__os_thread_alive(id)) {
        printf("SKIP %s: ended threads are not noticed here\n", test);
        return false;
    }
    return true;
}
