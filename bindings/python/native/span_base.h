/* The fast half of Python's Span, by hand; see span_base.c. */
#ifndef LLMLAB_NATIVE_SPAN_BASE_H
#define LLMLAB_NATIVE_SPAN_BASE_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

/* Add span_base() to the module; 0, or -1 with an exception. */
int llmlab_span_base_add(PyObject *module);

#endif
