/* A test that cannot fail proves nothing. The tests' own build of the library
 * can switch one mechanism off by the variable LLMLAB_SABOTAGE, and the test of
 * the promise that rests on it must then fail: docs/GUARANTEES.md. No other
 * build holds any of this. */
#ifndef LLMLAB_BASE_SABOTAGE_H
#define LLMLAB_BASE_SABOTAGE_H

#ifdef LLMLAB_SABOTAGE

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool
llmlab__sabotaged(const char *mechanism)
{
    const char *chosen = getenv("LLMLAB_SABOTAGE");

    return chosen != NULL && strcmp(chosen, mechanism) == 0;
}

#else
#define llmlab__sabotaged(mechanism) 0
#endif

#endif
