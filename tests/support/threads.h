/* What the system lets us know of threads. */
#ifndef LLMLAB_TESTS_THREADS_H
#define LLMLAB_TESTS_THREADS_H

#include <stdbool.h>

/* Can an ended thread be told from a living one? If not, the rings of ended
 * threads are not reused, and tests of that have nothing to show: this says so
 * (SKIP ...). */
bool threads_end_visibly(const char *test);

#endif
