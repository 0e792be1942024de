/* Loaded at run time, used, closed and loaded again: the library stays (it is
 * linked with -z nodelete), because its thread could not be taken away. */
#include <dlfcn.h>
#include <stdio.h>

static int
use(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *(*version)(void);

    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    /* ISO C knows no cast from a data to a function pointer; POSIX does. */
    *(void **)&version = dlsym(library, "llmlab_version");
    if (version == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    printf("llmlab %s\n", version());
    return dlclose(library);
}

int
main(int argc, char **argv)
{
    return argc < 2 || use(argv[1]) != 0 || use(argv[1]) != 0;
}
