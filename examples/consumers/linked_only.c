/* Linked and never called: the library must cost such a program no thread, no
 * environment variable and no exit hook. Taking an address links it. */
#include <dirent.h>
#include <stdio.h>

#include <llmlab/llmlab.h>

static int
count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int threads = -2; /* "." and ".." */

    if (tasks == NULL) {
        return 1;
    }
    while (readdir(tasks) != NULL) {
        threads++;
    }
    closedir(tasks);
    return threads;
}

int
main(int argc, char **argv)
{
    llmlab_status_t (*open)(llmlab_client_t **, const llmlab_config_t *) =
        llmlab_client_open;
    int threads = count_threads();

    (void)argv;
    if (argc > 1000) {
        return (int)open(NULL, NULL);
    }
    printf("%d thread\n", threads);
    return threads == 1 ? 0 : 1;
}
